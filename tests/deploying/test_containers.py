"""The rendered Dockerfile: linted, and built step by step without an engine; then what it made is run and asked."""

import re
import struct
import subprocess
import sys
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml

from bakery import PAIRS, VARIANTS, choices, files_of, name_of
from claude_server.client import KEY
from claude_server.script import Answer
from containers import LEFTOVERS, PLANTED, Container, Images, plant_leftovers
from dockerfile import context_of, dockerfile_of, stages_of
from http_client import HttpClient
from image_build import NOT_RUN
from postgres_server import postgresql
from production import wait_until_loaded
from scripted_server import ScriptedServer

PASSWORD = "seven-small-otters"
SECRETS = {"SECRET_KEY": "0a1b2c3d4e" * 6, "ANTHROPIC_API_KEY": KEY}
BUILDS = {
    name_of(answers): (answers, python)
    for answers, python in [
        ({"view_style": "streaming", "database": "sqlite", "package_manager": "uv", "nginx": True}, "newest"),
        ({"view_style": "async", "database": "postgresql", "package_manager": "pip", "nginx": False}, "oldest"),
    ]
}
"""Either server, database, package manager and way to static files. To build one takes half a minute of a core."""

CODE = {
    "accounts",
    "chat",
    "claude",
    "config",
    "evals",
    "prompts",
    "static",
    "templates",
    "usage",
    "manage.py",
    "pyproject.toml",
}


def hadolint(*paths):
    """What hadolint says of Dockerfiles."""
    command = [Path(sys.executable).parent / "hadolint", "--no-color", *paths]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def test_hadolint_finds_nothing(bake, tmp_path):
    texts = {dockerfile_of(bake(**answers)) for answers in [*VARIANTS, *PAIRS] if answers.get("docker", True)}
    assert len(texts) > 4
    paths = [tmp_path / f"{number}.Dockerfile" for number in range(len(texts))]
    for path, text in zip(paths, sorted(texts), strict=True):
        path.write_text(text, encoding="utf-8")
    assert hadolint(*paths) == ""


@pytest.mark.parametrize(
    ("ours", "other", "rule"),
    [
        (r"python:[\w.-]+", "python:latest", "DL3007"),
        ("# hadolint ignore=DL3008\n", "", "DL3008"),
        (r'CMD \["gunicorn".*\]', "CMD gunicorn", "DL3025"),
    ],
)
def test_hadolint_would_find_something(bake, tmp_path, ours, other, rule):
    changed, count = re.subn(ours, other, dockerfile_of(bake()))
    assert count
    (tmp_path / "Dockerfile").write_text(changed, encoding="utf-8")
    assert rule in hadolint(tmp_path / "Dockerfile")


@pytest.mark.parametrize("python_version", choices("python_version"))
def test_the_image_has_the_python_that_was_chosen(bake, python_version):
    bases = {stage.base for stage in stages_of(dockerfile_of(bake(python_version=python_version)))}
    assert {base for base in bases if base.startswith("python")} == {f"python:{python_version}-slim-trixie"}


def test_the_image_has_the_uv_that_these_tests_have(bake):
    """Its lines of versions differ in what they make of a lock file."""
    (tag,) = re.findall(r"astral-sh/uv:(\S+)", dockerfile_of(bake(package_manager="uv")))
    assert version("uv").split(".")[:2] == tag.split(".")


@pytest.mark.parametrize("package_manager", choices("package_manager"))
def test_a_build_sees_the_code_and_nothing_else(bake_copy, package_manager):
    project = bake_copy(package_manager=package_manager)
    plant_leftovers(project)
    more = {"deploy/nginx.conf", *(["requirements.txt"] if package_manager == "pip" else [])}
    found = context_of(project)
    assert {path.split("/")[0] for path in found - more} == CODE
    assert more <= found
    assert not found & set(LEFTOVERS)


@pytest.fixture(scope="session")
def images(shared_folder, bake):
    return Images(shared_folder / "images", bake)


@pytest.fixture(params=BUILDS)
def answers(request):
    return BUILDS[request.param][0]


@pytest.fixture
def built(request, images, answers):
    """The image of these answers, and the folder of its build."""
    return images(*BUILDS[name_of(answers)])


@pytest.fixture
def image(built):
    return built[0]


@pytest.fixture(scope="module")
def databases():
    """databases(answers) gives the settings that name an empty database, where the answers want a server of it."""
    with ExitStack() as servers:
        running = []

        def new(answers):
            if answers["database"] == "sqlite":
                return {}
            if not running:
                running.append(servers.enter_context(postgresql()))
            return {"DATABASE_URL": running[0].create(name_of(answers))}

        yield new


def test_every_step_is_run_but_the_one_that_would_change_this_machine(image):
    assert image.not_run == NOT_RUN


def test_the_image_holds_the_code_and_nothing_else(built, answers):
    image, folder = built
    made = (".venv/", "staticfiles/")
    found = {path for path in files_of(image.home) if "__pycache__" not in path and not path.startswith(made)}
    lock = "uv.lock" if answers["package_manager"] == "uv" else "requirements.txt"
    nginx = {"deploy/nginx.conf"} if answers["nginx"] else set()
    assert {path.split("/")[0] for path in found - nginx} == {*CODE, lock}
    assert nginx <= found
    stages = [image.root, *([folder / "nginx"] if answers["nginx"] else [])]
    for path in (path for root in stages for path in root.rglob("*") if path.is_file() and ".venv" not in path.parts):
        assert PLANTED.encode() not in path.read_bytes(), path


def test_no_test_and_no_tool_is_installed(image):
    tools = ["pytest", "ruff", "djlint", "pre_commit"]
    said = Container(image).run(
        ["python", "-c", f"import importlib.util as u; print([n for n in {[*tools, 'django']} if u.find_spec(n)])"]
    )
    assert said == "['django']\n"


def test_no_layer_has_a_secret(image):
    """Neither a build argument nor a variable asks for one: a value that is given to a build stays in its history."""
    names = [*image.variables]
    assert not [name for name in names if re.search("KEY|SECRET|TOKEN|PASSWORD|DATABASE_URL", name)]


def test_all_code_is_compiled(image):
    """With the times of the sources: bytecode that Python thinks out of date is as good as none."""
    sources = [path for path in image.home.rglob("*.py") if path.parent.name != "bin"]
    assert len(sources) > 1000
    assert [source for source in sources if not is_compiled(source)] == []


def is_compiled(source):
    """Whether the interpreter would take the bytecode beside a source. One that is no valid Python has none."""
    compiled = next((source.parent / "__pycache__").glob(f"{source.stem}.cpython-*.pyc"), None)
    if compiled is None:
        return not parses(source)
    stat = source.stat()
    written_for = struct.unpack("<III", compiled.read_bytes()[4:16])
    return written_for == (0, int(stat.st_mtime), stat.st_size)


def parses(source):
    try:
        compile(source.read_bytes(), source, "exec")
    except (SyntaxError, ValueError):
        return False
    return True


def test_another_account_can_read_all_of_it(built, answers):
    """Although the account that cloned the project may be the only one to read it."""
    image, folder = built
    static = [folder / "nginx/srv"] if answers["nginx"] else []
    for top in [image.root / "srv", *static]:
        for path in [top, *top.rglob("*")]:
            needed = 0o005 if path.is_dir() else 0o004
            assert path.is_symlink() or path.stat().st_mode & needed == needed, path


def test_the_server_listens_where_the_engine_can_reach_it(image, answers):
    look = "from config.uvicorn import SETTINGS as s; print(s['host'], s['port'])"
    if answers["view_style"] != "async":
        look = "from config import gunicorn; from gunicorn.util import parse_address as a; print(*a(gunicorn.bind))"
    assert Container(image).run(["python", "-c", look]) == "0.0.0.0 8000\n"
    assert Container(image).without("WEB_HOST").run(["python", "-c", look]) == "127.0.0.1 8000\n"
    for address in ("::1", "[::1]"):
        assert Container(image, WEB_HOST=address).run(["python", "-c", look]) == "::1 8000\n"


@pytest.mark.parametrize("missing", SECRETS)
def test_the_server_does_not_start_without(image, answers, missing):
    database = {"DATABASE_URL": "postgres://nobody@127.0.0.1:1/none"} if answers["database"] == "postgresql" else {}
    container = Container(image, **SECRETS, **database, WEB_HOST="127.0.0.1", PORT="0").without(missing)
    done = container.attempt(image.command)
    assert done.returncode != 0
    assert f"{missing} is " in done.stdout


def test_its_own_command_serves_users(image, built, answers, bake, databases, claude, tmp_path):
    """As compose.yaml has it: the tables first, then the server, which can write nothing but its data."""
    compose = yaml.safe_load((bake(**answers) / "deploy/compose.yaml").read_text(encoding="utf-8"))
    lane = claude.lane()
    container = Container(
        image,
        **SECRETS,
        **databases(answers),
        ANTHROPIC_BASE_URL=lane.base_url,
        ALLOWED_HOSTS="127.0.0.1",
        TRUST_PROXY="true",
    )
    container.run(compose["services"]["migrate"]["command"])
    account = ["--username", "new", "--email", "new@example.com"]
    command = ["python", "manage.py", "createsuperuser", "--no-input", *account]
    container.run(command, DJANGO_SUPERUSER_PASSWORD=PASSWORD)
    assert container.attempt(["sh", "-c", ": >> manage.py"]).returncode != 0, "the code could be changed"
    with container.serve(tmp_path) as server:
        wait_until_loaded(server)
        container.run(image.healthcheck, PORT=str(server.port))
        user = HttpClient.in_place_of_proxy(server.url)
        user.sign_in("new", PASSWORD)
        lane.script(Answer(deltas=["The sky ", "is blue."]))
        reply = user.post("/chat/ask/", {"prompt": "Why is the sky blue?"})
        assert (reply.status, reply.json["answer"]) == (200, "The sky is blue.")
        page = user.get("/").text
        style = re.search(r'href="(/static/chat/chat\.\w{12}\.css)"', page)[1]
        if answers["nginx"]:
            (alias,) = re.findall(r"alias (/srv/.*);", (built[1] / "nginx/etc/nginx/nginx.conf").read_text())
            assert (built[1] / "nginx" / alias.lstrip("/") / style.removeprefix("/static/")).is_file()
        else:
            assert user.get(style).status == 200


def test_nginx_has_the_configuration_of_the_project(built, answers, bake):
    if answers["nginx"]:
        ours = (bake(**answers) / "deploy/nginx.conf").read_bytes()
        assert (built[1] / "nginx/etc/nginx/nginx.conf").read_bytes() == ours
    else:
        assert not (built[1] / "nginx").exists()


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (503, False)])
def test_the_health_check_goes_by_the_status(image, status, healthy):
    """And past the proxy that the environment names for the way to Claude."""

    def answer(exchange):
        exchange.json({}, status if exchange.path == "/healthz" else 404)

    with ScriptedServer(answer) as server:
        proxy = {"HTTP_PROXY": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9"}
        done = Container(image, PORT=str(server.port), **proxy).attempt(image.healthcheck)
    assert (done.returncode == 0) == healthy, done.stdout


def test_the_health_check_fails_where_nothing_listens(image):
    assert Container(image, PORT="9").attempt(image.healthcheck).returncode != 0
