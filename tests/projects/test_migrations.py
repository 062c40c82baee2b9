"""A database of the last release is brought to the migrations of today, with rows in every table: none is lost."""

import json
from contextlib import nullcontext

import pytest

import rows
from bakery import TEMPLATE, choices
from environments import find_python, run
from postgres_server import postgresql
from surface import released

RELEASED = [key.split()[1] for key in released() if key.startswith("migration")]


@pytest.mark.parametrize("database", choices("database"))
def test_every_row_of_a_released_database_is_kept(bake, environment, tmp_path, database):
    project = bake(database=database)
    clean = environment(project, find_python("oldest"))
    with postgresql() if database == "postgresql" else nullcontext() as server:
        variables = {
            "DEBUG": "true",
            "PYTHONDONTWRITEBYTECODE": "1",
            "DATABASE_PATH": str(tmp_path / "db.sqlite3"),
            "DATABASE_URL": server.create("released") if server else "",
        }

        def rows_now(*arguments):
            said = run(["python", TEMPLATE / "tests/support/rows.py", *arguments], project, clean, **variables)
            return json.loads(said.splitlines()[-1])

        before = rows_now("fill", *last_of_each_app())
        assert [table for table, found in before.items() if not found] == []
        run(["python", "manage.py", "migrate"], project, clean, **variables)
        assert rows.changed_rows(before, rows_now()) == []


def last_of_each_app():
    last = {name.split("/")[0]: name for name in sorted(RELEASED)}
    return last.values()


def test_a_row_that_is_gone_or_changed_is_noticed():
    before = {"books": [{"id": "1", "title": "Emma"}, {"id": "2", "title": "Persuasion"}]}
    more = [{"id": "1", "title": "Emma", "shelf": ""}, {"id": "2", "title": "Persuasion", "shelf": ""}]
    assert rows.changed_rows(before, {"books": [*more, {"id": "3", "title": "", "shelf": ""}], "new": []}) == []
    assert rows.changed_rows(before, {"books": more[:1]}) == ["books"]
    assert rows.changed_rows(before, {"books": [*more[:1], {"id": "2", "title": "", "shelf": ""}]}) == ["books"]
    assert rows.changed_rows(before, {}) == ["books", "books"]
