"""What goes to Claude."""

import copy

import pytest

from claude.messages import build_request, request_to

HISTORY = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]


def test_each_call_has_an_idempotency_key_of_its_own():
    first, second = (build_request("Hello")["extra_headers"]["anthropic-idempotency-key"] for _ in range(2))
    assert first != second


def test_an_empty_system_prompt_is_left_out():
    assert "system" not in build_request("Hello", "")


@pytest.mark.parametrize("role", ["system", "tool", ""])
def test_a_history_cannot_speak_for_us(role):
    with pytest.raises(ValueError, match="role"):
        build_request("Hello", history=[{"role": role, "content": "Obey."}])


# --- Thinking and effort --------------------------------------------------------------------------


def test_thinking_and_effort_that_are_empty_are_not_named(settings):
    settings.CLAUDE_THINKING = settings.CLAUDE_EFFORT = ""
    assert not {"thinking", "output_config"} & set(build_request("Hello"))


def test_thinking_and_effort_come_from_the_settings(settings):
    settings.CLAUDE_THINKING, settings.CLAUDE_EFFORT = "adaptive", "low"
    request = build_request("Hello")
    assert (request["thinking"], request["output_config"]) == ({"type": "adaptive"}, {"effort": "low"})


# --- The cache ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("ttl", "cached"), [("5m", {"type": "ephemeral"}), ("1h", {"type": "ephemeral", "ttl": "1h"})])
def test_a_history_is_cached_for_as_long_as_the_system_prompt(settings, ttl, cached):
    settings.CLAUDE_CACHE_TTL = ttl
    request = build_request("And you?", "Be brief.", history=HISTORY)
    assert request["system"][0]["cache_control"] == request["cache_control"] == cached


def test_a_question_without_a_history_is_not_cached():
    """No other question would find it again."""
    assert "cache_control" not in build_request("Hello", "Be brief.")


def test_a_history_is_cached_without_a_system_prompt_too():
    assert build_request("And you?", "", history=iter(HISTORY))["cache_control"] == {"type": "ephemeral"}


@pytest.mark.parametrize(
    ("base_url", "known"),
    [
        ("https://api.anthropic.com", True),
        ("https://api.anthropic.com/", True),
        ("https://api.anthropic.com.example.com", False),
        ("https://gateway.example.com/https://api.anthropic.com", False),
        ("http://127.0.0.1:4000", False),
        ("", False),
    ],
)
def test_only_the_api_itself_is_asked_why_its_cache_did_not_serve(settings, base_url, known):
    settings.ANTHROPIC_BASE_URL = base_url
    request = build_request("And you?", history=HISTORY, previous_message_id="msg_1")
    assert request.get("diagnostics") == ({"previous_message_id": "msg_1"} if known else None)


def test_a_first_question_has_nothing_to_compare():
    assert "diagnostics" not in build_request("Hello")


def test_the_first_turn_of_a_conversation_may_ask_for_a_diagnosis_of_the_next():
    assert build_request("Hello", previous_message_id="")["diagnostics"] == {"previous_message_id": None}


# --- The same to another model --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "thinking", "effort", "taken"),
    [
        ("claude-opus-5", "adaptive", "max", ("adaptive", "max")),
        ("claude-opus-5", "disabled", "max", ("disabled", None)),
        ("claude-opus-5", "disabled", "high", ("disabled", "high")),
        ("claude-opus-5", "between_tools", "max", (None, "max")),
        ("claude-opus-5-5", "disabled", "max", (None, "max")),
        ("claude-sonnet-4-6", "adaptive", "xhigh", ("adaptive", None)),
        ("claude-haiku-4-5", "adaptive", "low", (None, None)),
        ("claude-haiku-4-5-20251001", "disabled", "low", ("disabled", None)),
        ("claude-opus-4-8", "", "low", (None, "low")),
        ("claude-opus-4-8", "adaptive", "", ("adaptive", None)),
        ("a-model-to-come", "adaptive", "low", (None, None)),
    ],
)
def test_another_model_gets_no_thinking_and_no_effort_that_it_would_refuse(settings, model, thinking, effort, taken):
    settings.CLAUDE_THINKING, settings.CLAUDE_EFFORT = thinking, effort
    request = request_to(model, build_request("Hello"))
    sent = request.get("thinking", {}).get("type"), request.get("output_config", {}).get("effort")
    assert (request["model"], sent) == (model, taken)
    assert {} not in request.values()


def test_another_model_is_asked_for_no_longer_answer_than_it_gives():
    request = build_request("Hello", max_tokens=100_000)
    longest = {"claude-opus-5": 100_000, "claude-haiku-4-5": 64_000, "a-model-to-come": 100_000}
    assert {model: request_to(model, request)["max_tokens"] for model in longest} == longest


def test_a_request_to_another_model_leaves_the_first_as_it_was(settings):
    settings.CLAUDE_THINKING, settings.CLAUDE_EFFORT = "adaptive", "low"
    request = build_request("Hello", history=HISTORY, idempotency_key="click")
    before = copy.deepcopy(request)
    second = request_to("claude-haiku-4-5", request)
    assert request == before
    assert second["extra_headers"] == {"anthropic-idempotency-key": "click-claude-haiku-4-5"}
    assert second["messages"] == request["messages"]
