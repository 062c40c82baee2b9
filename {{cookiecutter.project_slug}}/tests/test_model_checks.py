"""What `manage.py check` finds about the models and the settings that must fit them."""

import pytest

from claude import capabilities, model_checks


@pytest.fixture
def found(settings):
    """Sets the settings and gives what the checks find then, by id."""
    settings.CLAUDE_EFFORT = settings.CLAUDE_THINKING = ""
    settings.CLAUDE_MAX_TOKENS = 16_000
    settings.CLAUDE_SYSTEM_PROMPT = settings.DEFAULT_SYSTEM_PROMPT

    def check(model="claude-sonnet-4-6", **values):
        for name, value in {"ANTHROPIC_MODEL": model, **values}.items():
            setattr(settings, name, value)
        checks = (model_checks.check_choices, model_checks.check_models, model_checks.check_fallback)
        return {message.id: message for check in (*checks, model_checks.check_cache) for message in check(None)}

    return check


@pytest.mark.parametrize("model", [*capabilities.MODELS, "claude-sonnet-7", "anthropic/claude-sonnet-5", "eu.claude:0"])
def test_what_is_left_to_the_model_fits_every_model(found, model):
    assert set(found(model)) <= {"claude.W002"}


@pytest.mark.parametrize("model", ["", "claude sonnet", '"claude"', "claude\n", "claud\u00e9"])
def test_a_model_that_cannot_be_one_is_named(found, model):
    assert list(found(model)) == ["claude.E005"]


def test_a_fallback_model_that_cannot_be_one_is_named(found):
    assert found(CLAUDE_FALLBACK_MODEL="claude opus")["claude.E005"].msg.startswith("CLAUDE_FALLBACK_MODEL is ")


@pytest.mark.parametrize(
    ("name", "value", "takes"),
    [
        ("CLAUDE_EFFORT", "hgih", "low, medium, high, xhigh or max"),
        ("CLAUDE_EFFORT", "none", "low, medium, high, xhigh or max"),
        ("CLAUDE_THINKING", "on", "adaptive, disabled or between_tools"),
        ("CLAUDE_THINKING", "enabled", "adaptive, disabled or between_tools"),
        ("CLAUDE_THINKING", "between-tools", "adaptive, disabled or between_tools"),
        ("CLAUDE_CACHE_TTL", "2h", "5m or 1h"),
        ("CLAUDE_CACHE_TTL", "", "5m or 1h"),
    ],
)
def test_a_value_that_is_none_of_the_choices_is_named_with_them(found, name, value, takes):
    (error,) = found(**{name: value}).values()
    assert error.msg == f"{name} is {value!r}: it takes {takes}."


@pytest.mark.parametrize(
    "model",
    [
        "claude-instant-1.2",
        "claude-1",
        "claude-2.1",
        "claude-3-haiku-20240307",
        "claude-3-5-sonnet-latest",
        "claude-3-7-sonnet-20250219",
        "claude-opus-4-0",
        "claude-opus-4-20250514",
        "claude-4-opus-20250514",
        "claude-sonnet-4-0",
        "claude-sonnet-4-20250514",
        "claude-opus-4-1",
        "claude-opus-4-1-20250805",
    ],
)
def test_a_retired_model_is_an_error_and_behind_a_gateway_a_warning(found, model):
    for name in ("ANTHROPIC_MODEL", "CLAUDE_FALLBACK_MODEL"):
        assert list(found(**{"model": "claude-test-model", name: model})) == ["claude.E010"]
    error = found(model, ANTHROPIC_BASE_URL="https://gateway.example/anthropic")["claude.W010"]
    assert not error.is_serious()
    assert model in error.msg


def test_a_model_that_the_sdk_calls_deprecated_is_named_with_its_day_unless_it_is_retired(found):
    for model, day in model_checks.deprecated_models().items():
        if capabilities.is_retired(model):
            assert "claude.E010" in found(model)
        else:
            assert day in found(model)["claude.W002"].msg


def test_a_deprecated_fallback_model_is_named_as_one(found):
    warning = found(CLAUDE_FALLBACK_MODEL="claude-sonnet-4-5-20250929")["claude.W002"]
    assert warning.msg.startswith("CLAUDE_FALLBACK_MODEL is ")


def test_a_day_that_the_sdk_no_longer_lists_is_still_known(found, monkeypatch):
    monkeypatch.setattr(model_checks, "deprecated_models", dict)
    assert "2026-11-30" in found("claude-sonnet-4-5-20250929")["claude.W002"].msg


def test_the_list_of_deprecated_models_is_that_of_the_sdk():
    from anthropic.resources.messages.messages import DEPRECATED_MODELS

    assert model_checks.deprecated_models() == DEPRECATED_MODELS


@pytest.mark.parametrize(
    ("model", "thinking", "effort"),
    [
        ("claude-opus-5-5", "disabled", ""),
        ("claude-fable-5-2", "disabled", ""),
        ("claude-opus-5-5", "between_tools", ""),
        ("claude-sonnet-5-5", "disabled", ""),
        ("claude-haiku-5-5", "between_tools", ""),
        ("claude-sonnet-4-6", "between_tools", ""),
        ("claude-opus-4-5-20251101", "adaptive", ""),
        ("claude-haiku-4-5", "adaptive", ""),
        ("claude-haiku-4-5", "", "low"),
        ("claude-sonnet-4-5", "", "medium"),
        ("claude-sonnet-4-6", "", "xhigh"),
        ("claude-opus-4-6", "", "xhigh"),
        ("claude-opus-4-5", "", "max"),
        ("claude-sonnet-5-5", "between_tools", "xhigh"),
        ("claude-opus-5", "disabled", "max"),
        ("claude-haiku-5-5", "disabled", "xhigh"),
    ],
)
def test_thinking_and_effort_that_the_model_refuses_are_errors(found, model, thinking, effort):
    error = found(model, CLAUDE_THINKING=thinking, CLAUDE_EFFORT=effort)["claude.E009"]
    assert model in error.msg
    assert (effort or thinking) in error.msg
    assert (effort or thinking) not in error.hint


@pytest.mark.parametrize(
    ("model", "thinking", "effort"),
    [
        ("claude-opus-5-5", "adaptive", "max"),
        ("claude-sonnet-5-5", "between_tools", "high"),
        ("claude-sonnet-5-5", "adaptive", "xhigh"),
        ("claude-haiku-5-5", "disabled", "low"),
        ("claude-sonnet-4-6", "adaptive", "max"),
        ("claude-opus-4-8", "disabled", "xhigh"),
        ("claude-opus-4-5", "disabled", "high"),
        ("claude-test-model", "between_tools", "max"),
    ],
)
def test_thinking_and_effort_that_the_model_takes_are_not_named(found, model, thinking, effort):
    assert "claude.E009" not in found(model, CLAUDE_THINKING=thinking, CLAUDE_EFFORT=effort)


def test_what_a_fallback_model_does_not_take_is_not_sent_to_it_and_not_named(found):
    values = {"CLAUDE_THINKING": "between_tools", "CLAUDE_EFFORT": "high", "CLAUDE_MAX_TOKENS": 100_000}
    assert found("claude-sonnet-5-5", CLAUDE_FALLBACK_MODEL="claude-haiku-4-5", **values) == {}


@pytest.mark.parametrize(
    ("model", "thinking", "tokens", "ids"),
    [
        ("claude-sonnet-5-5", "", 7_999, ["claude.W007"]),
        ("claude-sonnet-5-5", "", 8_000, []),
        ("claude-sonnet-5-5", "between_tools", 1024, []),
        ("claude-haiku-5-5", "disabled", 1024, []),
        ("claude-opus-5-5", "adaptive", 1024, ["claude.W007"]),
        ("claude-sonnet-4-6", "", 1024, []),
        ("claude-sonnet-4-6", "adaptive", 1024, ["claude.W007"]),
        ("claude-test-model", "", 1024, []),
        ("claude-sonnet-5-5", "", 128_000, []),
        ("claude-sonnet-5-5", "", 128_001, ["claude.E004"]),
        ("claude-haiku-4-5-20251001", "", 64_001, ["claude.E004"]),
        ("claude-test-model", "", 1_000_000, []),
    ],
)
def test_the_longest_answer_fits_the_model_and_its_thinking(found, model, thinking, tokens, ids):
    assert list(found(model, CLAUDE_THINKING=thinking, CLAUDE_MAX_TOKENS=tokens)) == ids
    values = {"CLAUDE_FALLBACK_MODEL": model, "CLAUDE_THINKING": thinking, "CLAUDE_MAX_TOKENS": tokens}
    assert list(found("claude-other-model", **values)) == [check_id for check_id in ids if check_id == "claude.W007"]


def test_the_hint_says_how_this_model_stops_thinking(found):
    assert "CLAUDE_THINKING to between_tools" in found("claude-sonnet-5-5", CLAUDE_MAX_TOKENS=1024)["claude.W007"].hint
    assert "CLAUDE_THINKING" not in found("claude-opus-5-5", CLAUDE_MAX_TOKENS=1024)["claude.W007"].hint


def test_a_fallback_to_the_same_model_is_named(found):
    assert list(found("claude-haiku-4-5", CLAUDE_FALLBACK_MODEL="claude-haiku-4-5-20251001")) == ["claude.W005"]


def test_a_fallback_for_busy_times_needs_a_model(found):
    assert list(found(CLAUDE_FALLBACK_WHEN_DOWN=True)) == ["claude.W006"]
    assert found(CLAUDE_FALLBACK_WHEN_DOWN=True, CLAUDE_FALLBACK_MODEL="claude-opus-4-8") == {}


def test_a_system_prompt_too_short_for_the_cache_is_told_and_is_no_warning(found, settings):
    short = found("claude-sonnet-5-5", CLAUDE_SYSTEM_PROMPT="x" * 4 * 511)["claude.I001"]
    assert "about 511 tokens" in short.msg
    assert short.level < 30
    assert found("claude-sonnet-5-5", CLAUDE_SYSTEM_PROMPT="x" * 4 * 512) == {}
    for prompt in ("", settings.DEFAULT_SYSTEM_PROMPT):
        assert found("claude-sonnet-5-5", CLAUDE_SYSTEM_PROMPT=prompt) == {}
    for model in ("claude-test-model", "claude-fable-5-2"):  # whose least is not known
        assert found(model, CLAUDE_SYSTEM_PROMPT="Be brief.") == {}
