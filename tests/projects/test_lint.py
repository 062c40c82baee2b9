"""What `make lint` holds in a project, beyond style: imports between packages, declared dependencies, types."""

import os
import re
import shutil
import subprocess
import tomllib
from itertools import cycle, product

import pytest
from filelock import FileLock

from bakery import PAIRS, VARIANTS, choices, name_of
from environments import declared_dependencies, find_python, variables_for

OTHER_CODE = {"client_wrapper": False, "database": "postgresql", "sentry": True, "nginx": False, "env_file": False}
ALL_CODE = [
    {**answers, "view_style": style, "claude_model": model}
    for (answers, style), model in zip(
        product(({}, OTHER_CODE), choices("view_style")), cycle(choices("claude_model")), strict=False
    )
] + [{"usage": False}]
"""Projects that have every line of Python between them; the first three have each view style."""
COLOURS = re.compile(r"\x1b\[\d*m")


class Linters:
    """The commands of `make lint`, in an environment with what a project depends on, and perhaps more."""

    def __init__(self, environment, types):
        self.environment = environment
        self.types = types

    def __call__(self, tool, project):
        """The exit code of the command that calls this tool, and what it prints, in one line."""
        variables = variables_for(self.environment, MYPY_CACHE_DIR=str(self.types), NO_COLOR="1")
        ready = [f"VENV={self.environment}", f"--old-file={self.environment}/.ready"]
        printed = subprocess.check_output(["make", "--dry-run", *ready, "lint"], cwd=project, env=variables, text=True)
        (command,) = (line for line in printed.splitlines() if f"{self.environment}/bin/{tool}" in line)
        # mypy needs twenty seconds to read Django and the SDK. It reads them once for all projects.
        with FileLock(f"{self.types}.lock" if tool == "mypy" else project / f"{tool}.lock"):
            done = subprocess.run(
                ["sh", "-c", command], cwd=project, env=variables, capture_output=True, text=True, check=False
            )
        said = COLOURS.sub("", f"{done.stdout} {done.stderr}")
        return done.returncode, " ".join(said.split())


@pytest.fixture(scope="session")
def newest(bake, environment, shared_folder):
    """The linters on the newest Python, in one environment with the dependencies of every project."""
    projects = [bake(**answers) for answers in [*VARIANTS, *PAIRS, *ALL_CODE]]
    all_dependencies = sorted({dependency for project in projects for dependency in declared_dependencies(project)})
    folder = shared_folder / "all-dependencies"
    folder.mkdir(exist_ok=True)
    (folder / "requirements.txt").write_text("\n".join(all_dependencies), encoding="utf-8")
    (folder / "requirements-dev.txt").touch()
    return Linters(environment(folder, find_python("newest")), shared_folder / "types-newest")


@pytest.mark.parametrize("answers", [*VARIANTS, *PAIRS], ids=name_of)
def test_a_project_imports_what_it_may_and_what_it_declares(bake_copy, newest, answers):
    project = bake_copy(**answers)
    code, said = newest("lint-imports", project)
    assert (code, "0 broken" in said) == (0, True), said
    code, said = newest("deptry", project)
    assert (code, "No dependency issues found" in said) == (0, True), said


def test_every_line_of_python_is_in_one_of_the_projects_with_all_code(bake):
    def lines(answers):
        project = bake(**answers)
        files = [path for path in project.rglob("*.py") if path.relative_to(project).parts[0] != "tests"]
        return {(path.name, line) for path in files for line in path.read_text(encoding="utf-8").splitlines()}

    assert set().union(*map(lines, [*VARIANTS, *PAIRS])) - set().union(*map(lines, ALL_CODE)) == set()


@pytest.mark.long
def test_the_types_of_every_line_fit(bake, newest, tmp_path):
    assert complaints_of_types(bake, tmp_path, ALL_CODE, lambda project: newest) == {}


@pytest.mark.long
def test_the_types_of_each_style_fit_with_the_lts_release_of_django(bake, environment, shared_folder, tmp_path):
    """And on the oldest Python."""

    def linters(project):
        return Linters(environment(project, find_python("oldest")), shared_folder / "types-oldest")

    assert complaints_of_types(bake, tmp_path, ALL_CODE[:3], linters) == {}


def complaints_of_types(bake, folder, projects, linters):
    """What mypy says of these projects, by their names. It reads what they share once."""
    found = {}
    for number, answers in enumerate(projects):
        project = shutil.copytree(bake(**answers), folder / str(number))
        for path in project.rglob("*.py"):
            os.utime(path, (number, number))  # or a file of the same second and size would pass for another project's
        code, said = linters(bake(**answers))("mypy", project)
        if code != 0 or "Success: no issues found" not in said:
            found[name_of(answers)] = said
    return found


CONTRACTS = {
    "config imports chat, chat imports claude, never the other way round": (
        "claude/messages.py",
        "from chat.errors import error_json",
        "claude.messages -> chat.errors",
    ),
    "accounts imports none of the other packages": (
        "accounts/models.py",
        "from claude.failures import Failure",
        "accounts.models -> claude.failures",
    ),
    "No other package imports accounts: AUTH_USER_MODEL names the user": (
        "chat/models.py",
        "from accounts.models import User",
        "chat.models -> accounts.models",
    ),
    "In claude, failures and messages know nothing of calls and client": (
        "claude/failures.py",
        "def later():\n    from claude.client import options",
        "claude.failures -> claude.client",
    ),
    "Only claude imports the SDK and its HTTP client": (
        "chat/views.py",
        "import anthropic",
        "chat.views -> anthropic",
    ),
    "No package imports config.settings: django.conf has the settings": (
        "config/health.py",
        "from config import settings",
        "config.health -> config.settings",
    ),
    "No modules of a package import each other in a circle": (
        "chat/forms.py",
        "def later():\n    from chat.page import page_response",
        "No cycles are allowed in chat. It could be made acyclic by removing 1 dependency: - .page -> .forms",
    ),
}
"""For each contract a file and a line that breaks it, also inside a function, and how the linter names the import."""


def test_every_contract_is_broken_here(bake):
    settings = tomllib.loads((bake() / "pyproject.toml").read_text(encoding="utf-8"))
    assert [contract["name"] for contract in settings["tool"]["importlinter"]["contracts"]] == list(CONTRACTS)


@pytest.mark.parametrize("contract", CONTRACTS)
def test_an_import_that_breaks_a_contract_is_named(bake_copy, newest, contract):
    project = bake_copy()
    file, line, culprit = CONTRACTS[contract]
    add_to(project / file, line)
    code, said = newest("lint-imports", project)
    assert code != 0
    assert f"{contract} BROKEN" in said
    assert culprit in said


PACKAGE_MANAGERS = pytest.mark.parametrize("package_manager", choices("package_manager"))


@PACKAGE_MANAGERS
@pytest.mark.parametrize("package", ["asgiref", "httpx2"])
def test_a_dependency_that_is_imported_and_not_declared_is_named(bake_copy, newest, package_manager, package):
    """Also when another dependency brings it, as these two."""
    project = bake_copy(view_style="async", package_manager=package_manager)
    file = project / ("pyproject.toml" if package_manager == "uv" else "requirements.txt")
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    file.write_text("".join(line for line in lines if package not in line), encoding="utf-8")
    code, said = newest("deptry", project)
    assert code != 0
    assert f"DEP003 '{package}' imported but it is a transitive dependency" in said


def test_an_import_of_the_tests_is_declared_too(bake_copy, newest):
    project = bake_copy()
    add_to(project / "tests" / "test_ask.py", "import anyio")
    code, said = newest("deptry", project)
    assert code != 0
    assert "tests/test_ask.py" in said
    assert "'anyio' imported" in said


@PACKAGE_MANAGERS
def test_a_dependency_that_is_declared_and_not_used_is_named(bake_copy, newest, package_manager):
    project = bake_copy(package_manager=package_manager)
    file = project / ("pyproject.toml" if package_manager == "uv" else "requirements.txt")
    text = file.read_text(encoding="utf-8")
    more = '"anyio>=4.0",\n    "django>=' if package_manager == "uv" else "anyio>=4.0\ndjango>="
    file.write_text(text.replace('"django>=' if package_manager == "uv" else "django>=", more, 1), encoding="utf-8")
    code, said = newest("deptry", project)
    assert code != 0
    assert "'anyio' defined as a dependency but not used" in said


def test_a_type_that_does_not_fit_is_named(bake_copy, newest):
    project = bake_copy()
    wrong = {
        "claude/client.py": ("def wrong() -> None:", 'options("now")', "call-arg"),
        "claude/messages.py": ("def wrong(text):", "return text", "no-untyped-def"),
        "chat/errors.py": ("def wrong() -> None:", "error_json(404)", "arg-type"),
        "chat/models.py": ("def wrong() -> None:", "Turn.objects.filter(nobody_has_this=1)", "misc"),
        "config/health.py": ("def wrong() -> None:", "never_kept(ready())  # type: ignore[arg-type]", "unused-ignore"),
    }
    for file, (head, line, _) in wrong.items():
        add_to(project / file, f"{head}\n    {line}")
    code, said = newest("mypy", project)
    assert code != 0
    for file, (_, _, kind) in wrong.items():
        assert re.search(rf"{file}:\d+: error: [^\[]*\[{kind}\]", said), said
    assert f"Found {len(wrong)} errors in {len(wrong)} files" in said


def add_to(path, line):
    path.write_text(f"{path.read_text(encoding='utf-8')}{line}\n", encoding="utf-8")
