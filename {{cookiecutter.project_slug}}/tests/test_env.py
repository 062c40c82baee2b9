"""How the settings of this machine are read, and what is said of those that cannot be."""

import pytest
from decouple import Config, RepositoryEmpty
from django.core.exceptions import ImproperlyConfigured

from config import env


@pytest.fixture
def read(monkeypatch):
    """Reads a setting as config.settings does, which the tests else do not: see tests/settings.py."""
    monkeypatch.setattr(env, "values", Config(RepositoryEmpty()))
    return env.config


@pytest.mark.parametrize(("cast", "default"), [(str, "text"), (int, 7), (float, 0.5), (bool, True)])
@pytest.mark.parametrize("empty", ["", " ", "\n"])
def test_an_empty_setting_is_its_default(read, monkeypatch, cast, default, empty):
    monkeypatch.setenv("SETTING", empty)
    assert read("SETTING", default=default, cast=cast) == default


@pytest.mark.parametrize(
    ("cast", "value", "takes"),
    [
        (bool, "release", "true or false"),
        (bool, "'true'", "true or false"),
        (int, "many", "a whole number"),
        (int, "1.5", "a whole number"),
        (int, "9" * 5000, "a whole number"),
        (float, "60s", "a number"),
        (env.csv, '"', "names separated by commas"),
    ],
)
def test_a_value_of_the_wrong_kind_is_named_with_what_the_setting_takes(read, monkeypatch, cast, value, takes):
    monkeypatch.setenv("SETTING", value)
    with pytest.raises(ImproperlyConfigured, match=r"^SETTING is ") as caught:
        read("SETTING", default="", cast=cast)
    assert str(caught.value).endswith(f": it takes {takes}.")
    assert len(str(caught.value)) < 100


def test_white_space_around_a_setting_is_left_out(read, monkeypatch):
    monkeypatch.setenv("SETTING", " claude-test-model\r\n")
    assert read("SETTING", default="") == "claude-test-model"


def test_a_setting_that_is_not_utf_8_is_named(read, monkeypatch):
    monkeypatch.setenv("SETTING", "caf\udce9")
    with pytest.raises(ImproperlyConfigured, match=r"^SETTING is not text in UTF-8"):
        read("SETTING", default="")


@pytest.mark.parametrize(
    ("value", "default", "word"),
    [
        ("", "medium", "medium"),
        ("", "", ""),
        (" High\n", "medium", "high"),
        ("default", "medium", ""),
        ("Default", "", ""),
        ("hgih", "medium", "hgih"),  # which `manage.py check` names
    ],
)
def test_a_choice_is_a_word_in_any_case_and_may_be_none(read, monkeypatch, value, default, word):
    monkeypatch.setenv("CLAUDE_EFFORT", value)
    assert read("CLAUDE_EFFORT", default=default, cast=env.choice) == word


@pytest.mark.parametrize("zone", ["Mars/Olympus", "Europe", "europe/paris", "../UTC", "localtime", "Factory"])
def test_a_time_zone_that_is_none_is_named(read, monkeypatch, zone):
    monkeypatch.setenv("TIME_ZONE", zone)
    with pytest.raises(ImproperlyConfigured, match=r"^TIME_ZONE is .* such as Europe/Paris\.$"):
        read("TIME_ZONE", default="UTC", cast=env.time_zone)


@pytest.mark.parametrize(("zone", "used"), [("", "UTC"), ("Europe/Paris", "Europe/Paris")])
def test_a_time_zone_is_one_that_the_machine_knows(read, monkeypatch, zone, used):
    monkeypatch.setenv("TIME_ZONE", zone)
    assert read("TIME_ZONE", default="UTC", cast=env.time_zone) == used


@pytest.mark.parametrize("path", [".", "config", "config/", "/"])
def test_a_folder_in_the_place_of_a_file_is_named(read, monkeypatch, path):
    monkeypatch.setenv("DATABASE_PATH", path)
    with pytest.raises(ImproperlyConfigured, match=r"^DATABASE_PATH is .* the path of a file, not of a folder\.$"):
        read("DATABASE_PATH", default="db.sqlite3", cast=env.file_path)


@pytest.mark.parametrize("path", ["", "db.sqlite3", "/gone/db.sqlite3", "a" * 300])
def test_the_path_of_a_file_begins_in_the_folder_of_the_project(read, monkeypatch, settings, path):
    monkeypatch.setenv("DATABASE_PATH", path)
    found = read("DATABASE_PATH", default="db.sqlite3", cast=env.file_path)
    assert found == settings.BASE_DIR / (path or "db.sqlite3")
