"""What is spent is what the ledger says, in whatever order calls begin, go on, fail, end and die."""

import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from hypothesis.stateful import run_state_machine_as_test

from environments import find_python, run
from spending_machine import SETTINGS, Project, machine_for


@pytest.mark.parametrize("view_style", ["streaming", "async"])
def test_the_ledger_is_what_was_spent_and_nobody_spends_more_than_they_may(bake, environment, tmp_path, view_style):
    baked = bake(view_style=view_style)
    project = Path(shutil.copytree(baked, tmp_path / baked.name))
    interpreter = environment(project, find_python("oldest"))
    run(["python", "manage.py", "migrate", "--verbosity", "0"], project, interpreter, **SETTINGS)
    with Project(project, interpreter) as driven:
        run_state_machine_as_test(machine_for(driven), settings=SOME)
    assert driven.counts["begun 200"] > 200
    assert min(driven.counts[f"refused {status}"] for status in (402, 429, 503)) > 5


SOME = hypothesis_settings(
    max_examples=60,
    stateful_step_count=30,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[*HealthCheck],
)
