"""What the offline stand-in plays, as the real SDK reads it."""

import itertools
import json
import re
import uuid
from typing import Any

import anthropic
import pytest

from claude import offline

THINKS = "claude-opus-5-5"


@pytest.fixture(scope="module")
def client():
    http_client = anthropic.DefaultHttpxClient(transport=offline.StandIn())
    with anthropic.Anthropic(api_key="offline", http_client=http_client, max_retries=0) as client:
        yield client


def ask(prompt: str, **more: Any) -> dict[str, Any]:
    return {"model": "claude-test-model", "max_tokens": 1024, "messages": [{"role": "user", "content": prompt}], **more}


def kinds(message: Any) -> list[str]:
    return [block.type for block in message.content]


def streamed(client: Any, **request: Any) -> Any:
    with client.messages.stream(**request) as stream:
        return stream.get_final_message()


@pytest.mark.parametrize("play", ["", *offline.ANSWERS])
def test_a_stream_and_an_answer_in_one_piece_say_the_same(client, play):
    request, own = ask(f"play {play}"), {"id", "usage"}
    whole, parts = client.beta.messages.create(**request), streamed(client.beta, **request)
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
def test_each_answer_has_its_blocks_and_its_reason_to_stop(client, play, content, stop_reason):
    message = streamed(client, **ask(f"play {play}"))
    assert (kinds(message), message.stop_reason) == (content, stop_reason)


def test_thinking_is_hidden_or_summarized_and_counted(client):
    hidden, summary = (streamed(client, **ask(f"play {play}")) for play in ("thinking", "summarized_thinking"))
    assert hidden.content[0].thinking == ""
    assert summary.content[0].thinking
    for message in hidden, summary:
        assert message.content[0].signature
        assert 0 < message.usage.output_tokens_details.thinking_tokens < message.usage.output_tokens
    usage = streamed(client, **ask("play all_thinking")).usage
    assert usage.output_tokens == usage.output_tokens_details.thinking_tokens == 1024


def test_a_thinking_block_comes_first_with_one_signature(client):
    events = list(client.messages.create(**ask("play thinking"), stream=True))
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
def test_a_model_thinks_as_it_does_unless_it_is_told_otherwise(client, model, more, thinks):
    message = client.messages.create(**ask("Hello") | {"model": model} | more)
    assert (kinds(message)[0] == "thinking") == thinks


def test_thinking_takes_part_of_the_longest_answer_and_leaves_some_of_it(client):
    usage = client.messages.create(**ask("Hello") | {"model": THINKS, "max_tokens": 3}).usage
    assert (usage.output_tokens, usage.output_tokens_details.thinking_tokens) == (3, 1)


def test_a_refusal_has_the_category_that_was_asked_for(client):
    assert streamed(client, **ask("fail refusal cyber")).stop_details.category == "cyber"
    assert streamed(client, **ask("play late_refusal")).stop_details.category is None


def test_only_the_first_model_refuses_where_that_is_asked_for(client, settings):
    assert streamed(client, **ask("play primary refusal")).stop_reason == "refusal"
    settings.ANTHROPIC_MODEL = "another"
    assert streamed(client, **ask("play primary refusal")).stop_reason == "end_turn"
    assert streamed(client, **ask("fail primary overloaded_error")).stop_reason == "end_turn"


def test_a_fallback_of_the_api_counts_each_model_apart(client):
    for play, declined in ("fallback", False), ("late_fallback", True):
        with client.beta.messages.stream(**ask(f"play {play} bio") | {"model": THINKS}) as stream:
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


def structured(schema: Any, **more: Any) -> dict[str, Any]:
    return {"output_config": {"format": {"type": "json_schema", "schema": schema}, **more}}


def test_a_structured_answer_is_made_from_its_schema_unless_it_is_told_otherwise(client):
    wanted = structured(anthropic.transform_schema(SCHEMA))
    text = streamed(client, **ask("Hello", **wanted)).content[0].text
    assert json.loads(text) == {
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
    misfit, cut = (
        streamed(client, **ask(f"play {play}", **wanted)).content[0].text for play in ("misfit", "max_tokens")
    )
    assert isinstance(json.loads(misfit), str)
    assert text.startswith(cut)
    assert cut != text


def cached(ttl: str = "5m") -> dict[str, Any]:
    return {"type": "ephemeral", "ttl": ttl}


def system(*ttls: str, words: int = 1) -> dict[str, Any]:
    text = f"{uuid.uuid4()} {'word ' * words}"
    return {"system": [{"type": "text", "text": text, "cache_control": cached(ttl)} for ttl in ttls]}


def counters(usage: Any) -> tuple[int, int, int]:
    return usage.cache_creation_input_tokens, usage.cache_read_input_tokens, usage.input_tokens


def test_a_long_system_prompt_is_written_to_the_cache_once_and_then_read(client):
    long = system("1h", words=1000)
    first, second = (client.messages.create(**ask("x" * 40, **long)).usage for _ in range(2))
    size = first.cache_creation_input_tokens
    assert (size > 1024, first.cache_creation.ephemeral_1h_input_tokens) == (True, size)
    assert (counters(first), counters(second)) == ((size, 0, 10), (0, size, 10))
    assert counters(client.messages.create(**ask("x" * 40, **system("5m"))).usage)[:2] == (0, 0)


def test_a_growing_history_is_read_from_the_cache_up_to_the_turn_before(client):
    long = system("5m", words=1000) | {"cache_control": cached()}
    turns = [{"role": "user", "content": "x" * 400}]
    first = client.messages.create(**ask("", **long) | {"messages": turns})
    turns += [{"role": "assistant", "content": "y" * 400}, {"role": "user", "content": "z" * 400}]
    second = client.messages.create(**ask("", **long) | {"messages": turns})
    assert counters(second.usage) == (200, first.usage.cache_creation_input_tokens, 0)


def test_why_the_cache_was_not_read_is_said_to_who_asks(client):
    def reason(previous: str | None, **more: Any) -> str | None:
        message = streamed(client, **ask("Hello", diagnostics={"previous_message_id": previous}) | more)
        return message.diagnostics and message.diagnostics.cache_miss_reason.type

    first = client.messages.create(**ask("Hello", diagnostics={"previous_message_id": None}))
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
def test_what_the_api_does_not_take_is_refused_in_its_words(client, more, words):
    with pytest.raises(anthropic.BadRequestError, match=re.escape(words)):
        streamed(client, **ask("Hello") | more)


def test_a_model_that_has_gone_away_is_not_found(client):
    with pytest.raises(anthropic.NotFoundError, match="model: claude-3-opus-20240229"):
        client.messages.create(**ask("Hello") | {"model": "claude-3-opus-20240229"})


def test_beta_features_are_let_through(client):
    request = ask("Hello", fallbacks="default", betas=["server-side-fallback-2026-07-01"])
    assert client.beta.messages.create(**request).stop_reason == "end_turn"


def test_only_messages_are_played(client):
    with pytest.raises(anthropic.NotFoundError):
        client.models.retrieve(THINKS)


def test_the_documents_list_every_answer_that_can_be_typed(settings):
    listed = (settings.BASE_DIR / "docs/api.md").read_text().partition("## Try them")[2]
    assert set(re.findall(r"`play (\w+)", listed)) - {"primary"} == set(offline.ANSWERS)
