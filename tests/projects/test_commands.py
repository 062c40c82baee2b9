"""What the two Makefiles do, as typed in a fresh clone on a machine with an empty home."""

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from filelock import FileLock
from uv import find_uv_bin

from bakery import OPTIONS, TEMPLATE, choices
from documents import commands_in, text_of
from environments import kept_by, run, variables_for
from project_server import PATIENCE, free_port


def typed(command, cwd, home, **variables):
    """What a command prints. Downloads come from this machine's cache; nothing else of its user is there."""
    return run(command, cwd, **machine(home, **variables))


def machine(home, **variables):
    """A machine with an empty home, no uv on its PATH, and this Python as its python3."""
    tools = home / "bin"
    tools.mkdir(parents=True, exist_ok=True)
    if not (tools / "python3").exists():
        (tools / "python3").symlink_to(sys._base_executable)
    folders = [folder for folder in os.environ["PATH"].split(os.pathsep) if not Path(folder, "uv").exists()]
    path = os.pathsep.join([str(tools), *folders])
    (cache,) = kept_by([find_uv_bin(), "cache", "dir"])
    return {"HOME": str(home), "UV_CACHE_DIR": str(cache), "UV_PYTHON_DOWNLOADS": "never", "PATH": path, **variables}


@pytest.fixture(scope="session")
def home(shared_folder):
    return shared_folder / "home"


@pytest.fixture(scope="session")
def clone(shared_folder, home):
    """This repository as git would hand it out, set up."""
    folder = shared_folder / "clone"
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            unfinished = shared_folder / "clone.unfinished"
            listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
            for name in run(listed, TEMPLATE).rstrip("\0").split("\0"):
                if (TEMPLATE / name).exists():  # not one that is deleted, but not yet from the index
                    target = unfinished / name
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy2(TEMPLATE / name, target)
            unfinished.rename(folder)
            typed(["make", "setup"], folder, home)
    return folder


@contextmanager
def serving(command, cwd, home, port):
    """Run a command that serves until it is told to stop, as Ctrl-C in a terminal would, and give its front page."""
    variables = variables_for(None, **machine(home, PORT=str(port)))
    with open(cwd / "make.log", "w+", encoding="utf-8") as log:
        process = subprocess.Popen(command, cwd=cwd, env=variables, stdout=log, stderr=log, start_new_session=True)
        try:
            yield front_page(process, port, cwd / "make.log")
        finally:
            stop(process)


def stop(process):
    """End a command and all that it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGINT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def front_page(process, port, log):
    """The first page that a browser is shown, once there is one."""
    end = time.monotonic() + 4 * PATIENCE
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/") as response:
                return response.read().decode()
        except OSError:
            time.sleep(0.1)
    raise AssertionError(log.read_text(encoding="utf-8"))


COMMANDS = [command for document in ("README.md", "CONTRIBUTING.md") for command in commands_in(text_of(document))]
"""What the documents tell a user to type."""

TYPED_BELOW = {
    "make demo": "test_make_demo_serves_the_default_project",
    "make test": "test_a_new_project_sets_itself_up",
    "cd my_claude_app && make run": "test_a_new_project_sets_itself_up",
    "uvx cookiecutter gh:OWNER/cookiecutter-django-claude": "test_a_project_is_made_by_answering_the_questions",
}
"""Those that need a test of their own. All others are typed as they stand in the documents."""


def test_commands_with_a_test_of_their_own_are_in_the_documents_and_have_it():
    assert TYPED_BELOW.keys() <= set(COMMANDS)
    assert all(test in globals() for test in TYPED_BELOW.values())


@pytest.mark.parametrize("command", [command for command in COMMANDS if command not in TYPED_BELOW])
def test_a_command_of_the_documents_works(clone, home, tmp_path, command):
    if command.startswith("make demo"):
        with serving(shlex.split(command), clone, home, free_port()) as page:
            assert "Continue as demo user" in page
    elif command.startswith("uvx"):
        typed(["sh", "-c", from_clone(command, clone)], tmp_path, home, **with_uv(clone, home))
        assert [path.name for path in tmp_path.iterdir()] == ["ask_the_library"]
    else:
        typed(["sh", "-c", command], clone, home)


def test_a_project_is_made_by_answering_the_questions(clone, home, tmp_path):
    """Every one of them with Enter alone."""
    command = from_clone("uvx cookiecutter gh:OWNER/cookiecutter-django-claude", clone)
    said = typed(["sh", "-c", f"yes '' | {command}"], tmp_path, home, **with_uv(clone, home))
    assert f"[1/{len(OPTIONS)}]" in said
    assert "make run" in said
    assert [path.name for path in tmp_path.iterdir()] == ["my_claude_app"]


def from_clone(command, clone):
    """The command with this repository as it is here in place of the published one."""
    return command.replace("gh:OWNER/cookiecutter-django-claude", str(clone))


def with_uv(clone, home):
    """A machine that has uv and uvx besides."""
    return {"PATH": f"{clone / '.venv' / 'bin'}{os.pathsep}{machine(home)['PATH']}"}


def test_make_lists_every_command_that_has_a_description(clone, home):
    said = typed(["make"], clone, home)
    assert re.findall(r"^make ([a-z]+) +\S", said, re.MULTILINE) == re.findall(
        r"^([a-z]+):.*##", (clone / "Makefile").read_text(encoding="utf-8"), re.MULTILINE
    )


def test_setting_up_twice_does_nothing(clone, home):
    assert "Nothing to be done" in typed(["make", "setup"], clone, home)


def test_make_diff_shows_what_an_answer_changes(clone, home):
    said = typed(["make", "diff", "A=ci=github", "B=ci=none"], clone, home)
    assert "deleted file" in said
    assert ".github/workflows/ci.yml" in said
    assert "SECRET_KEY=" not in said
    assert typed(["make", "diff"], clone, home) == ""


def test_make_bench_prints_ratios(clone, home):
    """One round is no measurement: it may end with the benchmark's own complaint of a slow bake."""
    command = [clone / ".venv" / "bin" / "python", "benchmarks/bake.py", "--rounds", "1", "--most", "100"]
    assert re.search(r"^this template .* ms +\d\.\d\d +\d\.\d\d$", typed(command, clone, home), re.MULTILINE)


@pytest.mark.long
def test_make_newcomer_types_what_leads_to_the_first_eval(clone, home):
    said = typed(["make", "newcomer", "A=--warm"], clone, home)
    rows = re.findall(
        r"^\| `(uvx cookiecutter|cd my_claude_app && make run|make evals).* \| \d+\.\d \|$", said, re.MULTILINE
    )
    assert len(rows) == 3, said


def test_make_demo_serves_the_default_project(clone, home):
    port = free_port()
    with serving(["make", "demo"], clone, home, port) as page:
        assert "Continue as demo user" in page
    with serving(["make", "demo"], clone, home, port) as page:
        assert "Continue as demo user" in page
        assert "cookiecutter" not in (clone / "make.log").read_text(encoding="utf-8"), "it was rendered again"


@pytest.mark.long
@pytest.mark.parametrize("package_manager", choices("package_manager"))
def test_a_new_project_sets_itself_up(bake_copy, package_manager, tmp_path, shared_folder):
    """With nothing but make and Python on the machine, and with variables that lead pip and uv astray.

    Both install the same packages: with pip, `make test` loads every file of tests and runs those of one. With uv, all
    run and pass the gate of `make coverage`.
    """
    project = bake_copy(package_manager=package_manager)
    home = tmp_path / "home"
    astray = {"PIP_USER": "yes", "PIP_TARGET": str(home), "UV_NO_DEV": "1", "UV_PYTHON": "3.9", "PYTHONHOME": str(home)}
    typed(["env", *(f"{name}={value}" for name, value in astray.items()), "make", "setup"], project, home)
    assert (project / "uv.lock").exists() == (package_manager == "uv")
    assert "git init" in typed(["sh", "-c", "! make hooks"], project, home, GIT_CEILING_DIRECTORIES=str(project.parent))
    if package_manager == "pip":
        assert re.search(r"\d+ passed", typed(["make", "test"], project, home, PYTEST_ADDOPTS="-k test_ask"))
    else:
        said = typed(["make", "coverage"], project, home)
        assert re.search(r"\d+ passed", said)
        assert re.search(r"^TOTAL .*%$", said, re.MULTILINE)
    one = {"PYTEST_ADDOPTS": "-k reload"} if package_manager == "pip" else {}
    assert re.search(r"\d+ (passed|skipped)", typed(["make", "e2e"], project, home, **one))
    types = shared_folder / "types-of-new-projects"
    with FileLock(f"{types}.lock"):
        typed(["make", "lint"], project, home, MYPY_CACHE_DIR=str(types))
    typed(["make", "check"], project, home)
    with serving(["make", "run"], project, home, free_port()) as page:
        assert "Continue as demo user" in page
    tries_production_at_home(project, home)
    refuses_a_taken_port(project, home)
    replaces_the_environment_of_another_python(project, home)


def tries_production_at_home(project, home):
    """With its style, and without a redirect to HTTPS."""
    port = free_port()
    settings = ["DEBUG=false", "ANTHROPIC_API_KEY=none", "HOST=x86_64-conda-linux-gnu"]
    with serving(["env", *settings, "make", "serve"], project, home, port) as page:
        style = re.search(r"/static/[^\"]+\.css", page)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{style[0]}") as response:
            assert response.status == 200


def refuses_a_taken_port(project, home):
    """Before it says where to look, and with the command to type instead."""
    for command in ("run", "serve"):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            said = typed(["sh", "-c", f"! make {command}"], project, home, PORT=str(port))
        assert f"Port {port} is taken" in said
        assert f"make {command} PORT=8001" in said
        assert "Open http" not in said


def replaces_the_environment_of_another_python(project, home):
    """Only where one is named."""
    other = home / "python9.9"
    other.write_text("#!/bin/sh\necho 9.9\n", encoding="utf-8")
    other.chmod(0o755)
    assert "Installing into" not in typed(["make", "--dry-run", "test"], project, home)
    assert "Installing into" in typed(["make", "--dry-run", "test", f"PYTHON={other}"], project, home)
