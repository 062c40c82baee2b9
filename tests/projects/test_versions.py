"""The versions that dependencies may have: those that a project declares, and the newest ones for these tests."""

import re
import shutil
import sys
from pathlib import Path

import pytest
from uv import find_uv_bin

from bakery import PAIRS, TEMPLATE, choices, name_of
from environments import declared_dependencies, find_python, run

MOST_DEPENDENCIES = {"nginx": False, "database": "postgresql", "sentry": True}


@pytest.mark.parametrize("answers", PAIRS, ids=name_of)
def test_every_dependency_has_a_lower_bound_and_no_upper_one(bake, answers):
    for dependency in declared_dependencies(bake(**answers)):
        assert re.fullmatch(r"[a-z0-9-]+(\[[a-z,]+\])?>=\d+(\.\d+)+", dependency)


@pytest.mark.parametrize("view_style", choices("view_style"))
def test_every_package_manager_gets_the_same_dependencies(bake, view_style):
    answers = {"view_style": view_style, **MOST_DEPENDENCIES}
    projects = [bake(**answers, package_manager=name) for name in choices("package_manager")]
    assert len({tuple(declared_dependencies(project)) for project in projects}) == 1


SOME_TESTS = {"PYTEST_ADDOPTS": "-k 'test_ask or test_client or test_sentry'"}
"""Every file of tests is loaded, and what these hold is run."""


@pytest.mark.long
@pytest.mark.parametrize("view_style", choices("view_style"))
def test_a_project_passes_its_checks_with_the_lowest_versions_that_it_declares(bake_copy, environment, view_style):
    """All of them in async. The others declare one more package, their server."""
    project = bake_copy(view_style=view_style, **MOST_DEPENDENCIES)
    lowest = environment(project, find_python("oldest"), "lowest-direct")
    said = run(["python", "-m", "django", "--version"], project, lowest).strip()
    assert f"django>={said}" in declared_dependencies(project)
    make = ["make", f"VENV={lowest}", f"--old-file={lowest}/.ready"]
    if view_style == "async":
        run([*make, "lint", "check", "test"], project, lowest)
    else:
        run([*make, "check", "test"], project, lowest, **SOME_TESTS)


def test_make_newest_runs_the_tests_with_versions_that_the_lock_file_does_not_have(tmp_path):
    """On a repository with one tool and one test. The lock file stays as it was."""
    shutil.copy2(TEMPLATE / "Makefile", tmp_path)
    (tmp_path / "pyproject.toml").write_text(ONE_TOOL, encoding="utf-8")
    run([find_uv_bin(), "lock", "--quiet", "--upgrade-package", "idna==3.10"], tmp_path)
    locked = (tmp_path / "uv.lock").read_bytes()
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_tool.py").write_text(ONE_TEST, encoding="utf-8")

    environment = Path(sys.prefix)
    command = ["make", f"BIN={environment / 'bin'}", "--old-file=.venv/.synced", "newest"]
    assert "1 passed" in run(command, tmp_path)

    assert (tmp_path / "uv.lock").read_bytes() == locked


ONE_TOOL = """
[project]
name = "tests-of-one-tool"
version = "0"
requires-python = ">=3.11"

[dependency-groups]
dev = ["idna", "pytest", "pytest-xdist"]

[tool.uv]
package = false
"""
ONE_TEST = """
from importlib.metadata import version


def test_the_tool_is_newer_than_the_locked_one():
    assert version("idna") != "3.10"
"""
