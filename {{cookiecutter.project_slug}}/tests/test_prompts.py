"""Prompts by the names of their files, and their versions in the log."""

import pickle

import pytest

from claude import prompts
from tests.asking import ask


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(prompts, "FOLDER", tmp_path)
    prompts.read.cache_clear()
    yield tmp_path
    prompts.read.cache_clear()


@pytest.mark.parametrize("content", [b"hello\n", b"hello\r\n"])
def test_a_prompt_is_the_text_of_its_file_with_the_version_that_git_gives_it(folder, content):
    (folder / "greeting.md").write_bytes(content)
    prompt = prompts.read("greeting")
    assert (prompt, prompt.version) == ("hello", "greeting@ce01362503")  # git hash-object
    assert pickle.loads(pickle.dumps(prompt)).version == prompt.version  # noqa: S301


@pytest.mark.parametrize("name", ["sumary", "../README", ""])
def test_a_name_that_no_file_has_is_answered_with_those_there_are(folder, name):
    (folder / "summary.md").touch()
    (folder / "system.md").touch()
    with pytest.raises(ValueError, match=r"There are: summary, system\.$"):
        prompts.read(name)


def test_what_every_question_is_told_is_the_file_system():
    assert prompts.read("system").version.startswith("system@")
    assert prompts.read("system") is prompts.read("system")


@pytest.mark.parametrize(
    ("told", "version"),
    [
        (prompts.Prompt("Be kind.", "kind@1"), "kind@1"),
        (prompts.Prompt("Answer in {language}.", "language@2").format(language="French"), "language@2"),
        ("Be kind.", None),
        ("", None),
    ],
)
def test_the_log_says_which_version_of_a_prompt_a_call_had(caplog, wire, told, version):
    caplog.set_level("INFO", logger="claude")
    ask(system_prompt=told)
    assert [record.prompt_version for record in caplog.records] == [version]
    assert [block["text"] for block in wire[0]["body"].get("system", [])] == [str(told)] * bool(told)


def test_a_question_without_a_prompt_of_its_own_has_the_version_of_the_settings(caplog, settings):
    settings.CLAUDE_SYSTEM_PROMPT = settings.DEFAULT_SYSTEM_PROMPT
    caplog.set_level("INFO", logger="claude")
    ask()
    assert caplog.records[0].prompt_version == prompts.read("system").version


@pytest.mark.parametrize("system", [None, 1, "text", [1], [{}], [{"text": 1}]])
def test_a_request_of_any_shape_has_a_version_or_none(system):
    assert prompts.version_of({"system": system}) is None
