"""Every variant as rendered: exactly the files it should have, well-formed, clean, without a trace of the template."""

import ast
import json
import re
import runpy
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from django.template import Engine

from bakery import OPTIONS, PAIRS, VARIANTS, choices, files_of, name_of

FILES = yaml.safe_load(Path(__file__).with_name("files.yml").read_text(encoding="utf-8"))
TEXT_TYPES = {".py", ".toml", ".yml", ".yaml", ".json", ".html", ".js", ".css", ".md", ".txt", ".conf", ".svg"}


@pytest.fixture(params=[*VARIANTS, *PAIRS], ids=name_of)
def answers(request):
    return request.param


@pytest.fixture
def project(bake, answers):
    return bake(**answers)


def texts_of(project, *suffixes):
    """(path, text) of each file with one of these suffixes, or of all files."""
    for path in sorted(project.rglob("*")):
        if path.is_file() and (not suffixes or path.suffix in suffixes):
            yield path, path.read_text(encoding="utf-8")


def expected_files(answers):
    """The list in data/files.yml for these answers, and the defaults for those left open."""
    chosen = {**{option: choices(option)[0] for option in OPTIONS if choices(option)}, **answers}
    return {
        name
        for group in FILES
        if all(chosen[option] in accepted for option, accepted in group.get("when", {}).items())
        for name in group["files"]
    }


def test_the_files_are_exactly_those_listed(project, answers):
    found, expected = files_of(project), expected_files(answers)
    assert {"missing": sorted(expected - found), "not listed": sorted(found - expected)} == {
        "missing": [],
        "not listed": [],
    }


def test_every_listed_group_says_something():
    """A group whose condition never holds, or always does, would be a list that nothing compares."""
    for group in FILES:
        holds = [bool(set(group["files"]) <= expected_files(answers)) for answers in [*VARIANTS, *PAIRS]]
        assert any(holds)
        assert all(holds) == ("when" not in group), group


def test_no_folder_is_empty(project):
    assert [folder for folder in project.rglob("*") if folder.is_dir() and not any(folder.iterdir())] == []


def test_every_file_parses(project):
    engine = Engine(libraries={name: f"django.templatetags.{name}" for name in ("i18n", "static")})
    for path in project.glob("*/templatetags/[a-z]*.py"):
        engine.template_libraries[path.stem] = runpy.run_path(path)["register"]
    parsers = {
        ".py": ast.parse,
        ".toml": tomllib.loads,
        ".yml": yaml.safe_load,
        ".yaml": yaml.safe_load,
        ".json": json.loads,
        ".html": engine.from_string,
    }
    for path, text in texts_of(project, *parsers):
        try:
            parsers[path.suffix](text)
        except Exception as error:
            error.add_note(str(path.relative_to(project)))
            raise


def test_nothing_is_left_of_the_template(project):
    """No expression, no statement, no word of how the project came to be. Django's templates have braces, too."""
    for path, text in texts_of(project):
        name = path.relative_to(project).as_posix()
        assert not re.search(r"[{}%]", name), name
        assert not re.search(r"cookiecutter|this file (was|is) generated", text, re.IGNORECASE), name
        assert not re.search(r"^\s*# %", text, re.MULTILINE), name
        if path.suffix == ".md":  # which may show such a template
            text = re.sub(r"(?ms)^```html\n.*?^```$", "", text)
        if "templates" not in path.relative_to(project).parts:
            assert not re.search(r"\{%|%\}|\{#|#\}", text), name
            assert "{{" not in text.replace("${{", ""), name  # GitHub's expressions are ${{ … }}


def test_every_file_is_tidy(project):
    for path, text in texts_of(project):
        name = path.relative_to(project).as_posix()
        assert "\r" not in text, name
        assert not re.search(r"[ \t]$", text, re.MULTILINE), f"{name}: space at the end of a line"
        assert text == "" or re.search(r"[^\n]\n\Z", text), f"{name}: does not end with one newline"
        assert not text.startswith("\n"), f"{name}: starts with an empty line"
        most = 2 if path.suffix in {".py", ".md"} else 1  # ruff formats the examples of a document, too
        assert "\n" * (most + 2) not in text, f"{name}: more than {most} empty lines together"


def test_its_own_linters_find_nothing(project):
    """By the project's own rules, and before anything mended it."""
    for command in (
        ["ruff", "check", "--no-cache", "."],
        ["ruff", "format", "--no-cache", "--check", "."],
        ["djlint", "--quiet", "--lint", "."],
    ):
        done = subprocess.run(
            [Path(sys.executable).parent / command[0], *command[1:]],
            cwd=project, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr


def test_env_is_private_and_has_a_secret_of_its_own(bake, tmp_path):
    secrets = set()
    for answers in VARIANTS:
        env = bake(**answers) / ".env"
        assert env.exists() == answers["env_file"]
        if answers["env_file"]:
            assert stat.S_IMODE(env.stat().st_mode) == 0o600
            (secret,) = re.findall(r"^SECRET_KEY=(.+)$", env.read_text(encoding="utf-8"), re.MULTILINE)
            assert len(secret.strip("'\"")) >= 50
            secrets.add(secret)
    assert len(secrets) == sum(answers["env_file"] for answers in VARIANTS)


def test_git_ignores_the_secret_and_nothing_else(bake_copy):
    """What is rendered is what a team commits. What tools leave beside .env is none of that."""
    project = bake_copy()
    secrets = [".env", ".env.orig", ".env.rej", ".env~"]
    for name in secrets[1:]:
        (project / name).touch()
    subprocess.run(["git", "init", "--quiet"], cwd=project, check=True)
    ignored = subprocess.run(
        ["git", "ls-files", "--others", "--ignored", "--exclude-standard"],
        cwd=project, capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    assert sorted(ignored) == secrets
