"""How the settings of this machine are read, and what is said of those that cannot be."""

import pytest
from decouple import Config{{ "" if cookiecutter.env_file else ", RepositoryEmpty" }}
from django.core.exceptions import ImproperlyConfigured

from config import env


@pytest.fixture
def read(monkeypatch{{ ", tmp_path" if cookiecutter.env_file }}):
    """Reads a setting from the process environment{{ " and .env" if cookiecutter.env_file }}, as config.settings does."""
# % if cookiecutter.env_file
    monkeypatch.setattr(env, "values", Config(env.EnvFile(tmp_path / ".env")))
# % else
    monkeypatch.setattr(env, "values", Config(RepositoryEmpty()))
# % endif
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
    with pytest.raises(ImproperlyConfigured, match="^SETTING is ") as caught:
        read("SETTING", default="", cast=cast)
    assert str(caught.value).endswith(f": it takes {takes}.")
    assert len(str(caught.value)) < 100


def test_white_space_around_a_setting_is_left_out(read, monkeypatch):
    monkeypatch.setenv("SETTING", " claude-test-model\r\n")
    assert read("SETTING", default="") == "claude-test-model"


def test_a_setting_that_is_not_utf_8_is_named(read, monkeypatch):
    monkeypatch.setenv("SETTING", "caf\udce9")
    with pytest.raises(ImproperlyConfigured, match="^SETTING is not text in UTF-8"):
        read("SETTING", default="")


# % if cookiecutter.env_file
@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("SETTING=a value", "a value"),
        ("  SETTING = a value  ", "a value"),
        ("export SETTING=a", "a"),
        ("SETTING=a # comment", "a"),
        ("SETTING=a#b", "a#b"),
        ("SETTING=#b", "#b"),
        ("SETTING= # comment", "default"),
        ("SETTING=", "default"),
        ('SETTING=""', "default"),
        ('SETTING="a # b"', "a # b"),
        ("SETTING='a' # it's \"b\"", "a"),
        ('SETTING="it\'s"', "it's"),
        ("SETTING=it's", "it's"),
        ("SETTING=a=b", "a=b"),
        ("SETTING=a\\nb$c", "a\\nb$c"),
        ("# SETTING=a", "default"),
        ("\ufeffSETTING=a", "a"),
        ("OTHER=b\r\nSETTING=a\r\n", "a"),
        ("OTHER=b\rSETTING=a", "a"),
        ("OTHER=\u2028\nSETTING=\u00e9", "\u00e9"),
    ],
)
def test_a_line_of_env_is_read(read, tmp_path, line, value):
    (tmp_path / ".env").write_bytes(line.encode())
    assert read("SETTING", default="default") == value


@pytest.mark.parametrize(
    "line",
    [
        "SETTING: a",
        "SETTING",
        "export SETTING",
        "set SETTING=a",
        "- SETTING=a",
        "=a",
        "1SETTING=a",
        "SET-TING=a",
        "\ufeffSETTING=a",
        'SETTING="two',
        'SETTING="a" b',
        'SETTING="a"b"',
        'SETTING="a"#b',
        "SETTING='",
        "OTHER=again",
    ],
)
def test_a_line_of_env_that_cannot_be_read_is_said(read, tmp_path, line):
    (tmp_path / ".env").write_text(f"OTHER=b\n\n{line}\nMORE=c\n", encoding="utf-8")
    with pytest.raises(ImproperlyConfigured, match=r"\.env, line 3: ") as caught:
        read("SETTING", default="")
    assert "=a" not in str(caught.value)


def test_env_that_cannot_be_read_is_said(read, tmp_path):
    path = tmp_path / ".env"
    for text in ["SETTING=a".encode("utf-16"), b"SETTING=\xff"]:
        path.write_bytes(text)
        with pytest.raises(ImproperlyConfigured, match=r"\.env is not text in UTF-8"):
            read("SETTING", default="")
    path.write_bytes("SETTING=a".encode("utf-16-le"))
    with pytest.raises(ImproperlyConfigured, match=r"\.env, line 1"):
        read("SETTING", default="")
    path.unlink()
    path.symlink_to("gone")
    with pytest.raises(ImproperlyConfigured, match=r"\.env cannot be read: No such file"):
        read("SETTING", default="")
    path.unlink()
    path.mkdir()
    with pytest.raises(ImproperlyConfigured, match=r"\.env cannot be read: Is a directory"):
        read("SETTING", default="")


def test_the_process_environment_wins_over_env(read, tmp_path, monkeypatch):
    (tmp_path / ".env").write_text("SETTING=file", encoding="utf-8")
    assert read("SETTING", default="default") == "file"
    monkeypatch.setenv("SETTING", "process")
    assert read("SETTING", default="default") == "process"
    monkeypatch.setenv("SETTING", "")
    assert read("SETTING", default="default") == "default"
# % endif
