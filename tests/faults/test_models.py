"""What the offered models answer reads, is logged and is paid as the table says. `make models` prints all of it."""

import pytest

from bakery import choices
from faults.model_cases import CASES, MODELS
from faults.models import run_model

# One that does not think by itself and one that does, each in another view style.
SAMPLE = {"claude-sonnet-4-6": "streaming", "claude-opus-5-5": "async"}


@pytest.mark.parametrize("name", SAMPLE)
def test_an_answer_of_a_model_is_read_logged_and_paid_as_the_table_says(production, tmp_path, name):
    (model,) = (model for model in MODELS if model.name == name)
    cells = run_model(production, model, tmp_path, SAMPLE[name])
    assert len(cells) == sum(1 if case.schema else 3 for case in CASES)
    assert [f"{cell.name}: {problem}" for cell in cells for problem in cell.problems] == []


def test_the_table_has_every_model_that_the_template_offers():
    assert [model.name for model in MODELS] == choices("claude_model")
