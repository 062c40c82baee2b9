"""The template stays readable before it is rendered: few control tags, and in no file many."""

from control_tags import counted, per_thousand_lines

MOST_PER_THOUSAND_LINES = 25
MOST_IN_ONE_FILE = 20


def test_a_thousand_lines_have_few_control_tags():
    assert per_thousand_lines(counted()) <= MOST_PER_THOUSAND_LINES


def test_no_file_has_many():
    """But the README, which tells each team of its own project only."""
    many = {file.name: file.tags for file in counted() if file.tags > MOST_IN_ONE_FILE}
    assert {name for name in many if not name.endswith("/README.md")} == set()
