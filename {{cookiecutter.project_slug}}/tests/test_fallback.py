"""Another model answers where the first declines, or is down."""

import logging
import math

import httpx2
import pytest

from claude import calls, deadline
from claude.answers import Usage
from claude.deadline import Deadline
from claude.failures import Failure
from claude.reader import THINKING
from tests.asking import ask, read
from tests.streams import block, end, error, refusal, start, text, thought, whole

pytestmark = pytest.mark.django_db

FIRST, SECOND = "claude-opus-5-5", "claude-opus-4-8"
ANSWER = whole(text("Yes."), model=SECOND)


@pytest.fixture(autouse=True)
def fallback(settings, caplog):
    settings.ANTHROPIC_MODEL, settings.CLAUDE_FALLBACK_MODEL = FIRST, SECOND
    caplog.set_level(logging.INFO)


def failure_of(prompt="Hello", **details):
    with pytest.raises(Failure) as caught:
        ask(prompt, **details)
    return caught.value


def models(seen):
    return [attempt["body"]["model"] for attempt in seen]


# --- Where the first model declines ---------------------------------------------------------------


@pytest.mark.parametrize("said", [[], thought(), [text("First,")]], ids=["at once", "after a thought", "after text"])
def test_what_one_model_declines_another_answers(play, said):
    seen = play([start(FIRST), *said, *refusal("cyber")], ANSWER)
    answer, _ = ask()
    assert models(seen) == [FIRST, SECOND]
    assert (answer, answer.model, answer.stop_reason, answer.refusal_category) == ("Yes.", SECOND, "end_turn", None)
    assert answer.content == [{"type": "text", "text": "Yes."}]


def test_what_the_first_model_said_is_taken_back_before_the_second_speaks(play):
    play([start(FIRST), text("First,"), *refusal()], whole(*thought(), text("Yes."), model=SECOND))
    pieces, answer = read()
    signs = [piece or piece.meaning for piece in pieces if piece or piece.meaning != "waiting"]
    assert signs == ["First,", "restart", "thinking", "Yes."]
    assert answer == "Yes."


def test_what_each_model_took_is_told_apart_in_the_answer_and_in_the_log(play, caplog):
    play([start(FIRST), text("First,"), *refusal("bio")], ANSWER)
    answer, _ = ask()
    each = Usage(input_tokens=5, output_tokens=9, thinking_tokens=7)
    assert answer.usage == each + each
    assert [(one.model, one.stop_reason, one.refusal_category) for one in answer.iterations] == [
        (FIRST, "refusal", "bio"),
        (SECOND, "end_turn", None),
    ]
    assert [one.usage for one in answer.iterations] == [each, each]
    declined, line = (record for record in caplog.records if record.name == "claude")
    assert declined.getMessage() == f"{FIRST} declined, category bio: {SECOND} is asked"
    assert (line.outcome, line.model, line.iterations) == (
        "answered",
        SECOND,
        [one.as_dict() for one in answer.iterations],
    )
    assert line.anthropic_request_id == answer.anthropic_request_id == "req_2"
    assert "Words of the API" not in caplog.text


def test_one_model_alone_has_no_list_of_iterations_in_the_log(play, caplog):
    play(whole(text("Yes.")))
    ask()
    (line,) = (record for record in caplog.records if record.name == "claude")
    assert line.iterations is None


@pytest.mark.parametrize("reason", ["end_turn", "max_tokens", "pause_turn", None])
def test_what_is_no_refusal_is_not_asked_again(play, reason):
    seen = play([start(FIRST), text("I cannot say."), *end(reason)])
    assert ask()[0] == "I cannot say."
    assert len(seen) == 1


@pytest.mark.parametrize("name", [SECOND, f"{SECOND}-20260101", "anthropic.second", None, 5])
def test_where_the_second_model_declines_too_nobody_else_is_asked(play, caplog, name):
    """Whatever name it goes by in its answer."""
    seen = play([start(FIRST), *refusal("cyber")], [start(name), text("First,"), *refusal("bio")])
    answer, call = ask()
    assert models(seen) == [FIRST, SECOND]
    assert (answer, answer.refusal_category, call.outcome) == ("", "bio", "declined")
    assert len(answer.iterations) == 2


@pytest.mark.parametrize("failure", ["overloaded_error", "not_found_error", "connect"])
def test_where_the_second_model_fails_the_call_fails_and_says_what_it_took(play, settings, failure):
    settings.CLAUDE_FALLBACK_WHEN_DOWN = True
    seen = play([start(FIRST), *refusal()], failure)
    failed = failure_of()
    assert (failed.status, models(seen)) == (502, [FIRST, SECOND])
    assert failed.usage == Usage(input_tokens=5, output_tokens=9, thinking_tokens=7)


@pytest.mark.parametrize(("asked", "answers"), [(SECOND, SECOND), (SECOND, FIRST), (FIRST, SECOND)])
def test_the_same_model_is_not_asked_twice(play, settings, asked, answers):
    settings.ANTHROPIC_MODEL = asked
    seen = play([start(answers), *refusal()])
    assert ask()[0].stop_reason == "refusal"
    assert len(seen) == 1


def test_without_a_second_model_a_refusal_stands(play, settings):
    settings.CLAUDE_FALLBACK_MODEL = ""
    seen = play([start(FIRST), *refusal()])
    assert ask()[0].stop_reason == "refusal"
    assert len(seen) == 1


def test_a_refusal_that_breaks_off_is_a_failure(play):
    seen = play([start(FIRST), *refusal()[:-1]])
    assert failure_of().kind == "unavailable"
    assert len(seen) == 1


def test_a_refusal_after_a_fallback_of_the_api_s_own_is_asked_once_more(play):
    switched = block("fallback", to={"model": "claude-opus-5"})
    seen = play([start(FIRST), text("First,"), switched, text("Well,"), *refusal()], ANSWER)
    assert ask()[0] == "Yes."
    assert models(seen) == [FIRST, SECOND]


# --- Where the first model is down ----------------------------------------------------------------

DOWN = {
    "overloaded": "overloaded_error",
    "gone": "not_found_error",
    "overloaded at its start": [error("overloaded_error")],
    "overloaded before its text": [start(FIRST), *thought(), error("overloaded_error")],
}


@pytest.mark.parametrize("down", DOWN.values(), ids=DOWN)
def test_where_a_model_is_down_another_answers_if_the_settings_say_so(play, settings, caplog, down):
    settings.CLAUDE_FALLBACK_WHEN_DOWN = True
    seen = play(down, ANSWER)
    answer, _ = ask()
    assert (answer, answer.model, models(seen)) == ("Yes.", SECOND, [FIRST, SECOND])
    assert [one.model for one in answer.iterations] == [FIRST, SECOND]
    assert f"{FIRST} is down" in caplog.text
    assert "stand-in fails" not in caplog.text


@pytest.mark.parametrize("down", DOWN.values(), ids=DOWN)
def test_where_a_model_is_down_nobody_else_is_asked_unless_the_settings_say_so(play, down):
    seen = play(down)
    assert failure_of().status == 502
    assert len(seen) == 1


def test_another_model_is_asked_after_all_retries(play, settings):
    settings.CLAUDE_FALLBACK_WHEN_DOWN = True
    settings.CLAUDE_MAX_RETRIES = 1
    seen = play("overloaded_error", "overloaded_error", ANSWER)
    assert ask()[0] == "Yes."
    assert models(seen) == [FIRST, FIRST, SECOND]


OTHERS = ["authentication_error", "invalid_request_error", "rate_limit_error", "api_error", "no_credit", "spend_limit"]


@pytest.mark.parametrize("failure", [*OTHERS, "connect", "reset", "timeout", "html", "stream_cut", "stream_no_credit"])
def test_no_other_failure_has_another_model_asked(play, settings, failure):
    settings.CLAUDE_FALLBACK_WHEN_DOWN = True
    seen = play(failure)
    failure_of()
    assert len(seen) == 1


def test_no_model_goes_on_with_what_another_has_begun_to_say(play, settings):
    settings.CLAUDE_FALLBACK_WHEN_DOWN = True
    seen = play([start(FIRST), text("First,"), error("overloaded_error")])
    assert failure_of().kind == "unavailable"
    assert len(seen) == 1


@pytest.mark.parametrize("when_down", [False, True])
@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        ("connect", "unavailable"),
        ("timeout", "timed_out"),
        ("stream_timeout", "timed_out"),
        (httpx2.UnsupportedProtocol("ftp"), "misconfigured"),
    ],
)
def test_a_failure_is_the_same_with_a_second_model_and_without(play, settings, when_down, failure, kind):
    settings.CLAUDE_FALLBACK_WHEN_DOWN = when_down
    play(failure)
    assert failure_of().kind == kind


@pytest.mark.parametrize("when_down", [False, True])
def test_a_server_that_stops_says_so_with_a_second_model_too(api, settings, monkeypatch, when_down):
    settings.CLAUDE_FALLBACK_WHEN_DOWN = when_down
    # % if cookiecutter.view_style != "async"
    monkeypatch.setattr(deadline, "LOOK_AROUND", 0.02)
    # % endif
    monkeypatch.setattr(deadline, "drain_at", math.inf)
    api.answer = lambda connection: [deadline.drain(0.02), connection.recv(1)]
    assert failure_of().kind == "restarting"


# --- One call -------------------------------------------------------------------------------------


class Clock(Deadline):
    """A deadline that ends when the test says so."""

    ends_at = math.inf


def test_both_models_share_one_deadline(play):
    clock = Clock()

    def declined():
        yield from [start(FIRST), *refusal()]
        clock.ends_at = 0

    seen = play(declined())
    assert failure_of(deadline=clock).kind == "timed_out"
    assert len(seen) == 1


def test_the_second_request_has_a_key_of_its_own_that_its_retries_keep(play, settings):
    settings.CLAUDE_MAX_RETRIES = 1
    seen = play([start(FIRST), *refusal()], "overloaded_error", ANSWER)
    ask(idempotency_key="click")
    keys = [attempt["headers"]["anthropic-idempotency-key"] for attempt in seen]
    assert keys == ["click", f"click-{SECOND}", f"click-{SECOND}"]


def test_the_second_request_leaves_out_what_the_second_model_does_not_take(play, settings):
    settings.CLAUDE_FALLBACK_MODEL = "claude-haiku-4-5"
    settings.CLAUDE_EFFORT, settings.CLAUDE_THINKING = "max", "adaptive"
    first, second = (attempt["body"] for attempt in asked(play))
    assert (first["output_config"], first["thinking"]) == ({"effort": "max"}, {"type": "adaptive"})
    assert not {"output_config", "thinking"} & set(second)
    assert second["messages"] == first["messages"]


def asked(play):
    seen = play([start(FIRST), *refusal()], ANSWER)
    ask()
    return seen


def test_both_models_are_one_call_to_who_listens(play, connect):
    heard = []

    def starting(*, call, **kwargs):
        heard.append("starting")

    def ended(*, call, **kwargs):
        heard.append((call.outcome, call.model, call.usage.output_tokens, call.request["model"]))

    connect(calls.call_starting, starting)
    connect(calls.call_ended, ended)
    asked(play)
    assert heard == ["starting", ("answered", SECOND, 18, FIRST)]


def test_a_thought_is_told_before_the_answer_is_there(play):
    play(whole(*thought(), text("Yes.")))
    assert THINKING in read()[0][:2]
