"""Every variant at work in a clean environment of its own dependencies: Django's checks, its hooks, its own tests."""

import json
import re
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest

import preloaded
from bakery import VARIANTS, name_of
from environments import PYTHONS, declared_dependencies, find_python, run

PRODUCTION = {
    "DEBUG": "false",
    "SECRET_KEY": "7f0c1e" * 10 + "AbCd-_xyz",
    "ANTHROPIC_API_KEY": "a-key-for-tests",
    "ALLOWED_HOSTS": "127.0.0.1",
    "TRUST_PROXY": "true",
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
    ids = [f"{name_of(answers)}-{python}" for answers, python in cases]
    return pytest.mark.parametrize(("answers", "python"), cases, ids=ids, indirect=True)


ON_BOTH_PYTHONS = [
    answers for answers in VARIANTS if answers["env_file"] == answers["nginx"] == answers["client_wrapper"]
]
"""Each view style with all of the others and with none. The versions of Python and Django meet every file in these."""

on_the_oldest_python = on(*product(VARIANTS, ["oldest"]))
on_both_pythons = on(*product(VARIANTS, ["oldest"]), *product(ON_BOTH_PYTHONS, ["newest"]))

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


@on_both_pythons
def test_django_finds_nothing_to_say_and_the_sdk_is_not_loaded(project, clean):
    """Of settings, models and migrations. Loading the SDK takes over a second, and most commands need none of it."""
    variables = {"DJANGO_SETTINGS_MODULE": "config.settings", "DEBUG": "true"}
    said = run(["python", "-W", "error", "-c", IN_DEVELOPMENT], project, clean, **variables)
    assert said == f"{NO_ISSUES}No changes detected\n"


@on_both_pythons
def test_django_finds_nothing_to_say_before_a_deployment(project, clean):
    command = ["python", "-W", "error", "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    assert run(command, project, clean, **PRODUCTION) == NO_ISSUES


@on_both_pythons
def test_its_own_tests_pass(project, clean, record_property):
    said = preloaded.run_tests(project, clean)
    summary = said.strip().splitlines()[-1]
    passed = re.fullmatch(r"=*\s*(\d+) passed(?:, \d+ deselected)? in .*", summary)
    assert passed, f"not all passed, or some were skipped or warned of:\n{said}"
    record_property("own_tests", int(passed[1]))


@on_the_oldest_python
def test_its_hooks_pass_on_what_was_rendered(project, clean, tmp_path):
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
