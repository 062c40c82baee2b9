"""`make coverage` calls a line unrun when no project runs it; what it reads is a report of the real coverage.py."""

import pytest

from environments import find_python
from unrun_lines import measure, merged, report

PROJECT = """
[tool.coverage.run]
source = ["app"]
[tool.coverage.report]
fail_under = {gate}
"""
FIRST = """
def twice(number):
    if number:
        return 2
    return 0

def never():
    return 0
"""
SECOND = """
import sys

def twice(number):
    if number:
        return 2
    sys.exit()
"""


@pytest.fixture
def project_of(tmp_path):
    def project(name, code, test, gate=0):
        folder = tmp_path / name
        (folder / "app").mkdir(parents=True)
        (folder / "pyproject.toml").write_text(PROJECT.format(gate=gate), encoding="utf-8")
        (folder / "app/code.py").write_text(code.lstrip(), encoding="utf-8")
        (folder / "test_code.py").write_text(f"from app import code\ndef test():\n    {test}\n", encoding="utf-8")
        return folder

    return project


@pytest.fixture
def tools(bake, environment):
    """An environment that has coverage.py and pytest, as rendered projects declare them."""
    return environment(bake(), find_python("oldest"))


def test_a_line_is_run_when_any_project_runs_it(project_of, tools):
    projects = [project_of("one", FIRST, "code.twice(0)"), project_of("two", SECOND, "code.twice(1)")]
    assert [measure(project, tools) for project in projects] == ["66.7", "80.0"]
    assert report(merged(projects)).splitlines() == [
        "app/code.py",
        "    never: return 0",
        "    twice: sys.exit()",
        "75.00% of 8 lines were run",
    ]
    # Each of them alone has more to say: the one did not return 2.
    assert "    twice: return 2" in report(merged(projects[:1]))
    assert "    twice: return 2" not in report(merged(projects[1:]))


def test_a_project_below_its_own_gate_is_an_error(project_of, tools):
    with pytest.raises(AssertionError, match=r"66\.7"):
        measure(project_of("one", FIRST, "code.twice(0)", gate=70), tools)
