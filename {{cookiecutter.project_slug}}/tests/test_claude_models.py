"""`manage.py claude_models`, which asks the API what the models of the settings can do."""

import json

import pytest
from django.core.management import CommandError, call_command

from claude.management.commands.claude_models import Command

YES, NO = {"supported": True}, {"supported": False}
# https://platform.claude.com/docs/en/api/models/retrieve
SONNET = {
    "type": "model",
    "id": "claude-sonnet-5-5",
    "display_name": "Claude Sonnet 5.5",
    "created_at": "2026-09-28T00:00:00Z",
    "lifecycle": "active",
    "deprecated_at": None,
    "retires_at": None,
    "line": "sonnet",
    "max_input_tokens": 1_000_000,
    "max_tokens": 128_000,
    "capabilities": {
        "batch": YES,
        "structured_outputs": YES,
        "effort": {"supported": True, "low": YES, "medium": YES, "high": YES, "xhigh": YES, "max": YES},
        "thinking": {
            "supported": True,
            "types": {"adaptive": YES, "enabled": NO, "disabled": NO, "between_tools": YES},
        },
    },
}
EFFORT = {"supported": True, "low": YES, "medium": YES, "high": YES, "xhigh": None, "max": NO}


def response(body, status="200 OK") -> bytes:
    content = body if isinstance(body, str) else json.dumps(body)
    head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\nconnection: close\r\n"
    return f"{head}content-length: {len(content)}\r\n\r\n{content}".encode()


@pytest.fixture
def asked(api, settings, capsys):
    """Runs the command as in a terminal, while the API says this of every model; gives the lines that it writes."""
    settings.ANTHROPIC_MODEL = "claude-sonnet-5-5"
    settings.CLAUDE_MAX_TOKENS = 16_000

    def run(body, *args, **values):
        for name, value in values.items():
            setattr(settings, name, value)
        api.answer = lambda connection: connection.sendall(response(body, *args))
        status = 0
        try:
            Command().run_from_argv(["manage.py", "claude_models"])
        except SystemExit as end:
            status = end.code
        said = capsys.readouterr()
        assert status == (1 if said.err else 0)
        return [*said.out.splitlines(), *said.err.removeprefix("CommandError: ").splitlines()]

    return run


def test_a_model_that_the_settings_fit_is_one_line(asked, api):
    assert asked(SONNET) == [
        "ANTHROPIC_MODEL is claude-sonnet-5-5: active, up to 128,000 tokens, thinking adaptive/between_tools, "
        "effort low/medium/high/xhigh/max, structured answers."
    ]
    assert api.questions == 1


def test_each_model_of_the_settings_is_asked_for(asked, api):
    lines = asked(SONNET, CLAUDE_FALLBACK_MODEL="claude-opus-4-8")
    assert [line.split(":")[0] for line in lines] == [
        "ANTHROPIC_MODEL is claude-sonnet-5-5",
        "CLAUDE_FALLBACK_MODEL is claude-opus-4-8",
    ]
    assert api.questions == 2


@pytest.mark.parametrize(
    ("changed", "values", "problem"),
    [
        ({"lifecycle": "retired", "retires_at": "2026-06-15T00:00:00Z"}, {}, "It was retired on 2026-06-15: "),
        ({"lifecycle": "retired"}, {}, "It was retired: "),
        ({"lifecycle": "deprecated", "retires_at": "2027-01-22T00:00:00Z"}, {}, "It is deprecated and ends on 2027-01"),
        ({"lifecycle": "deprecated"}, {}, "It is deprecated: "),
        ({"max_tokens": 8_192}, {}, "CLAUDE_MAX_TOKENS is 16,000, and claude-sonnet-5-5 gives 8,192 at most. "),
        ({}, {"CLAUDE_MAX_TOKENS": 1024}, "CLAUDE_MAX_TOKENS is 1,024, and claude-sonnet-5-5 thinks before it answers"),
        ({}, {"CLAUDE_THINKING": "disabled"}, "CLAUDE_THINKING is disabled, and claude-sonnet-5-5 refuses it"),
        ({"capabilities": {"effort": EFFORT}}, {"CLAUDE_EFFORT": "max"}, "CLAUDE_EFFORT is max, and claude-sonnet-5-5"),
        ({"capabilities": {"effort": NO}}, {"CLAUDE_EFFORT": "low"}, "CLAUDE_EFFORT is low, and claude-sonnet-5-5"),
        ({}, {"CLAUDE_EFFORT": "max", "CLAUDE_THINKING": "between_tools"}, "CLAUDE_EFFORT is max, and claude-sonnet-5"),
    ],
)
def test_what_does_not_fit_is_said_and_ends_with_1(asked, changed, values, problem):
    _, line, last = asked({**SONNET, **changed}, **values)
    assert line.startswith(f"- {problem}")
    assert last == "The settings do not fit."


def test_the_api_has_the_last_word(asked):
    types = {"adaptive": YES, "disabled": YES}
    assert len(asked({**SONNET, "capabilities": {"thinking": {"types": types}}}, CLAUDE_THINKING="disabled")) == 1


def test_an_unknown_model_is_taken_as_the_api_describes_it(asked):
    assert len(asked(SONNET, ANTHROPIC_MODEL="claude-test-model", CLAUDE_THINKING="between_tools")) == 1
    lines = asked(SONNET, ANTHROPIC_MODEL="claude-test-model", CLAUDE_THINKING="disabled")
    assert "It takes adaptive, between_tools." in lines[1]


@pytest.mark.parametrize(
    "body",
    [
        {"id": "claude-sonnet-5-5", "object": "model", "created": 1, "owned_by": "gateway"},
        {
            "lifecycle": "\u001b[31m",
            "max_tokens": "many",
            "retires_at": 1,
            "capabilities": {"thinking": [], "effort": 1},
        },
        {"max_tokens": None, "capabilities": {"thinking": {"types": {"adaptive": True}}, "effort": {"xhigh": None}}},
        "[]",
        "null",
    ],
)
def test_what_a_gateway_leaves_out_or_gets_wrong_is_no_problem(asked, body):
    (line,) = asked(body)
    assert line.startswith("ANTHROPIC_MODEL is claude-sonnet-5-5: ")
    assert line.isprintable()


def test_a_level_of_effort_that_the_api_does_not_mention_is_as_it_is_known(asked):
    body = {**SONNET, "capabilities": {"effort": {**EFFORT, "max": None}}}
    assert len(asked(body, CLAUDE_EFFORT="max")) == 1
    assert len(asked(body, CLAUDE_EFFORT="xhigh", ANTHROPIC_MODEL="claude-sonnet-4-6")) == 3


@pytest.mark.parametrize(
    ("status", "error_type", "sentence"),
    [
        ("404 Not Found", "not_found_error", "AI service unavailable (404 not_found_error: check ANTHROPIC_MODEL"),
        (
            "401 Unauthorized",
            "authentication_error",
            "Service misconfigured (401 authentication_error: check ANTHROPIC_API_KEY",
        ),
        ("529 Overloaded", "overloaded_error", "AI service unavailable (529 overloaded_error)."),
    ],
)
def test_a_failure_is_one_sentence(asked, status, error_type, sentence):
    body = {"type": "error", "error": {"type": error_type, "message": "secret words"}}
    (line,) = asked(body, status)
    assert line.startswith(f"ANTHROPIC_MODEL: {sentence}")
    assert "secret" not in line


def test_a_page_of_a_proxy_is_one_sentence(asked):
    assert asked("<html>") == ["ANTHROPIC_MODEL: AI service unavailable (JSONDecodeError)."]


def test_a_connection_that_fails_is_one_sentence(asked, settings):
    settings.ANTHROPIC_BASE_URL = "http://127.0.0.1:1"
    (line,) = asked(SONNET)
    assert line.startswith("ANTHROPIC_MODEL: AI service unavailable (")


def test_without_a_key_the_command_says_that_it_needs_one(settings):
    with pytest.raises(CommandError, match=r"^Set ANTHROPIC_API_KEY"):
        call_command("claude_models")
    settings.CLAUDE_OFFLINE = False
    with pytest.raises(CommandError, match=r"Service misconfigured \(check ANTHROPIC_API_KEY is empty"):
        call_command("claude_models")
