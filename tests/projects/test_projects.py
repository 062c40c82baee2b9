"""Every variant at work in a clean environment of its own dependencies: Django's checks, its hooks, its own tests."""

import difflib
import json
import shutil
import subprocess
import sys
from itertools import combinations, product
from pathlib import Path

import pytest

from bakery import OPTIONS, VARIANTS, choices
from environments import PYTHONS, declared_dependencies, find_python, run, variables_for
from own_tests import ON_POSTGRESQL, ON_SQLITE, RUNS, ids, number_passed

PRODUCTION = {
    "DEBUG": "false",
    "SECRET_KEY": "7f0c1e" * 10 + "AbCd-_xyz",
    "EMAIL_HOST": "none",
    "ANTHROPIC_API_KEY": "a-key-for-tests",
    "ALLOWED_HOSTS": "127.0.0.1",
    "SITE_ORIGIN": "https://127.0.0.1",
    "TRUST_PROXY": "true",
    "DATABASE_URL": "postgres://nobody@localhost/name",
}
NO_ISSUES = "System check identified no issues (0 silenced).\n"


@pytest.fixture
def answers(request):
    return request.param


@pytest.fixture
def python(request):
    return find_python(request.param)


@pytest.fixture
def project(bake_copy, answers):
    return bake_copy(**answers)


@pytest.fixture
def clean(environment, project, python):
    """The environment of the project: what it declares, and nothing else."""
    return environment(project, python)


def on(*cases):
    """Has a test run for these pairs of answers and a Python."""
    return pytest.mark.parametrize(("answers", "python"), cases, ids=ids(cases), indirect=True)


every_variant = on(*product(VARIANTS, ["oldest"]), *(run for run in RUNS if run[1] == "newest"))

IN_DEVELOPMENT = """
import importlib, pkgutil, sys
import django
from django.core.management import call_command
django.setup()
call_command("check")
import claude
for module in pkgutil.walk_packages(claude.__path__, "claude."):
    importlib.import_module(module.name)
assert "claude.client" in sys.modules
assert "anthropic" not in sys.modules
call_command("makemigrations", check_changes=True, dry_run=True)
"""


@every_variant
def test_django_finds_nothing_to_say_and_the_sdk_is_not_loaded(project, clean):
    """Of settings, models and migrations. Loading the SDK takes over a second, and most commands need none of it."""
    variables = {"DJANGO_SETTINGS_MODULE": "config.settings", "DEBUG": "true"}
    said = run(["python", "-W", "error", "-c", IN_DEVELOPMENT], project, clean, **variables)
    assert said == f"{NO_ISSUES}No changes detected\n"


@every_variant
def test_django_finds_nothing_to_say_before_a_deployment(project, clean):
    command = ["python", "-W", "error", "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    # Whether HSTS holds for subdomains, and for ever, is the domain's to decide: config/settings.py silences these two.
    assert run(command, project, clean, **PRODUCTION) == NO_ISSUES.replace("0 silenced", "2 silenced")


@pytest.mark.long
@on(*ON_SQLITE)
def test_its_own_tests_pass_whatever_the_machine_has_set(project, clean, record_property):
    """deploying/test_postgresql.py runs those of three more projects."""
    record_property("own_tests", number_passed(project, clean))


def test_the_answers_are_spread_over_the_projects_whose_own_tests_are_run():
    runs = [{**answers, "python": python} for answers, python in RUNS]
    questions = {"python": PYTHONS, **{option: choices(option) for option in OPTIONS if choices(option)}}

    def missing(*names):
        """The answers to these questions that no run has together."""
        have = {tuple(run[name] for name in names) for run in runs}
        return set(product(*(questions[name] for name in names))) - have

    assert all(run.keys() == questions.keys() for run in runs)
    assert {wrapper for _, wrapper, _ in missing("view_style", "client_wrapper", "python")} == {False}
    for pair in combinations(questions.keys() - {"claude_model", "python_version"}, 2):
        assert missing(*pair) == set()
    assert missing("python_version", "python") == missing("claude_model") == set()
    # A view style has three runs, each with another model.
    assert len({(run["view_style"], run["claude_model"]) for run in runs}) == len(runs)
    assert {answers["view_style"] for answers, _ in ON_POSTGRESQL} == set(choices("view_style"))
    assert {python for _, python in ON_POSTGRESQL} == set(PYTHONS)


@on(({}, "newest"))
def test_a_project_runs_without_the_app_usage_when_its_folder_and_its_lines_are_removed(project, clean, bake):
    lines = [f"`{name}`" for name in ("config/settings.py", "config/urls.py", "templates/base.html")]
    listed = "its lines in {}, {} and {}: the project runs".format(*lines)
    assert listed in " ".join((project / "docs/usage.md").read_text(encoding="utf-8").split())
    shutil.rmtree(project / "usage")
    for name in (line.strip("`") for line in lines):
        without = (bake(usage=False) / name).read_text(encoding="utf-8")
        removed = list(difflib.ndiff(without.splitlines(), (project / name).read_text(encoding="utf-8").splitlines()))
        assert not [line for line in removed if line.startswith("- ")], f"{name} needs more than lines removed"
        (project / name).write_text(without, encoding="utf-8")
    variables = {"DJANGO_SETTINGS_MODULE": "config.settings", "DEBUG": "true"}
    assert run(["python", "-W", "error", "-c", IN_DEVELOPMENT], project, clean, **variables)
    assert "demo user" in run(["python", "-c", SIGNED_OUT], project, clean, **variables)


SIGNED_OUT = """
import django
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
from django.test import Client
print(Client(headers={"host": "127.0.0.1"}).get("/", follow=True).content.decode())
"""

LEAVING = """
import contextlib, socket

def test_a_connection_to_elsewhere():
    with contextlib.suppress(Exception):
        socket.create_connection(("192.0.2.1", 9), timeout=0.1)

def test_an_address_of_elsewhere():
    with contextlib.suppress(Exception):
        socket.getaddrinfo("api.anthropic.com", 443)

def test_this_machine():
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        socket.getaddrinfo("localhost", None)
"""


@on(({}, "oldest"))
def test_a_test_that_would_leave_the_machine_fails_even_if_its_code_catches_the_error(project, clean):
    (project / "tests/test_leaving.py").write_text(LEAVING, encoding="utf-8")
    command = ["python", "-m", "pytest", "-q", "tests/test_leaving.py"]
    done = subprocess.run(command, cwd=project, env=variables_for(clean), capture_output=True, text=True, check=False)
    assert "3 passed, 2 errors" in done.stdout


@on(*[({"view_style": style}, "newest") for style in ("streaming", "async")])
def test_no_log_has_a_question_whatever_the_environment_says(project, clean):
    """In a process that loads the SDK by itself: it looks at ANTHROPIC_LOG then."""
    variables = variables_for(clean, DEBUG="true", ANTHROPIC_LOG="debug")
    command = ["python", "manage.py", "ask", "a secret question"]
    done = subprocess.run(command, cwd=project, env=variables, capture_output=True, text=True, check=True)
    assert "secret" in done.stdout
    assert "Claude call answered" in done.stderr
    assert "secret" not in done.stderr


@on(*(run for run in RUNS if run[1] == "oldest"))
def test_its_hooks_pass_on_what_was_rendered(project, clean, tmp_path):
    """What they check is also checked, in every variant, by `make lint` and in rendering/test_variants.py."""
    run(["git", "init", "--quiet"], project)
    run(["git", "add", "--all"], project)
    said = run(
        ["pre-commit", "run", "--all-files", "--color", "never"],
        project,
        clean,
        PRE_COMMIT_HOME=str(tmp_path / "cache"),
    )
    assert "Passed" in said
    assert run(["git", "diff"], project) == "", "a hook changed a file"


@pytest.mark.parametrize("python", PYTHONS, indirect=True)
def test_django_is_the_lts_release_on_the_oldest_python_and_the_newest_elsewhere(environment, bake, python):
    version = run(["python", "-m", "django", "--version"], bake(), environment(bake(), python))
    lts = run([python, "-c", "import sys; print(sys.version_info < (3, 12))"], bake()) == "True\n"
    assert version.startswith("5.2.") == lts


AUDIT = [Path(sys.executable).parent / "pip-audit", "--progress-spinner", "off", "--format", "json"]


@pytest.fixture(scope="module")
def vulnerability_service(tmp_path_factory):
    """Skips unless the service really answers: where it does not, pip-audit may find nothing and be content."""
    known = tmp_path_factory.mktemp("audit") / "requirements.txt"
    known.write_text("django==5.2.0\n", encoding="utf-8")
    done = audit("--no-deps", "--disable-pip", "--requirement", known)
    if not any(package.get("vulns") for package in done):
        pytest.skip("the vulnerability service does not answer on this network: dependencies are not audited here")


def audit(*arguments):
    """What pip-audit says of each package, or nothing when it did not get through."""
    done = subprocess.run([*AUDIT, *arguments], capture_output=True, text=True, check=False)
    return json.loads(done.stdout)["dependencies"] if done.stdout.startswith("{") else []


@pytest.mark.parametrize("python", PYTHONS, indirect=True)
def test_no_dependency_is_known_to_be_vulnerable(vulnerability_service, environment, bake, python):
    projects = {tuple(declared_dependencies(bake(**answers))): bake(**answers) for answers in VARIANTS}
    for project in projects.values():
        (packages,) = environment(project, python).glob("lib/python*/site-packages")
        found = audit("--path", packages)
        assert found
        assert [package for package in found if package.get("vulns")] == []
