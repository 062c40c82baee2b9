"""The changelog has what is new in its owner's words, and a line for each name that came, went or changed."""

import re
import tomllib

import pytest

from bakery import TEMPLATE
from documents import text_of
from surface import changed, released, surface

BEFORE, NOW = released(), surface()


def test_every_kind_of_name_is_read():
    assert {key.split()[0] for key in NOW} == {"option", "setting", "endpoint", "migration"}
    assert {"option nginx", "setting PORT", "endpoint /chat/ask/", "migration usage/0001_initial"} <= NOW.keys()


@pytest.mark.parametrize("key", changed(BEFORE, NOW))
def test_what_has_changed_since_the_last_release_has_its_line(key):
    unreleased = text_of("CHANGELOG.md").split("## [Unreleased]")[1].split("\n## ")[0]
    assert f"`{key.split()[1]}`" in unreleased, f"say in CHANGELOG.md what is new about {key}"


def test_a_released_migration_stays_as_it_is():
    """A database that has it would never get what was changed in it."""
    assert [key for key in changed(BEFORE, NOW) if key.startswith("migration") and key in BEFORE] == []


def test_the_versions_follow_each_other_and_have_their_links():
    text = text_of("CHANGELOG.md")
    versions = re.findall(r"^## \[(\d+\.\d+\.\d+)\] - \d{4}-\d{2}-\d{2}$", text, re.MULTILINE)
    assert versions == sorted(versions, key=lambda version: [*map(int, version.split("."))], reverse=True)
    assert re.findall(r"^## \[(.+?)\]", text, re.MULTILINE) == ["Unreleased", *versions]
    assert re.findall(r"^\[(.+?)\]: \S+$", text, re.MULTILINE) == ["Unreleased", *versions]
    project = tomllib.loads((TEMPLATE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == versions[0]
