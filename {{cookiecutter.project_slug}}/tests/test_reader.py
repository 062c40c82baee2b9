"""What is read of what comes back from Claude, whatever shape it has."""

import json
import pickle
from types import SimpleNamespace

import pytest
from anthropic.types import Message

from claude.answers import REFUSALS, Answer, Iteration, Usage
from claude.failures import Failure
from claude.reader import RESTART, THINKING, WAITING, AnswerReader, parsed
from tests.streams import STOP, block, body, delta, end, error, refusal, start, text, thought, whole


def read(*events):
    """What an answer's reader knows after these events, and the pieces that it gave."""
    reader = AnswerReader("a model")
    return reader, [piece for event in events for piece in reader.feed(body([event]))]


def shown(pieces):
    """The pieces that tell a user something: text, and what the signs mean."""
    return [piece or piece.meaning for piece in pieces if piece is not WAITING]


# --- Text -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("events", [[("message_stop", {})], [("ping", {}), ("message_stop", {})]])
def test_a_stream_of_nothing_is_no_answer(events):
    reader, _ = read(*events)
    with pytest.raises(Failure, match="unavailable"):
        _ = reader.answer


def test_the_events_of_a_stream_come_to_an_answer():
    reader, pieces = read(start(), text("Yes"), text(", it is."), *end())
    assert pieces == ["", "Yes", ", it is.", "", ""]
    assert reader.answer == "Yes, it is."
    assert (reader.answer.model, reader.answer.stop_reason) == ("claude-test-model", "end_turn")
    assert reader.answer.message_id == "msg_1"
    assert reader.answer.usage == Usage(input_tokens=5, output_tokens=9, thinking_tokens=7)


def test_another_stream_is_another_answer():
    reader, _ = read(*whole(text("Yes")), *whole(text("No")))
    assert reader.answer == "No"


def test_a_message_that_begins_anew_takes_back_what_came_before_it():
    reader, pieces = read(start(), text("Perh"), *whole(text("No")))
    assert shown(pieces) == ["Perh", "restart", "No"]
    assert (reader.answer, reader.answer.usage.output_tokens) == ("No", 1 + 9)


def test_text_that_comes_before_the_start_is_not_lost():
    reader, pieces = read(text("Yes"), *whole(text(".")))
    assert shown(pieces) == ["Yes", "."]
    assert reader.answer == "Yes."


def test_a_stream_that_breaks_off_has_no_answer():
    reader, _ = read(start(), text("Yes"), end()[0])
    with pytest.raises(Failure):
        _ = reader.answer


def test_counts_are_totals_and_the_latest_stands():
    reader, _ = read(start(), end(usage={"output_tokens": 7})[0], *end())
    assert reader.usage.output_tokens == 9


def test_text_may_come_with_the_start_of_its_block():
    reader, pieces = read(start(), block("text", text="Hello "), text("world"), *end())
    assert shown(pieces) == ["Hello ", "world"]
    assert reader.answer == "Hello world"


@pytest.mark.parametrize(
    "event",
    [
        text(None),
        text(5),
        delta("thinking_delta", thinking="hm"),
        delta("thinking_delta", thinking=None),
        delta("signature_delta"),
        delta("a_delta_to_come", text="no"),
        delta("text_delta"),
        block("text", text=None),
        block("text"),
        block("a_block_to_come", text="no"),
        block(None),
        ("content_block_start", {"content_block": {}}),
        ("message_delta", {"delta": None, "usage": None}),
        ("message_delta", {"delta": "x", "usage": "x"}),
        ("message_delta", {"delta": {"stop_reason": 5}}),
        ("message_delta", ["x"]),
        ("an_event_to_come", []),
    ],
)
def test_what_is_no_text_shows_nothing_and_costs_no_answer(event):
    reader, pieces = read(start(), text("Yes"), event, text("."), *end())
    assert shown(pieces) == ["Yes", "."]
    assert reader.answer == "Yes."


@pytest.mark.parametrize(
    "message", [None, "x", {"model": 5, "usage": [1]}, {"model": None, "usage": None, "id": 5, "diagnostics": 5}]
)
def test_a_start_of_any_shape_costs_no_answer(message):
    reader, _ = read(("message_start", {"message": message}), text("Yes"), *end())
    assert (reader.answer, reader.answer.model, reader.answer.message_id) == ("Yes", "a model", None)


# --- Thinking -------------------------------------------------------------------------------------


def test_thinking_is_told_and_kept_unchanged_but_never_shown():
    reader, pieces = read(*whole(*thought("Hm, "), text("Yes.")))
    assert shown(pieces) == ["thinking", "Yes."]
    assert reader.answer == "Yes."
    assert reader.answer.content == [
        {"type": "thinking", "thinking": "Hm, ", "signature": "EqQB"},
        {"type": "text", "text": "Yes."},
    ]
    assert reader.answer.usage.thinking_tokens == 7


def test_thinking_that_is_left_out_keeps_its_signature():
    reader, pieces = read(*whole(*thought(), text("Yes.")))
    assert pieces[1] is THINKING
    assert reader.answer.content[0] == {"type": "thinking", "thinking": "", "signature": "EqQB"}


@pytest.mark.parametrize(
    "kept",
    [
        {"type": "redacted_thinking", "data": "EmwK"},
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "sky"}},
        {"type": "a_block_to_come", "text": "no", "more": [{"a": None}]},
    ],
)
def test_a_block_without_text_is_kept_as_it_came(kept):
    reader, pieces = read(*whole(("content_block_start", {"content_block": kept}), block("text", text="Yes.")))
    assert shown(pieces)[-1] == reader.answer == "Yes."
    assert reader.answer.content[0] == kept


def test_text_and_thinking_may_take_turns():
    reader, pieces = read(*whole(*thought(), text("One, "), *thought(), text("two.")))
    assert shown(pieces) == ["thinking", "One, ", "thinking", "two."]
    assert reader.answer == "One, two."
    assert [kept["type"] for kept in reader.answer.content] == ["thinking", "text", "thinking", "text"]


def test_text_without_a_block_of_its_own_is_text_all_the_same():
    """As from a gateway that leaves the start of a block out."""
    reader, pieces = read(
        *whole(block("thinking", thinking=""), text("Yes"), delta("thinking_delta", thinking="hm"), text("."))
    )
    assert shown(pieces) == ["thinking", "Yes", "."]
    assert reader.answer == "Yes."
    assert reader.answer.content == [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "Yes."}]


@pytest.mark.parametrize(
    "blocks",
    [thought(), thought("Hm"), [block("redacted_thinking", data="EmwK")], [*thought(), text(" \n")]],
    ids=["left out", "summary", "redacted", "blank text"],
)
def test_an_answer_that_is_all_thinking_is_a_failure_that_says_what_to_raise(blocks):
    reader, _ = read(start(), *blocks, *end("max_tokens"))
    with pytest.raises(Failure) as caught:
        _ = reader.answer
    assert (caught.value.kind, caught.value.status) == ("all_thinking", 502)
    assert "CLAUDE_MAX_TOKENS" in caught.value.detail


@pytest.mark.parametrize(
    "reason", ["max_tokens", "model_context_window_exceeded", "pause_turn", "stop_sequence", "new"]
)
def test_what_came_before_an_early_end_is_an_answer(reason):
    reader, _ = read(start(), *thought(), text("As far as"), *end(reason))
    assert (reader.answer, reader.answer.stop_reason) == ("As far as", reason)


def test_an_answer_without_text_and_thinking_is_empty():
    reader, _ = read(start(), *end("max_tokens"))
    assert (reader.answer, reader.answer.content) == ("", [])


# --- Refusals -------------------------------------------------------------------------------------


def test_a_refusal_at_once_has_an_empty_answer_and_its_category():
    reader, pieces = read(start(), *refusal("cyber"))
    assert shown(pieces) == []
    assert (reader.answer, reader.answer.stop_reason, reader.answer.refusal_category) == ("", "refusal", "cyber")
    assert reader.answer.refusal == REFUSALS["cyber"]


def test_what_was_said_before_a_refusal_is_taken_back():
    reader, pieces = read(start(), *thought(), text("First,"), *refusal())
    assert shown(pieces) == ["thinking", "First,", "restart"]
    assert (reader.answer, reader.answer.content) == ("", [])
    assert reader.answer.usage.output_tokens == 9


@pytest.mark.parametrize("category", [None, "a_category_to_come", "general_harms", 5, ["cyber"], {}])
def test_a_refusal_of_any_category_has_a_sentence(category):
    reader, _ = read(start(), *refusal(category))
    assert reader.answer.refusal == REFUSALS[""]
    assert reader.answer.refusal_category == (category if isinstance(category, str) else None)


@pytest.mark.parametrize("details", [None, 5, "cyber", ["cyber"], {"category": {"type": "cyber"}}, {}])
def test_stop_details_of_any_shape_are_a_refusal_all_the_same(details):
    reader, _ = read(start(), *end("refusal", stop_details=details))
    assert reader.answer.as_dict()["refusal_category"] is None
    assert reader.answer.as_dict()["refusal"] == REFUSALS[""]


def test_an_answer_that_is_no_refusal_says_nothing_of_one():
    reader, _ = read(*whole(text("I cannot say.")))
    assert not {"refusal", "refusal_category"} & set(reader.answer.as_dict())


# --- Another model of the API's own choice --------------------------------------------------------

FALLBACK = block("fallback", **{"from": {"model": "m"}, "to": {"model": "n"}})


def test_a_fallback_of_the_api_takes_back_what_the_first_model_said():
    reader, pieces = read(start("m"), text("First,"), FALLBACK, block("text", text=""), text("Yes."), *end())
    assert shown(pieces) == ["First,", "restart", "Yes."]
    assert (reader.answer, reader.answer.model) == ("Yes.", "n")


@pytest.mark.parametrize("to", [None, 5, "n", {"model": None}])
def test_a_fallback_of_the_api_may_have_any_shape(to):
    reader, _ = read(start("m"), text("First,"), block("fallback", to=to), text("Yes."), *end())
    assert (reader.answer, reader.answer.model) == ("Yes.", "m")


LEDGER = [
    {"type": "message", "model": "m", "input_tokens": 5, "output_tokens": 3},
    {"type": "fallback_message", "model": "n", "input_tokens": 6, "output_tokens": 9},
]


@pytest.mark.parametrize("times", [1, 2])
def test_what_each_model_of_a_fallback_took_is_told_apart(times):
    counts = {"input_tokens": 6, "output_tokens": 9, "iterations": LEDGER}
    ends = [end(usage=counts)[0]] * times
    reader, _ = read(start("m"), text("First,"), FALLBACK, text("Yes."), *ends, STOP)
    assert reader.answer.usage == Usage(input_tokens=11, output_tokens=12)
    first, second = reader.answer.iterations
    assert (first.model, first.usage) == ("m", Usage(5, 3))
    assert (second.model, second.usage, second.stop_reason) == ("n", Usage(6, 9), "end_turn")


@pytest.mark.parametrize("listed", [None, 5, True, "all", {"model": "n"}, [], [5, None, "n"], LEDGER[1:], [{}, {}]])
def test_iterations_of_any_shape_cost_no_answer_and_no_count(listed):
    reader, _ = read(start(), text("Yes"), *end(usage={"output_tokens": 9, "iterations": listed}))
    assert (reader.answer, reader.answer.usage) == ("Yes", Usage(5, 9))


def test_an_iteration_without_a_model_is_counted():
    reader, _ = read(
        start(), text("Yes"), *end(usage={"iterations": [{"output_tokens": 1}, {"output_tokens": "x", "model": 5}]})
    )
    assert [iteration.model for iteration in reader.answer.iterations] == [None, "claude-test-model"]
    assert reader.answer.usage.output_tokens == 1


# --- The cache ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("diagnostics", "miss"),
    [
        ({"cache_miss_reason": {"type": "system_changed", "cache_missed_input_tokens": 900}}, "system_changed"),
        ({"cache_miss_reason": None}, None),
        ({"cache_miss_reason": "system_changed"}, None),
        ({"cache_miss_reason": {"type": 5}}, None),
        ({}, None),
        (None, None),
        ([5], None),
        (5, None),
    ],
)
def test_why_the_cache_did_not_serve_is_known_where_the_api_says_it(diagnostics, miss):
    reader, _ = read(start(diagnostics=diagnostics), text("Yes"), *end())
    assert (reader.cache_miss, reader.answer) == (miss, "Yes")


# --- Counts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", ["12", 1.5, None, -1, True, {}, [], 10**8, 10**30, float("nan"), float("inf")])
def test_a_count_that_is_none_is_ignored(count):
    usage = {"output_tokens": count, "output_tokens_details": {"thinking_tokens": count}}
    reader, _ = read(start(), *end(usage=usage))
    assert reader.usage == Usage(5, 1)


@pytest.mark.parametrize("usage", ["none", 5, [1], False, {"output_tokens_details": 5}, {"output_tokens_details": [7]}])
def test_a_usage_of_any_shape_costs_no_answer(usage):
    reader, _ = read(start(), text("Yes"), *end(usage=usage))
    assert reader.answer.usage == Usage(5, 1)


def test_usages_add_up():
    total = Usage(1, 2, 3, 4, 5) + Usage(10, 20, 30, 40, 50)
    assert total == Usage(11, 22, 33, 44, 55)
    assert total.all_input_tokens == 11 + 33 + 44


def test_an_answer_equals_its_text_and_keeps_what_it_knows():
    answer = Answer("Yes", iterations=[Iteration("m", usage=Usage(1))], refusal_category=None)
    assert answer == "Yes"
    assert pickle.loads(pickle.dumps(answer)).iterations == answer.iterations  # noqa: S301


# --- Broken events --------------------------------------------------------------------------------


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
@pytest.mark.parametrize("event", ["content_block_delta", "content_block_start"])
def test_a_broken_event_is_a_failure(event, data):
    with pytest.raises(Failure) as caught:
        list(AnswerReader().feed(f"event: {event}\ndata: {data}\n\n".encode()))
    assert caught.value.kind == "unavailable"


@pytest.mark.parametrize("said", ["overloaded", {"type": ["overloaded_error"]}, {"type": 5, "details": 5}, None])
def test_an_error_event_of_any_shape_is_a_failure(said):
    with pytest.raises(Failure) as caught:
        read(("error", {"error": said}))
    assert caught.value.kind == "unavailable"


def test_an_error_event_says_what_it_stands_for():
    with pytest.raises(Failure) as caught:
        read(*whole(text("Yes"), error("overloaded_error")))
    assert caught.value.cause == "overloaded"


@pytest.mark.parametrize(
    "said",
    [r'"\ud83d"', r'"\ud83d\ude00"', r'"\u0000"', "[NaN, Infinity]", "[" * 300 + "]" * 300, "1" * 4000],
)
def test_json_says_what_it_says_to_python(said):
    assert repr(parsed(said.encode())) == repr(json.loads(said))


# --- A whole message ------------------------------------------------------------------------------

MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [{"type": "text", "text": "Yes"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 5, "output_tokens": 9},
}


def read_whole(**odd):
    """The answer in a message as `messages.create` gives it: the SDK checks nothing of what comes."""
    return AnswerReader("asked").read(Message.construct(**(MESSAGE | odd)))


def test_a_whole_message_is_an_answer():
    answer = read_whole()
    assert (answer, answer.model, answer.message_id, answer.usage) == ("Yes", "m", "msg_1", Usage(5, 9))
    assert answer.content == MESSAGE["content"]


def test_the_text_blocks_of_a_message_are_its_answer():
    thinking = {"type": "thinking", "thinking": "hm", "signature": "EqQB"}
    other = {"type": "a_block_to_come", "text": "no"}
    blocks = [
        thinking,
        {"type": "text", "text": "Y"},
        other,
        {"type": "text", "text": None},
        {"type": "text", "text": "es"},
    ]
    answer = read_whole(content=blocks)
    assert answer == "Yes"
    assert [answer.content[0], answer.content[2]] == [thinking, other]


def test_a_message_that_is_a_refusal_has_an_empty_answer():
    answer = read_whole(stop_reason="refusal", stop_details={"type": "refusal", "category": "bio", "explanation": None})
    assert (answer, answer.refusal_category) == ("", "bio")


def test_a_message_that_is_all_thinking_is_a_failure():
    with pytest.raises(Failure) as caught:
        read_whole(content=[{"type": "thinking", "thinking": "", "signature": ""}], stop_reason="max_tokens")
    assert caught.value.kind == "all_thinking"


@pytest.mark.parametrize(
    "odd",
    [
        {"usage": None},
        {"usage": "many"},
        {"usage": {"input_tokens": "5", "output_tokens": 1.5, "iterations": 5}},
        {"usage": {"input_tokens": {}, "output_tokens": -1, "output_tokens_details": 5}},
        {"usage": {"input_tokens": 10**30, "output_tokens": float("nan")}},
        {"model": None},
        {"model": 5},
        {"id": None},
        {"stop_reason": None},
        {"stop_reason": ["end_turn"]},
        {"stop_details": 5},
        {"diagnostics": [5]},
        {"content": [None, 5, {}, {"type": "text"}, {"type": "text", "text": "Yes"}, {"type": "text", "text": None}]},
    ],
)
def test_a_message_of_an_odd_shape_costs_no_answer(odd):
    assert read_whole(**odd) == "Yes"


@pytest.mark.parametrize(
    "message",
    [
        "<!doctype html>",
        None,
        SimpleNamespace(content="Yes", stop_reason="end_turn"),
        Message.construct(**MESSAGE | {"content": "Yes"}),
        Message.construct(**MESSAGE | {"content": None}),
        Message.construct(**MESSAGE | {"content": [], "stop_reason": None}),
        Message.construct(),
    ],
)
def test_what_is_no_message_is_a_failure(message):
    with pytest.raises(Failure) as caught:
        AnswerReader().read(message)
    assert caught.value.kind == "unavailable"


def test_signs_are_told_apart_by_identity_and_hold_no_text():
    assert {WAITING, THINKING, RESTART} == {""}
    assert [sign.meaning for sign in (WAITING, THINKING, RESTART)] == ["waiting", "thinking", "restart"]
