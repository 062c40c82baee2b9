"""The browser tests that a project keeps pass, for async and sync views. `make e2e` itself is typed elsewhere."""

import pytest

from bakery import name_of
from browser import find_chromium
from environments import declared_dependencies, find_python, run, uv
from production import by_turns


@pytest.mark.parametrize("answers", by_turns("async", "sync"), ids=name_of)
def test_the_browser_tests_of_a_project_pass(bake_copy, environment, tmp_path, answers):
    find_chromium()
    project = bake_copy(**answers)
    clean = environment(project, find_python("oldest"))
    # Beside the environment, which others share.
    place = ["--python", clean / "bin" / "python", "--target", tmp_path / "tools"]
    tools = set(declared_dependencies(project, ["e2e"])).difference(declared_dependencies(project, []))
    uv(["pip", "install", *place, *tools])
    said = run(["python", "-m", "pytest", "-q", "e2e"], project, clean, PYTHONPATH=str(tmp_path / "tools"))
    assert "5 passed" in said
