"""What is spent is what the ledger says, in whatever order calls begin, go on, fail, end and die."""

import pytest

from environments import find_python
from spending_machine import prove


@pytest.mark.parametrize("view_style", ["streaming", "async"])
def test_the_ledger_is_what_was_spent_and_nobody_spends_more_than_they_may(bake, environment, tmp_path, view_style):
    baked = bake(view_style=view_style)
    counts = prove(baked, environment(baked, find_python("oldest")), tmp_path, examples=40)
    assert counts["begun 200"] > 100
    assert min(counts[f"refused {status}"] for status in (402, 429, 503)) > 0
