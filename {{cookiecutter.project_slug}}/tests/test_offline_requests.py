"""What the offline stand-in makes of a request, as the API does: the prompt cache, and what is refused."""

import re
import uuid
from typing import Any

import anthropic
import pytest

from tests.stand_in import THINKS, ask, sdk, streamed, structured


def cached(ttl: str = "5m") -> dict[str, Any]:
    return {"type": "ephemeral", "ttl": ttl}


def text(words: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": words, **more}


def system(*ttls: str, words: int = 1) -> dict[str, Any]:
    prompt = f"{uuid.uuid4()} {'word ' * words}"
    return {"system": [text(prompt, cache_control=cached(ttl)) for ttl in ttls]}


def counters(usage: Any) -> tuple[int, int, int]:
    return usage.cache_creation_input_tokens, usage.cache_read_input_tokens, usage.input_tokens


def test_a_long_system_prompt_is_written_to_the_cache_once_and_then_read():
    long = system("1h", words=1000)
    first, second = (sdk().messages.create(**ask("x" * 40, **long)).usage for _ in range(2))
    size = first.cache_creation_input_tokens
    assert (size > 1024, first.cache_creation.ephemeral_1h_input_tokens) == (True, size)
    assert (counters(first), counters(second)) == ((size, 0, 10), (0, size, 10))
    assert counters(sdk().messages.create(**ask("x" * 40, **system("5m"))).usage)[:2] == (0, 0)


def test_a_growing_history_is_read_from_the_cache_up_to_the_turn_before():
    long = system("5m", words=1000) | {"cache_control": cached()}
    turns = [{"role": "user", "content": "x" * 400}]
    first = sdk().messages.create(**ask("", **long) | {"messages": turns})
    size = first.usage.cache_creation_input_tokens
    for turn, read in ({"content": [text("z")] * 20}, size - 100), ({"content": "z" * 400}, size):
        more = [*turns, {"role": "assistant", "content": "y" * 400}, {"role": "user", **turn}]
        usage = sdk().messages.create(**ask("", **long) | {"messages": more}).usage
        assert (usage.cache_read_input_tokens, usage.input_tokens) == (read, 0)


def test_why_the_cache_was_not_read_is_said_to_who_asks():
    def reason(previous: str | None, **more: Any) -> str | None:
        message = streamed(**ask("Hello", diagnostics={"previous_message_id": previous}) | more)
        return message.diagnostics and message.diagnostics.cache_miss_reason.type

    first = sdk().messages.create(**ask("Hello", diagnostics={"previous_message_id": None}))
    assert (first.diagnostics, reason(first.id)) == (None, None)
    assert reason(first.id, model=THINKS) == "model_changed"
    assert reason(first.id, system="Another") == "system_changed"
    assert reason(first.id, messages=ask("Other")["messages"]) == "messages_changed"
    assert reason("msg_unknown") == "previous_message_not_found"


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"extra_body": {"humour": 1}}, "humour: Extra inputs are not permitted"),
        ({"extra_body": {"temperature": 0.5}}, "temperature: Extra inputs are not permitted"),
        ({"output_config": {"style": "x"}}, "output_config.style: Extra inputs are not permitted"),
        ({"output_config": {"effort": "huge"}}, "output_config.effort: Input should be"),
        ({"output_config": {"effort": ["low"]}}, "output_config.effort: Input should be"),
        ({"model": "claude-haiku-4-5", "output_config": {"effort": "low"}}, "not support the effort parameter"),
        ({"model": "claude-sonnet-4-6", "output_config": {"effort": "xhigh"}}, "not support effort level 'xhigh'"),
        (
            {"model": "claude-opus-5", "thinking": {"type": "disabled"}, "output_config": {"effort": "max"}},
            "effort 'max' is not supported when thinking is disabled",
        ),
        ({"thinking": {"type": "always"}}, "thinking: Input tag 'always'"),
        ({"model": THINKS, "thinking": {"type": "disabled"}}, '"thinking.type.disabled" is not supported'),
        ({"model": THINKS, "thinking": {"type": "enabled"}}, '"thinking.type.enabled" is not supported'),
        ({"model": THINKS, "thinking": {"type": "between_tools"}}, '"thinking.type.between_tools" is not supported'),
        ({"max_tokens": 64_001, "model": "claude-haiku-4-5"}, "max_tokens: 64001 > 64000"),
        ({"output_config": {"format": {"type": "xml"}}}, "output_config.format: "),
        (structured("text"), "output_config.format: schema: "),
        (structured({"type": "object"}), "'additionalProperties' must be explicitly set to false"),
        (structured({"type": "date"}), "Invalid type 'date'"),
        (structured({"$ref": "#/$defs/A", "$defs": {"A": {"anyOf": [{"$ref": "#/$defs/A"}]}}}), "Circular"),
        (system("5m", "5m", "5m", "5m") | {"cache_control": cached()}, "A maximum of 4 blocks with cache_control"),
        (system("5m", "1h"), "must not come after a ttl='5m'"),
        (system("2h"), "cache_control.ttl: Input should be"),
        ({"cache_control": {"type": "eternal"}}, "cache_control.type: Input should be"),
    ],
)
def test_what_the_api_does_not_take_is_refused_in_its_words(more, words):
    with pytest.raises(anthropic.BadRequestError, match=re.escape(words)):
        streamed(**ask("Hello") | more)


def test_a_model_that_has_gone_away_is_not_found():
    with pytest.raises(anthropic.NotFoundError, match="model: claude-3-opus-20240229"):
        sdk().messages.create(**ask("Hello") | {"model": "claude-3-opus-20240229"})


def test_beta_features_are_let_through():
    request = ask("Hello", fallbacks="default", betas=["server-side-fallback-2026-07-01"])
    assert sdk().beta.messages.create(**request).stop_reason == "end_turn"


def test_only_messages_are_played():
    with pytest.raises(anthropic.NotFoundError):
        sdk().models.retrieve(THINKS)
