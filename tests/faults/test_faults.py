"""Every way a call can fail, in every variant under its production server. `make faults` prints the matrix."""

import ast
from pathlib import Path

import pytest

from bakery import name_of
from claude_server import script
from faults.causes import ATTEMPTS, CAUSES, REFUSALS, RESTART, ROWS
from faults.matrix import VARIANTS, run_variant
from faults.mutants import Mutant, mutants
from faults.mutate import ANSWERS, MODULE, wrong_cell
from faults.report import wrong
from workplace import workplace


@pytest.mark.parametrize("answers", VARIANTS, ids=name_of)
def test_every_failure_reads_as_the_table_says_and_nothing_leaks(answers, production, tmp_path):
    outcome = run_variant(production, answers, tmp_path)
    assert list(wrong([*outcome.cells, *outcome.kept])) == []


def test_a_broken_line_is_named_by_its_cell(production, bake, tmp_path):
    source = (bake(**ANSWERS) / MODULE).read_text(encoding="utf-8")
    broken = source.replace('"402": "credit"', '"402": "busy"')
    assert broken != source
    cell = wrong_cell(production, Mutant("a proxy's 402 is taken for another error", broken), tmp_path)
    assert cell == "402 of a proxy [streaming+wrapper, json]"


def test_the_matrix_has_every_row_of_the_projects_table(bake):
    tree = ast.parse((bake(**ANSWERS) / MODULE).read_text(encoding="utf-8"))
    (table,) = (
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["TABLE"]
    )
    rows = {cause.row for cause in [*CAUSES, RESTART]}
    assert (
        {key.value for key in table.keys} == set(ROWS) == rows | {"unexpected"}
    )  # nothing that the API sends is our bug


def test_the_matrix_has_every_fault_that_the_stand_in_can_make():
    steps = {type(cause.step) for cause in CAUSES} | {type(retried.step) for retried in ATTEMPTS}
    harmless = {script.Answer, script.Refusal, script.Expired, script.Canceled}  # the last two of batches
    assert set(script.STEPS.values()) - harmless <= steps


def test_the_commands_work_in_a_folder_named_from_where_they_are_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with workplace(Path("here")) as (production, folder):
        assert folder == tmp_path / "here/served"
        assert production.folder == tmp_path / "here/production"


def test_no_two_rows_of_the_matrix_have_the_same_name():
    for rows in ([*CAUSES, RESTART, *REFUSALS], ATTEMPTS):
        names = [row.name for row in rows]
        assert len(set(names)) == len(names)


def test_each_mutant_has_one_small_fault():
    source = "def smaller(a):\n    return a < 1"
    assert [mutant.source for mutant in mutants(source)] == [
        "def smaller(a):\n    return",
        "def smaller(a):\n    return a <= 1",
        "def smaller(a):\n    return a < 2",
    ]
