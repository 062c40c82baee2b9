"""The rendered compose.yaml: it keeps to the specification, has what was chosen, and grants as little as will do."""

import re

import pytest
import yaml
from compose_spec.compose_spec import PyCompose, parse_duration

from bakery import PAIRS, VARIANTS, choices, name_of
from dockerfile import dockerfile_of, stages_of
from environments import run

WITH_DOCKER = [answers for answers in PAIRS if answers["docker"]]
DATABASES = choices("database")


@pytest.fixture(params=[*VARIANTS[:: len(VARIANTS) // 4], *WITH_DOCKER], ids=name_of)
def answers(request):
    return request.param


@pytest.fixture
def project(bake, answers):
    return bake(**answers)


@pytest.fixture
def compose(project):
    return compose_of(project)


@pytest.fixture
def services(compose):
    return compose["services"]


def compose_of(project):
    return yaml.safe_load((project / "deploy/compose.yaml").read_text(encoding="utf-8"))


def test_it_keeps_to_the_specification(compose):
    assert PyCompose.from_dict(compose).service_names() == list(compose["services"])


@pytest.mark.parametrize(
    ("name", "value"), [("stop_grace_perio", "40s"), ("stop_grace_period", "soon"), ("cap_drop", "ALL")]
)
def test_another_word_or_value_would_be_found(bake, name, value):
    compose = compose_of(bake())
    compose["services"]["web"][name] = value
    with pytest.raises(ValueError, match=rf"{name}|{value}"):
        PyCompose.from_dict(compose)


def test_it_has_the_services_that_were_chosen(services, answers):
    database = answers.get("database", DATABASES[0])
    more = [*(["db"] if database == "postgresql" else []), *(["nginx"] if answers["nginx"] else [])]
    assert list(services) == ["migrate", "web", *more]


def test_no_service_may_do_more_than_it_needs(services):
    rights = {"nginx": ["CHOWN", "NET_BIND_SERVICE", "SETGID", "SETUID"]}
    for name, service in services.items():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service.get("cap_add", []) == rights.get(name, [])
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert not {"privileged", "pid", "ipc", "devices"} & service.keys()


def test_only_nginx_starts_as_root(services, project):
    """It needs to, for the ports and the certificate; its workers do not stay it."""
    user = stages_of(dockerfile_of(project))[-1].only("USER").text
    assert user.split(":")[0].isdecimal()
    assert "user" not in services["web"]
    if "db" in services:
        assert services["db"]["user"] == "postgres"
    if "nginx" in services:
        assert re.search(r"^user www-data;$", (project / "deploy/nginx.conf").read_text(), re.MULTILINE)


def test_nothing_is_open_to_the_network_but_nginx(services):
    published = [port for service in services.values() for port in service.get("ports", [])]
    assert published == ["127.0.0.1:8000:8000"]
    assert [name for name, service in services.items() if "network_mode" in service] == ["nginx"] * (
        "nginx" in services
    )


def test_nginx_finds_the_server_where_it_is_published(services, project):
    if "nginx" in services:
        assert "server 127.0.0.1:8000;" in (project / "deploy/nginx.conf").read_text(encoding="utf-8")
        assert services["nginx"]["network_mode"] == "host"


def test_every_image_has_a_version(services, project):
    bases = {stage.base for stage in stages_of(dockerfile_of(project))}
    for image in [*bases, *(service["image"] for service in services.values())]:
        assert re.fullmatch(r"[a-z0-9./-]+:(?!latest)[\w.-]+", image), image


def test_every_secret_is_asked_for_and_none_is_written_down(compose, project):
    text = (project / "deploy/compose.yaml").read_text(encoding="utf-8")
    for name in ("migrate", "web"):
        assert compose["services"][name]["env_file"] == f"/etc/{project.name}.env"
        assert compose["services"][name]["environment"]["DEBUG"] == "false"
    asked = re.findall(r"\$\{(\w+)(:\?[^}]{20,})?\}", text)
    assert {name for name, _ in asked} == ({"DATABASE_PASSWORD"} if "db" in compose["services"] else set())
    assert all(sentence for _, sentence in asked)
    assert text.count("$") == len(asked)


@pytest.mark.parametrize("nginx", [True, False])
def test_the_project_is_told_of_the_database_beside_it(bake, nginx):
    services = compose_of(bake(database="postgresql", nginx=nginx))["services"]
    database = services["db"]["environment"]
    assert services["web"]["environment"]["DATABASE_URL"] == (
        f"postgres://{database['POSTGRES_USER']}:{database['POSTGRES_PASSWORD']}@db:5432/{database['POSTGRES_DB']}"
    )


def test_the_tables_are_there_before_the_server(services):
    assert services["web"]["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}
    assert services["migrate"]["command"] == ["python", "manage.py", "migrate", "--noinput"]
    assert services["migrate"]["restart"] == "no"
    if "db" in services:
        assert services["migrate"]["depends_on"] == {"db": {"condition": "service_healthy"}}
        assert services["db"]["healthcheck"]["test"][:2] == ["CMD", "pg_isready"]
    assert {service["restart"] for name, service in services.items() if name != "migrate"} == {"unless-stopped"}


def test_what_must_last_is_in_a_volume(compose, project):
    """And the folder of a volume is the one that is written to."""
    ((place, service),) = [
        (volume, name)
        for name, service in compose["services"].items()
        for volume in service.get("volumes", [])
        if volume.startswith("data:") and name != "migrate"
    ]
    assert list(compose["volumes"]) == ["data"]
    if service == "web":
        folder = place.removeprefix("data:")
        assert f"DATABASE_PATH={folder}/db.sqlite3" in dockerfile_of(project)
        assert compose["services"]["migrate"]["volumes"] == [place]
    else:
        assert (service, place) == ("db", "data:/var/lib/postgresql/data")


def test_every_file_that_it_names_is_there(services, project):
    """In the project, or made by a command of its document."""
    readme = (project / "docs/containers.md").read_text(encoding="utf-8")
    targets = [stage.name for stage in stages_of(dockerfile_of(project))][1:]
    for service in services.values():
        if "build" in service:
            assert (project / "deploy" / service["build"]["context"]).resolve() == project.resolve()
            assert (project / service["build"]["dockerfile"]).is_file()
            assert service["build"].get("target", targets[-1]) in targets
        assert service.get("env_file", f"/etc/{project.name}.env") in readme
    if "nginx" in services:
        mounts = [volume.split(":") for volume in services["nginx"]["volumes"]]
        assert [mode for *_, mode in mounts] == ["ro", "ro"]
        assert all(source == target for source, target, _ in mounts)
        assert "certbot certonly --webroot -w /var/www/letsencrypt" in readme


def test_the_engine_waits_longer_than_the_servers_do(services, project):
    (grace,) = re.findall(r"WEB_GRACE = .*default=(\d+)", (project / "config/settings.py").read_text(encoding="utf-8"))
    assert parse_duration(services["web"]["stop_grace_period"]) > int(grace)
    if "nginx" in services:
        (shutdown,) = re.findall(r"worker_shutdown_timeout (\d+)s;", (project / "deploy/nginx.conf").read_text())
        assert parse_duration(services["nginx"]["stop_grace_period"]) > int(shutdown)


@pytest.mark.parametrize("package_manager", choices("package_manager"))
def test_make_image_builds_the_image_that_it_runs(bake, package_manager):
    project = bake(package_manager=package_manager)
    *_, command = run(["make", "--dry-run", "--no-print-directory", "image"], project).splitlines()
    image = compose_of(project)["services"]["web"]["image"]
    assert command == f"docker build --file deploy/Dockerfile --tag {image} ."
    assert (project / "deploy/Dockerfile").is_file()


def test_without_docker_no_document_speaks_of_it(bake):
    project = bake(docker=False)
    other_things = r'containers = \["claude"\]|"docker", "dockerfile"'  # of import-linter, and languages of code
    for path in project.rglob("*"):
        if path.is_file():
            text = re.sub(other_things, "", path.read_text(encoding="utf-8"))
            assert not re.search("docker|container", text, re.IGNORECASE), path


@pytest.mark.parametrize("database", DATABASES)
def test_the_readme_asks_for_every_secret(bake, database):
    readme = (bake(database=database) / "docs/containers.md").read_text(encoding="utf-8")
    wanted = {"SECRET_KEY", "ANTHROPIC_API_KEY", *(["DATABASE_PASSWORD"] if database == "postgresql" else [])}
    assert set(re.findall(r"\b(SECRET_KEY|ANTHROPIC_API_KEY|DATABASE_PASSWORD)=", readme)) == wanted
