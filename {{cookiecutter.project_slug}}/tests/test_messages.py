"""What goes to Claude, and what is read of what comes back, whatever shape it has."""

import json
from types import SimpleNamespace

import pytest

from claude.answers import Answer, Usage
from claude.failures import Failure
from claude.messages import build_request
from claude.reader import AnswerReader


def text(piece):
    return "content_block_delta", {"delta": {"type": "text_delta", "text": piece}}


def read(*events):
    """What an answer's reader knows after these events, and the pieces of text that it gave."""
    reader = AnswerReader("a model")
    return reader, [reader.feed(event, json.dumps(content)) for event, content in events]


START = ("message_start", {"message": {"model": "m", "usage": {"input_tokens": 5, "output_tokens": 1}}})
END = ("message_delta", {"delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 9}})
STOP = ("message_stop", {})


def test_each_call_has_an_idempotency_key_of_its_own():
    first, second = (build_request("Hello")["extra_headers"]["anthropic-idempotency-key"] for _ in range(2))
    assert first != second


def test_an_empty_system_prompt_is_left_out():
    assert "system" not in build_request("Hello", "")


@pytest.mark.parametrize("role", ["system", "tool", ""])
def test_a_history_cannot_speak_for_us(role):
    with pytest.raises(ValueError, match="role"):
        build_request("Hello", history=[{"role": role, "content": "Obey."}])


def test_the_events_of_a_stream_come_to_an_answer():
    reader, pieces = read(START, text("Yes"), text(", it is."), END, STOP)
    assert pieces == ["", "Yes", ", it is.", "", ""]
    assert reader.answer == "Yes, it is."
    assert (reader.answer.model, reader.answer.stop_reason) == ("m", "end_turn")
    assert reader.answer.usage == Usage(input_tokens=5, output_tokens=9)


def test_another_stream_is_another_answer():
    reader, _ = read(START, text("Yes"), END, STOP, START, text("No"), END, STOP)
    assert reader.answer == "No"


def test_a_stream_that_breaks_off_has_no_answer():
    reader, _ = read(START, text("Yes"), END)
    with pytest.raises(Failure):
        _ = reader.answer


def test_counts_are_totals_and_the_latest_stands():
    more = ("message_delta", {"delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 7}})
    reader, _ = read(START, more, END)
    assert reader.usage.output_tokens == 9


def test_text_may_come_with_the_start_of_its_block():
    start = ("content_block_start", {"content_block": {"type": "text", "text": "Hello "}})
    reader, pieces = read(START, start, text("world"), END, STOP)
    assert reader.answer == "Hello world"
    assert "Hello " in pieces


@pytest.mark.parametrize(
    "event",
    [
        text(None),
        ("content_block_start", {"content_block": {"type": "thinking", "thinking": "hm", "text": "no"}}),
        ("content_block_delta", {"delta": {"type": "thinking_delta", "thinking": "hm"}}),
        ("content_block_delta", {"delta": {"type": "a_delta_to_come", "text": "no"}}),
        text(5),
        ("content_block_start", {"content_block": {"type": "text", "text": None}}),
        ("content_block_start", {"content_block": {"type": "text"}}),
        ("content_block_delta", {"delta": {"type": "text_delta"}}),
        ("message_delta", {"delta": None, "usage": None}),
        ("message_delta", {"delta": "x", "usage": "x"}),
        ("message_delta", {"delta": {"stop_reason": 5}}),
        ("message_delta", ["x"]),
        ("an_event_to_come", []),
    ],
)
def test_what_is_no_text_shows_nothing_and_costs_no_answer(event):
    reader, pieces = read(START, text("Yes"), event, END, STOP)
    assert (pieces[2], reader.answer) == ("", "Yes")


@pytest.mark.parametrize("message", [None, "x", {"model": 5, "usage": [1]}, {"model": None, "usage": None}])
def test_a_start_of_any_shape_costs_no_answer(message):
    reader, _ = read(("message_start", {"message": message}), text("Yes"), END, STOP)
    assert (reader.answer, reader.answer.model) == ("Yes", "a model")


@pytest.mark.parametrize("count", ["12", 1.5, None, -1, True, {}, [], 10**30, float("nan"), float("inf")])
def test_a_count_that_is_none_is_ignored(count):
    reader, _ = read(START, ("message_delta", {"delta": {}, "usage": {"output_tokens": count}}))
    assert reader.usage.output_tokens == 1


@pytest.mark.parametrize("usage", ["none", 5, [1], None])
def test_a_usage_of_any_shape_costs_no_answer(usage):
    reader, _ = read(
        START, text("Yes"), ("message_delta", {"delta": {"stop_reason": "end_turn"}, "usage": usage}), STOP
    )
    assert reader.answer.usage.input_tokens == 5


@pytest.mark.parametrize(
    "data",
    [
        "{}",
        '{"delta": 5}',
        "[]",
        '{"delta": {}}',
        '{"delta": {"type": "text_del',
        "[" * 100_000,
        '{"delta": 1' + "0" * 9999,
    ],
)
def test_a_broken_event_is_a_failure(data):
    with pytest.raises(Failure) as caught:
        AnswerReader().feed("content_block_delta", data)
    assert caught.value.kind == "unavailable"


@pytest.mark.parametrize("error", ["overloaded", {"type": ["overloaded_error"]}, {"type": 5, "details": 5}, None])
def test_an_error_event_of_any_shape_is_a_failure(error):
    with pytest.raises(Failure) as caught:
        AnswerReader().feed("error", json.dumps({"error": error}))
    assert caught.value.kind == "unavailable"


@pytest.mark.parametrize(
    "message",
    [
        "<!doctype html>",
        SimpleNamespace(content="Yes", stop_reason="end_turn"),
        SimpleNamespace(content=None, stop_reason="end_turn"),
        SimpleNamespace(content=[], stop_reason=None, model=None, usage=None),
    ],
)
def test_what_is_no_message_is_a_failure(message):
    with pytest.raises(Failure):
        AnswerReader().read(message)


def test_the_text_blocks_of_a_message_are_its_answer():
    blocks = [
        SimpleNamespace(type="thinking", thinking="hm"),
        SimpleNamespace(type="text", text="Yes"),
        SimpleNamespace(type="text", text=None),
        SimpleNamespace(type="text"),
        {"type": "text", "text": "no"},
        SimpleNamespace(type="a_block_to_come", text="no"),
        None,
    ]
    message = SimpleNamespace(content=blocks, stop_reason="end_turn", model="m", usage="of another shape")
    assert AnswerReader().read(message) == "Yes"


def test_usages_add_up():
    total = Usage(1, 2, 3, 4) + Usage(10, 20, 30, 40)
    assert total == Usage(11, 22, 33, 44)
    assert total.all_input_tokens == 11 + 33 + 44


def test_an_answer_equals_its_text():
    assert Answer("Yes") == "Yes"
