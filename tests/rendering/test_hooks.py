"""The hooks as Cookiecutter runs them: what a user sees, what is in the new project, and what is left behind."""

import json
import os
import pty
import re
import runpy
import shlex
import stat
import subprocess
import sys
from contextlib import suppress
from types import SimpleNamespace

import pytest
from cookiecutter.environment import StrictEnvironment
from uv import find_uv_bin

from bakery import CONFIG, OPTIONS, PROJECT_SOURCE, TEMPLATE, rendering_context

post_gen = SimpleNamespace(**runpy.run_path(str(TEMPLATE / "hooks" / "post_gen_project.py")))


def script(path, *lines):
    """An executable on PATH."""
    path.write_text("\n".join([f"#!{sys.executable}", *lines]) + "\n", encoding="utf-8")
    path.chmod(0o755)


class Terminal:
    """A shell of a machine with nothing on PATH but Cookiecutter, a home of its own, and an empty folder to work in."""

    def __init__(self, root):
        self.work, self.home, self.bin, self.tmp = (root / name for name in ("work", "home", "bin", "tmp"))
        for folder in (self.work, self.home, self.bin, self.tmp):
            folder.mkdir()
        script(self.bin / "cookiecutter", "from cookiecutter.cli import main", "main()")

    def run(self, command):
        environ = {
            "PATH": self.bin,
            "HOME": self.home,
            "TMPDIR": self.tmp,
            "LC_ALL": "C.UTF-8",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        return subprocess.run(
            ["/bin/sh", "-c", command], cwd=self.work, env=environ, capture_output=True, encoding="utf-8", check=False
        )

    def bake(self, *options, before="", **answers):
        words = [
            "cookiecutter",
            TEMPLATE,
            "--no-input",
            *options,
            *(f"{name}={answer}" for name, answer in answers.items()),
        ]
        return self.run(before + shlex.join(map(str, words)))

    def replay(self):
        """The answers that Cookiecutter wrote down, without those that nobody gave."""
        (file,) = (self.home / ".cookiecutter_replay").iterdir()
        answers = json.loads(file.read_text(encoding="utf-8"))["cookiecutter"]
        return {name: answer for name, answer in answers.items() if not name.startswith("_")}


@pytest.fixture
def terminal(tmp_path):
    return Terminal(tmp_path)


def command_in(text):
    """The command that a refusal asks for."""
    return re.search(r"Run this instead:\n\n(.*?)\n\nWhat follows", text, re.DOTALL)[1]


def test_a_refusal_names_every_fault_and_leaves_nothing(terminal):
    done = terminal.bake(project_slug="chat", domain_name="https://example.org/", project_name=" ")
    assert done.returncode == 1
    assert re.findall(r"^  (\w+): .*; .*\.$", done.stderr, re.MULTILINE) == [
        "project_name",
        "project_slug",
        "domain_name",
    ]
    assert done.stderr.endswith("What follows is Cookiecutter's own report of the same.\n")
    assert "Traceback" not in done.stderr
    assert list(terminal.work.iterdir()) == []


def test_the_command_of_a_refusal_works_and_keeps_the_other_answers(terminal):
    given = {
        "project_name": "Claude's \"café\" \\ $HOME `id`\nsecond: 日本 🚀 {{ '{{' }} 7 }} # % if",
        "project_slug": "chat",
        "domain_name": "https://example.org/",
        "view_style": "async",
        "nginx": "no",
        "ci": "none",
    }
    refused = terminal.bake(**given)
    done = terminal.run(command_in(refused.stderr))
    assert done.returncode == 0, done.stdout + done.stderr
    assert [path.name for path in terminal.work.iterdir()] == ["my_chat"]
    assert terminal.replay() == {
        **{name: answer[0] if isinstance(answer, list) else answer for name, answer in OPTIONS.items()},
        **given,
        "project_slug": "my_chat",
        "project_name": 'Claude\'s "café" \\ $HOME `id`\nsecond: 日本 🚀 {{ 7 }} # % if',
        "domain_name": "example.org",
        "nginx": False,
    }


def test_the_command_of_a_refusal_keeps_the_folder(terminal):
    refused = terminal.bake("--output-dir", "some where", project_slug="chat")
    assert terminal.run("cd / && " + command_in(refused.stderr)).returncode == 0
    assert [path.name for path in terminal.work.iterdir()] == ["some where"]
    assert [path.name for path in (terminal.work / "some where").iterdir()] == ["my_chat"]


@pytest.mark.parametrize("umask", ["022", "000"])
def test_env_is_private(terminal, umask):
    terminal.bake(before=f"umask {umask}; ")
    assert stat.S_IMODE((terminal.work / "my_claude_app" / ".env").stat().st_mode) == 0o600


def test_the_secret_is_new_each_time_and_stands_in_env_alone(terminal):
    said = [terminal.bake(project_slug=slug) for slug in ("one", "two")]
    secrets = {
        re.search(r"^SECRET_KEY=([\w-]{50,})$", (terminal.work / slug / ".env").read_text(), re.MULTILINE)[1]
        for slug in ("one", "two")
    }
    assert len(secrets) == 2
    for secret in secrets:
        assert all(secret not in done.stdout + done.stderr for done in said)
        files = [path for path in terminal.work.parent.rglob("*") if path.is_file()]
        assert [path.name for path in files if secret in path.read_text(encoding="utf-8")] == [".env"]


def test_a_project_without_env_file_is_told_to_export_the_key(terminal):
    done = terminal.bake(env_file="no")
    assert not (terminal.work / "my_claude_app" / ".env").exists()
    assert "export ANTHROPIC_API_KEY=" in done.stdout


def test_the_next_steps(terminal):
    done = terminal.bake("--output-dir", "some where")
    steps = re.findall(r"^  (cd .*|make \w+)", done.stdout, re.MULTILINE)
    assert [step.split()[:2] for step in steps[1:]] == [["make", "run"], ["make", "test"]]
    assert terminal.run(f"{steps[0]} && pwd").stdout == f"{terminal.work / 'some where' / 'my_claude_app'}\n"
    assert "put the key into .env: ANTHROPIC_API_KEY=" in done.stdout
    assert "To have git check each commit: git init && make hooks\n" in done.stdout


def test_the_readme_shows_what_the_terminal_asks_and_says(terminal):
    """Each question is answered with Enter, in a terminal of 80 columns."""
    script(terminal.bin / "uv")
    environ = {"PATH": terminal.bin, "HOME": terminal.home, "TMPDIR": terminal.tmp, "TERM": "dumb", "NO_COLOR": "1"}
    ours, theirs = pty.openpty()
    command = ["/bin/sh", "-c", f"cookiecutter {shlex.quote(str(TEMPLATE))}"]
    process = subprocess.Popen(command, cwd=terminal.work, env=environ, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    said = b""
    with open(ours, "r+b", buffering=0) as screen, suppress(OSError):  # as Linux says that the other end is closed
        while piece := screen.read(4096):
            said += piece
            if said.endswith(b"): "):
                screen.write(b"\n")
    assert process.wait() == 0
    lines = [line.rstrip() for line in said.decode().strip("\r\n").splitlines()]
    shown = re.search(r"```text\n(  \[1/.*?)\n```", (TEMPLATE / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert shown, "\n".join(lines)
    assert shown[1].splitlines() == lines


def test_inside_another_project_what_does_not_work_is_said_with_what_to_do(terminal):
    (terminal.work / ".git").mkdir()
    (terminal.work / "pyproject.toml").write_text('[tool.uv.workspace]\nmembers = ["packages/*"]\n')
    done = terminal.bake("--output-dir", "packages")
    assert "git init" not in done.stdout
    assert "have its own hooks run `make -C packages/my_claude_app lint`" in done.stdout
    assert "move packages/my_claude_app/.github/ there" in done.stdout
    assert f'{terminal.work}/pyproject.toml has a uv workspace: if "packages/my_claude_app" is in' in done.stdout


def test_at_the_root_of_a_repository_nothing_is_said_of_one(tmp_path):
    (tmp_path / ".git").write_text("gitdir: ../elsewhere\n")  # as in a worktree
    project = str(tmp_path)
    assert post_gen.repository_notes(project, post_gen.repository_of(project), on_github=True) == []


def test_in_a_workspace_of_uv_the_lock_stays_in_the_project(bake, tmp_path):
    (tmp_path / "pyproject.toml").write_text('[tool.uv.workspace]\nmembers = ["packages/*"]\n')
    project = tmp_path / "packages" / "my_claude_app"
    project.mkdir(parents=True)
    text = (bake() / "pyproject.toml").read_text(encoding="utf-8")
    without_packages = re.sub(r"^(dependencies|dev) = \[.*?^\]", r"\1 = []", text, flags=re.DOTALL | re.MULTILINE)
    (project / "pyproject.toml").write_text(without_packages, encoding="utf-8")
    subprocess.run([find_uv_bin(), "lock", "--quiet", "--offline", "--python", sys.executable], cwd=project, check=True)
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("uv.lock")] == [
        "packages/my_claude_app/uv.lock"
    ]


def test_cruft_gets_only_what_the_template_renders(tmp_path):
    """It compares renderings with the project: a secret in one would be shown, and two secrets would be a conflict."""
    context = rendering_context({})
    context["cookiecutter"]["_commit"] = "0123abc"
    environment = StrictEnvironment(context=context, **CONFIG["_jinja2_env_vars"])
    hook = (TEMPLATE / "hooks" / "post_gen_project.py").read_text(encoding="utf-8")
    (tmp_path / ".env.example").write_text("SECRET_KEY=\n")
    script(tmp_path / "uv", "open('uv.lock', 'w').close()")
    command = [sys.executable, "-c", environment.from_string(hook).render(**context)]
    subprocess.run(command, cwd=tmp_path, env={"PATH": str(tmp_path)}, capture_output=True, check=True)
    assert sorted(os.listdir(tmp_path)) == [".env.example", "uv"]


def test_without_uv_nothing_is_locked_and_that_is_said(terminal):
    done = terminal.bake()
    assert done.returncode == 0
    assert "uv.lock was not written: uv is not on PATH; `make setup` fetches uv" in done.stdout


def test_uv_locks_in_the_project_and_nothing_is_said(terminal):
    script(terminal.bin / "uv", "import sys", "open('uv.lock', 'w').write(' '.join(sys.argv[1:]))", "print('noise')")
    done = terminal.bake()
    assert (terminal.work / "my_claude_app" / "uv.lock").read_text() == "lock --quiet --no-python-downloads"
    assert "uv.lock" not in done.stdout
    assert "noise" not in done.stdout


def test_uv_that_fails_is_quoted_and_the_project_stays(terminal):
    script(terminal.bin / "uv", "import sys", "sys.exit('\\nerror: Request failed\\n  cause: dns error')")
    done = terminal.bake()
    assert done.returncode == 0
    assert "uv.lock was not written: Request failed; run `uv lock` when online." in done.stdout
    assert (terminal.work / "my_claude_app" / "manage.py").exists()


def test_uv_that_is_broken_stops_nothing(terminal):
    (terminal.bin / "uv").write_text("#!/nowhere\n")
    (terminal.bin / "uv").chmod(0o755)
    done = terminal.bake()
    assert done.returncode == 0
    assert "uv.lock was not written: uv did not start" in done.stdout


def test_a_project_for_pip_is_not_locked(terminal):
    script(terminal.bin / "uv", "open('uv.lock', 'w').close()")
    done = terminal.bake(package_manager="pip")
    assert "uv.lock" not in done.stdout
    assert not (terminal.work / "my_claude_app" / "uv.lock").exists()


def test_rendering_again_keeps_what_the_team_made(terminal):
    """Its secret, and folders that it left empty, git's own among them."""
    project = terminal.work / "my_claude_app"
    (project / ".git" / "refs").mkdir(parents=True)
    (project / "media").mkdir()
    (project / ".env").write_text("SECRET_KEY=ours\n")
    done = terminal.bake("--overwrite-if-exists", ci="none", client_wrapper="no")
    assert ".env was there already" in done.stdout
    assert (project / ".env").read_text() == "SECRET_KEY=ours\n"
    empty = [path.relative_to(project) for path in project.rglob("*") if path.is_dir() and not os.listdir(path)]
    assert sorted(map(str, empty)) == [".git/refs", "media"]


def test_the_secret_goes_where_the_example_leaves_room():
    example = "# SECRET_KEY= is secret\nSECRET_KEY=\nDEBUG=true\n"
    assert post_gen.with_secret(example, "s3") == "# SECRET_KEY= is secret\nSECRET_KEY=s3\nDEBUG=true\n"


def test_only_folders_that_may_stay_empty_are_looked_at():
    """Those of the template, in which every file depends on an answer; inner ones first."""

    def may_stay_empty(folder):
        return all(
            may_stay_empty(path) if path.is_dir() else path.name.startswith("{% if ")
            for path in folder.iterdir()
            if path.name != "__pycache__"
        )

    folders = [path for path in PROJECT_SOURCE.rglob("*") if path.is_dir() and path.name != "__pycache__"]
    expected = {path.relative_to(PROJECT_SOURCE).as_posix() for path in folders if may_stay_empty(path)}
    assert set(post_gen.MAY_STAY_EMPTY) == expected
    assert list(post_gen.MAY_STAY_EMPTY) == sorted(expected, reverse=True)


def test_uv_that_takes_too_long_is_given_up(tmp_path, monkeypatch):
    script(tmp_path / "uv", "import time", "time.sleep(60)")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "uv took longer than 0.2 seconds" in post_gen.lock(timeout=0.2)


@pytest.mark.parametrize(
    ("start", "way"), [("/a", "b/c"), ("/a/b/c", "."), ("/elsewhere", "/a/b/c"), ("", "/a/b/c"), (None, "/a/b/c")]
)
def test_the_way_to_the_project(start, way, tmp_path):
    project = tmp_path / "a/b/c"
    project.mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    start = start and f"{tmp_path}{start}"
    expected = f"{tmp_path}{way}" if way.startswith("/") else way
    assert post_gen.way_to(str(project), start) == expected
