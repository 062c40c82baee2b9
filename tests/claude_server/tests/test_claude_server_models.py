"""What the models of today do, played by the stand-in API and read by the real SDK, sync and async."""

import datetime
import json
import uuid
from typing import Literal

import anthropic
import httpx2
import pydantic
import pytest

from claude_server.script import Answer, Refusal, Reset, Status
from sdk_calls import MODEL, question

FALLBACK = "claude-opus-4-8"
BOTH = pytest.mark.parametrize("way", ["create", "stream"])


@pytest.fixture
def ask(sdk, lane):
    """ask(way, step, …) gives the message that the SDK makes of the step."""

    def ask(way, step, **more):
        lane.script(step)
        return getattr(sdk, way)(sdk.at(lane.base_url), **question("a b", **more))

    return ask


def kinds(message):
    return [block.type for block in message.content]


def text_of(message):
    return "".join(block.text for block in message.content if block.type == "text")


@BOTH
def test_thinking_is_summarized_omitted_or_redacted_and_counted(ask, way):
    summary, hidden, redacted = (
        ask(way, Answer(thinking="let me see", display=display)) for display in ("summarized", "omitted", "redacted")
    )
    assert (summary.content[0].thinking, hidden.content[0].thinking) == ("let me see", "")
    assert (hidden.content[0].signature, redacted.content[0].data) == ("c2lnbmF0dXJl", "c2lnbmF0dXJl")
    assert [kinds(message)[1:] for message in (summary, hidden, redacted)] == [["text"]] * 3
    assert {message.usage.output_tokens_details.thinking_tokens for message in (summary, hidden, redacted)} == {3}
    assert {message.usage.output_tokens for message in (summary, hidden, redacted)} == {7}


@BOTH
def test_thinking_may_use_up_all_of_max_tokens(ask, way):
    message = ask(way, Answer(thinking="word " * 50), max_tokens=20)
    assert (kinds(message), message.stop_reason) == (["thinking"], "max_tokens")
    assert message.usage.output_tokens == message.usage.output_tokens_details.thinking_tokens == 20
    assert text_of(ask(way, Answer(thinking="word " * 19), max_tokens=20)) == "You "


@BOTH
def test_a_refusal_comes_at_once_or_after_some_words(ask, way):
    at_once, later = ask(way, Refusal("bio")), ask(way, Refusal("cyber", after=2))
    assert (at_once.content, text_of(later)) == ([], "You asked: ")
    assert [(message.stop_reason, message.stop_details.category) for message in (at_once, later)] == [
        ("refusal", "bio"),
        ("refusal", "cyber"),
    ]


@BOTH
@pytest.mark.parametrize("reason", ["pause_turn", "model_context_window_exceeded", "something_new"])
def test_an_answer_stops_for_any_reason(ask, way, reason):
    message = ask(way, Answer(stop_reason=reason, stops_after=2))
    assert (text_of(message), message.stop_reason) == ("You asked: ", reason)


def test_usage_of_the_answer_is_known_in_its_last_event_alone(sdk, lane):
    lane.script(Refusal("cyber", answer=Answer(thinking="let me see")))
    first, *_, last, _ = sdk.events(sdk.at(lane.base_url), **question())
    assert (first.message.usage.output_tokens_details, first.message.stop_details) == (None, None)
    assert (last.usage.output_tokens_details.thinking_tokens, last.delta.stop_details.category) == (3, "cyber")


def test_pings_flow_while_it_thinks(sdk, lane):
    lane.script(Answer(thinking="let me see", display="omitted", thinks_for=0.6, pings=0.05))
    response = sdk.at(lane.base_url, timeout=0.5)
    assert kinds(sdk.stream(response, **question())) == ["thinking", "text"]


def test_text_may_begin_in_the_start_of_its_block(sdk, lane):
    lane.script(Answer(deltas=["Hel", "lo"], text_at_start=True), Reset(1, answer=Answer(text_at_start=True)))
    events = sdk.events(sdk.at(lane.base_url), **question())
    assert [event.content_block.text for event in events if event.type == "content_block_start"] == ["Hel"]
    assert [event.delta.text for event in events if event.type == "content_block_delta"] == ["lo"]
    with pytest.raises(httpx2.ReadError):
        sdk.events(sdk.at(lane.base_url), **question())
    assert [record.deltas for record in lane.requests()] == [2, 1]


@pytest.mark.parametrize("after", [0, 2])
def test_the_fallback_of_the_api_answers_in_the_same_response(sdk, lane, after):
    lane.script(otherwise=Answer(fallback=FALLBACK, fallback_after=after))
    client = sdk.at(lane.base_url)
    events = sdk.events(client, **question("a b"))
    assert events[0].message.model == (MODEL if after else FALLBACK)
    for message in sdk.create(client.beta, **question("a b")), sdk.stream(client.beta, **question("a b")):
        assert kinds(message) == [*["text"] * bool(after), "fallback", "text"]
        assert text_of(message) == "You asked: "[: after and None] + "You asked: a b"
        assert (message.model, message.stop_reason) == (FALLBACK, "end_turn")
        hops = [(hop.type, hop.model, hop.output_tokens) for hop in message.usage.iterations]
        assert hops == [("message", MODEL, after), ("fallback_message", FALLBACK, 4)]
        assert message.usage.output_tokens == 4


def test_each_model_may_do_something_else(sdk, lane):
    lane.rule("", otherwise=Refusal("cyber"), model=MODEL)
    lane.rule("busy", otherwise=Status(529), model=MODEL)
    client = sdk.at(lane.base_url)
    assert sdk.stream(client, **question("Hello")).stop_reason == "refusal"
    with pytest.raises(anthropic.OverloadedError):
        sdk.stream(client, **question("busy"))
    for prompt in "Hello", "busy":
        assert sdk.stream(client, **question(prompt) | {"model": FALLBACK}).stop_reason == "end_turn"


class Ticket(pydantic.BaseModel):
    title: str
    kind: Literal["bug", "question"]
    parts: list["Part"]
    at: datetime.datetime | None


class Part(pydantic.BaseModel):
    id: uuid.UUID
    count: int
    share: float
    done: bool


@BOTH
def test_an_answer_with_a_schema_fits_it_and_names_its_question(ask, way):
    wanted = {"format": {"type": "json_schema", "schema": anthropic.transform_schema(Ticket)}}
    ticket = Ticket.model_validate_json(text_of(ask(way, Answer(), output_config=wanted)))
    assert (ticket.title, ticket.kind, len(ticket.parts)) == ("You asked: a b", "bug", 1)
    with pytest.raises(json.JSONDecodeError):
        json.loads(text_of(ask(way, Answer(), output_config=wanted, max_tokens=2)))


@BOTH
def test_why_the_cache_was_not_read_is_said_to_who_asks(ask, way):
    step = Answer(cache_miss="system_changed")
    asked = ask(way, step, diagnostics={"previous_message_id": "msg_1"})
    assert asked.diagnostics.cache_miss_reason.type == "system_changed"
    assert ask(way, step).diagnostics is None


def test_a_growing_history_is_read_from_the_cache(sdk, lane):
    turns = [{"role": "user", "content": "x" * 400}]
    client, cached = sdk.at(lane.base_url), {"cache_control": {"type": "ephemeral"}}
    assert sdk.create(client, **question(**cached) | {"messages": turns}).usage.cache_creation_input_tokens == 100
    for blocks, read in (21, 0), (19, 100):
        more = [{"type": "text", "text": "y" * 4} for _ in range(blocks)]
        longer = [*turns, {"role": "user", "content": more}]
        assert sdk.create(client, **question(**cached) | {"messages": longer}).usage.cache_read_input_tokens == read


def test_the_models_api_says_what_a_model_takes(sdk, lane):
    models = sdk.at(lane.base_url).models
    known = sdk.run(models.retrieve("claude-sonnet-5-5")).capabilities
    types, effort = known.thinking.types, known.effort
    assert (types.between_tools.supported, types.disabled.supported, effort.xhigh.supported) == (True, False, True)
    assert sdk.run(models.retrieve("claude-haiku-4-5")).max_tokens == 64_000
