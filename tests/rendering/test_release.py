"""`make release` in a clone with a changelog of its own: what it does, and what it refuses in one sentence."""

import os
import re
import runpy
import shutil
import subprocess
import sys

import pytest
import yaml

from bakery import TEMPLATE

PROJECT = "{{cookiecutter.project_slug}}"
COPIED = ["release.py", "pyproject.toml", "uv.lock", "cookiecutter.json", "tests/support", PROJECT]
CHANGELOG = """# Changelog

## [Unreleased]

### Added

- `PORT`

## [1.2.0] - 2026-01-02

[Unreleased]: ../../compare/v1.2.0...HEAD
[1.2.0]: ../../tree/v1.2.0
"""


@pytest.fixture
def clone(tmp_path):
    for name in COPIED:
        source, target = TEMPLATE / name, tmp_path / name
        target.parent.mkdir(exist_ok=True)
        ignored = shutil.ignore_patterns("__pycache__")
        if source.is_dir():
            shutil.copytree(source, target, ignore=ignored)
        else:
            shutil.copy(source, target)
    (tmp_path / "templates").mkdir()
    (tmp_path / "tests" / "rendering").mkdir()
    (tmp_path / "tests" / "rendering" / "surface.yml").write_text("{}\n", encoding="utf-8")
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG, encoding="utf-8")
    for name in ("pyproject.toml", "uv.lock"):
        text = (tmp_path / name).read_text(encoding="utf-8")
        own = r'(name = "cookiecutter-django-claude"\nversion = )"[\d.]+"'
        (tmp_path / name).write_text(re.sub(own, r'\1"1.2.0"', text), encoding="utf-8")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "--quiet", "--message", "first")
    return tmp_path


IDENTITY = {f"GIT_{role}_{what}": "ada@example.com" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


def git(clone, *arguments):
    environ = {"PATH": os.environ["PATH"], "HOME": str(clone), **IDENTITY}
    return subprocess.run(
        ["git", *arguments], cwd=clone, env=environ, capture_output=True, text=True, check=True
    ).stdout


def release(clone, *version):
    return subprocess.run(
        [sys.executable, "-B", "release.py", *version],
        cwd=clone,
        env={"PATH": os.environ["PATH"], "HOME": str(clone), "PYTHONPATH": "tests/support", **IDENTITY},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_release_is_written_down_committed_and_tagged(clone):
    done = release(clone, "1.3.0")
    assert done.returncode == 0, done.stderr
    assert "git push origin HEAD v1.3.0" in done.stdout
    changelog = (clone / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(r"## \[Unreleased\]\n\n## \[1\.3\.0\] - \d{4}-\d\d-\d\d\n\n### Added\n\n- `PORT`\n", changelog)
    assert changelog.endswith(
        "[Unreleased]: ../../compare/v1.3.0...HEAD\n[1.3.0]: ../../tree/v1.3.0\n[1.2.0]: ../../tree/v1.2.0\n"
    )
    assert 'version = "1.3.0"' in (clone / "pyproject.toml").read_text(encoding="utf-8")
    package = 'name = "cookiecutter-django-claude"\nversion = "1.3.0"\n'
    assert package in (clone / "uv.lock").read_text(encoding="utf-8")
    snapshot = yaml.safe_load((clone / "tests" / "rendering" / "surface.yml").read_text(encoding="utf-8"))
    assert "setting ANTHROPIC_API_KEY" in snapshot
    assert git(clone, "status", "--porcelain") == ""
    assert git(clone, "describe").strip() == "v1.3.0"
    # At once again: nothing is new.
    assert "nothing under Unreleased" in release(clone, "1.4.0").stderr


def dirty(clone):
    (clone / "new.txt").touch()


def tagged(clone):
    git(clone, "tag", "v1.3.0")


def breaking(clone):
    (clone / "CHANGELOG.md").write_text(CHANGELOG.replace("- `PORT`", "- **Breaking:** `PORT`"), encoding="utf-8")
    git(clone, "commit", "--quiet", "--all", "--message", "break")


@pytest.mark.parametrize(
    ("version", "sentence"),
    [
        ("", "Say which version: make release VERSION=0.4.0"),
        ("1.3", "1.3 is no version: give three numbers, such as 0.4.0."),
        ("v1.3.0", "v1.3.0 is no version: give three numbers, such as 0.4.0."),
        ("1.3.0-rc1", "1.3.0-rc1 is no version: give three numbers, such as 0.4.0."),
        ("1.03.0", "1.03.0 is no version: give three numbers, such as 0.4.0."),
        ("1.3.0 now", "1.3.0 now is no version: give three numbers, such as 0.4.0."),
        ("1.2.0", "1.2.0 is not above 1.2.0, the last version in CHANGELOG.md."),
        ("0.10.0", "0.10.0 is not above 1.2.0, the last version in CHANGELOG.md."),
    ],
)
def test_a_version_that_cannot_be_is_refused_in_one_sentence(version, sentence):
    problem = runpy.run_path(str(TEMPLATE / "release.py"))["problem"]
    assert problem(version, "1.2.0", "- news") == sentence


@pytest.mark.parametrize(
    ("before", "sentence"),
    [
        (tagged, "The tag v1.3.0 is there already: choose a higher version, or delete the tag."),
        (dirty, "There are changes that are not committed, see git status: commit them first."),
        (breaking, "CHANGELOG.md names something breaking, so 1.3.0 is too low: raise number 1 of 1.2.0."),
    ],
)
def test_a_clone_that_cannot_be_released_is_left_as_it_is(clone, before, sentence):
    before(clone)
    commit = git(clone, "rev-parse", "HEAD")
    done = release(clone, "1.3.0")
    assert (done.returncode, done.stderr) == (1, sentence + "\n")
    assert git(clone, "rev-parse", "HEAD") == commit
    assert "1.3.0" not in (clone / "CHANGELOG.md").read_text(encoding="utf-8")
