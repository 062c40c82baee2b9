"""What the offline stand-in plays, as the real SDK reads it."""

import itertools
import json
import re
from typing import Any

import anthropic
import pytest

from claude import offline
from tests.stand_in import THINKS, ask, sdk, streamed, structured


def kinds(message: Any) -> list[str]:
    return [block.type for block in message.content]


@pytest.mark.parametrize("play", ["", *offline.ANSWERS])
def test_a_stream_and_an_answer_in_one_piece_say_the_same(play):
    request, own = ask(f"play {play}"), {"id", "usage"}
    whole, parts = sdk().beta.messages.create(**request), streamed(beta=True, **request)
    assert parts.usage == whole.usage
    assert parts.model_dump(exclude=own).items() >= whole.model_dump(exclude=own).items()


@pytest.mark.parametrize(
    ("play", "content", "stop_reason"),
    [
        ("", ["text"], "end_turn"),
        ("thinking", ["thinking", "text"], "end_turn"),
        ("long_thinking", ["thinking", "text"], "end_turn"),
        ("summarized_thinking", ["thinking", "text"], "end_turn"),
        ("redacted_thinking", ["redacted_thinking", "text"], "end_turn"),
        ("all_thinking", ["thinking"], "max_tokens"),
        ("refusal", [], "refusal"),
        ("late_refusal", ["text"], "refusal"),
        ("max_tokens", ["text"], "max_tokens"),
        ("model_context_window_exceeded", ["text"], "model_context_window_exceeded"),
        ("pause_turn", ["text"], "pause_turn"),
        ("unknown_stop_reason", ["text"], "unknown_stop_reason"),
        ("fallback", ["fallback", "text"], "end_turn"),
        ("late_fallback", ["text", "fallback", "text"], "end_turn"),
        ("text_at_start", ["text"], "end_turn"),
        ("misfit", ["text"], "end_turn"),
    ],
)
def test_each_answer_has_its_blocks_and_its_reason_to_stop(play, content, stop_reason):
    message = streamed(**ask(f"play {play}"))
    assert (kinds(message), message.stop_reason) == (content, stop_reason)


def test_thinking_is_hidden_or_summarized_and_counted():
    hidden, summary = (streamed(**ask(f"play {play}")) for play in ("thinking", "summarized_thinking"))
    assert hidden.content[0].thinking == ""
    assert summary.content[0].thinking
    for message in hidden, summary:
        assert message.content[0].signature
        assert 0 < message.usage.output_tokens_details.thinking_tokens < message.usage.output_tokens
    usage = streamed(**ask("play all_thinking")).usage
    assert usage.output_tokens == usage.output_tokens_details.thinking_tokens == 1024


@pytest.mark.parametrize("play", ["late_refusal", "max_tokens", "model_context_window_exceeded", "pause_turn"])
def test_an_answer_that_ends_early_is_a_part_of_it(play):
    part = streamed(**ask(f"play {play}")).content[0].text
    whole = streamed(**ask(f"Play {play}")).content[0].text
    assert whole.lower().startswith(part.lower())
    assert len(part) < len(whole)


def test_a_text_may_begin_in_the_first_event_of_its_block():
    events = list(sdk().messages.create(**ask("play text_at_start"), stream=True))
    assert [event.content_block.text for event in events if event.type == "content_block_start"] == ["This "]


def test_pings_flow_while_it_thinks():
    def pings(play: str) -> int:
        events = offline.events(offline.answer(ask(""), play), play)
        return sum("event: ping" in event for event in events)

    assert pings("") < pings("thinking") < pings("long_thinking")


def test_a_short_answer_breaks_off_as_a_long_one_does():
    with pytest.raises(anthropic.APIStatusError) as error:
        streamed(**ask("fail stream_error", **structured({"type": "boolean"})))
    assert error.value.type == "overloaded_error"


def test_a_thinking_block_comes_first_with_one_signature():
    events = list(sdk().messages.create(**ask("play thinking"), stream=True))
    assert events[0].message.usage.output_tokens_details is None
    names = [getattr(getattr(event, "delta", event), "type", event.type) for event in events]
    thinking = ["message_start", "content_block_start", "signature_delta", "content_block_stop"]
    text = ["content_block_start", "text_delta", "content_block_stop", "message_delta", "message_stop"]
    assert [name for name, _ in itertools.groupby(names)] == thinking + text


@pytest.mark.parametrize(
    ("model", "more", "thinks"),
    [
        (THINKS, {}, True),
        ("claude-opus-5", {"thinking": {"type": "disabled"}}, False),
        ("claude-sonnet-5-5", {"thinking": {"type": "between_tools"}}, False),
        ("claude-sonnet-4-6", {}, False),
        ("claude-sonnet-4-6", {"thinking": {"type": "adaptive"}}, True),
        ("claude-sonnet-4-6", {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 2048}, True),
        ("claude-test-model", {}, False),
    ],
)
def test_a_model_thinks_as_it_does_unless_it_is_told_otherwise(model, more, thinks):
    message = sdk().messages.create(**ask("Hello") | {"model": model} | more)
    assert (kinds(message)[0] == "thinking") == thinks


def test_thinking_takes_part_of_the_longest_answer_and_leaves_some_of_it():
    usage = sdk().messages.create(**ask("Hello") | {"model": THINKS, "max_tokens": 3}).usage
    assert (usage.output_tokens, usage.output_tokens_details.thinking_tokens) == (3, 1)


def test_a_refusal_has_the_category_that_was_asked_for():
    assert streamed(**ask("fail refusal cyber")).stop_details.category == "cyber"
    assert streamed(**ask("play late_refusal")).stop_details.category is None


def test_only_the_first_model_refuses_where_that_is_asked_for(settings):
    settings.ANTHROPIC_MODEL = ask("Hello")["model"]
    assert streamed(**ask("play primary refusal")).stop_reason == "refusal"
    settings.ANTHROPIC_MODEL = "another"
    assert streamed(**ask("play primary refusal")).stop_reason == "end_turn"
    assert streamed(**ask("fail primary overloaded_error")).stop_reason == "end_turn"


def test_a_fallback_of_the_api_counts_each_model_apart():
    for play, declined in ("fallback", False), ("late_fallback", True):
        with sdk().beta.messages.stream(**ask(f"play {play} bio") | {"model": THINKS}) as stream:
            models = [event.message.model for event in stream if event.type == "message_start"]
            message = stream.get_final_message()
        (block,) = (block for block in message.content if block.type == "fallback")
        assert (block.from_.model, block.to.model, block.trigger.category) == (THINKS, message.model, "bio")
        # What the first model has begun keeps its name.
        assert models == [THINKS if declined else message.model]
        first, last = message.usage.iterations
        assert (first.type, first.model, first.output_tokens > 0) == ("message", THINKS, declined)
        assert (last.type, last.model) == ("fallback_message", message.model)
        usage = message.usage
        assert (usage.output_tokens, usage.output_tokens_details.thinking_tokens) == (last.output_tokens, 0)


SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["title", "count"],
    "properties": {
        "title": {"type": "string"},
        "count": {"type": "integer", "minimum": 5},
        "share": {"type": "number"},
        "done": {"type": "boolean"},
        "nothing": {"type": "null"},
        "version": {"const": 2},
        "kind": {"enum": ["bug", "question"]},
        "day": {"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]},
        "parts": {"type": "array", "items": {"$ref": "#/$defs/Part"}},
        "none": {"type": "object", "additionalProperties": False},
    },
    "$defs": {
        "Part": {"type": "object", "properties": {"id": {"$ref": "#/$defs/Id"}}, "additionalProperties": False},
        "Id": {"type": "string", "format": "uuid"},
    },
}


def test_a_structured_answer_is_made_from_its_schema_unless_it_is_told_otherwise():
    wanted = structured(anthropic.transform_schema(SCHEMA))
    whole = streamed(**ask("Hello", **wanted)).content[0].text
    assert json.loads(whole) == {
        "title": "text",
        "count": 5,
        "share": 0.5,
        "done": True,
        "nothing": None,
        "version": 2,
        "kind": "bug",
        "day": "2026-01-31",
        "parts": [{"id": "00000000-0000-4000-8000-000000000000"}],
        "none": {},
    }
    misfit, cut = (streamed(**ask(f"play {play}", **wanted)).content[0].text for play in ("misfit", "max_tokens"))
    assert isinstance(json.loads(misfit), str)
    assert whole.startswith(cut)
    assert cut != whole


def test_the_documents_list_every_answer_that_can_be_typed(settings):
    listed = (settings.BASE_DIR / "docs/api.md").read_text().partition("## Try them")[2]
    assert set(re.findall(r"`play (\w+)", listed)) - {"primary"} == set(offline.ANSWERS)
