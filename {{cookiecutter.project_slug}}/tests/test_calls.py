"""A call to Claude: its line in the log, who is told of it, and what becomes of an error."""

import asyncio
import logging
import threading
import traceback

import anthropic
import httpx2
import pytest
from django.contrib.auth import get_user_model
from django.db import connection

from claude import calls
from claude.answers import Usage
from claude.call import as_failure
from claude.failures import Failure, Refused
from tests.asking import ask, within_a_call
from tests.endpoints import PATHS

pytestmark = pytest.mark.django_db


def lines(caplog):
    return [record for record in caplog.records if record.name == "claude"]


@pytest.fixture(autouse=True)
def info(caplog):
    caplog.set_level(logging.INFO)


# --- The line -------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PATHS)
def test_an_answer_says_what_it_took_and_who_asked(user, caplog, settings, path, django_user_model):
    reply = user.post(path, {"prompt": "my secret question"})
    said = reply.json if path == "/chat/ask/" else reply.events[-1]
    (line,) = lines(caplog)
    assert line.levelno == logging.INFO
    assert (line.outcome, line.stop_reason, line.model) == ("answered", "end_turn", settings.ANTHROPIC_MODEL)
    assert (line.purpose, line.user_id) == ("chat", django_user_model.objects.get().pk)
    assert {name: getattr(line, name) for name in Usage().as_dict()} == said["usage"]
    assert line.anthropic_request_id.startswith("req_offline_")
    assert line.seconds >= line.seconds_to_first_token >= 0
    assert "secret" not in str(vars(line))
    assert "stand-in" not in str(vars(line))


@pytest.mark.parametrize("path", PATHS)
def test_a_failure_says_what_it_took_in_the_line_that_finds_its_cause(user, caplog, path):
    user.post(path, {"prompt": "fail overloaded_error"})
    (line,) = lines(caplog)
    assert (line.levelno, line.outcome, line.stop_reason) == (logging.WARNING, "unavailable", None)
    assert line.anthropic_request_id in line.getMessage()
    assert line.output_tokens == 0


def test_a_call_that_is_left_says_so(caplog):
    def leave(call):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        within_a_call(leave)
    (line,) = lines(caplog)
    assert (line.outcome, line.stop_reason) == ("left", None)


def test_a_call_by_hand_is_told_apart_by_its_purpose(caplog):
    answer, call = ask(purpose="summary")
    (line,) = lines(caplog)
    assert (line.purpose, line.user_id, line.outcome) == ("summary", None, "answered")
    assert call.anthropic_request_id == answer.anthropic_request_id == line.anthropic_request_id


# --- The two signals ------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PATHS)
def test_a_receiver_may_refuse_a_call_and_claude_is_not_asked(user, wire, connect, caplog, path):
    def refuse(*, call, **kwargs):
        raise Refused(402, "Your budget is used up.", retry_after=60)

    ended = []

    def listen(*, call, **kwargs):
        ended.append(call.outcome)

    connect(calls.call_starting, refuse)
    connect(calls.call_ended, listen)
    reply = user.post(path, {"prompt": "Hello"})
    assert (reply.status, reply.json) == (402, {"error": "Your budget is used up.", "status": 402})
    assert reply.headers["Retry-After"] == "60"
    assert wire == []
    assert ended == ["refused"]
    assert [line.levelno for line in lines(caplog)] == [logging.INFO]


@pytest.mark.parametrize("path", PATHS)
def test_an_asynchronous_receiver_may_refuse_a_call_too(user, wire, connect, path):
    async def refuse(*, call, **kwargs):
        raise Refused(402, "Your budget is used up.")

    connect(calls.call_starting, refuse)
    assert user.post(path, {"prompt": "Hello"}).status == 402
    assert wire == []


@pytest.mark.parametrize("path", PATHS)
def test_of_several_refusals_the_first_counts_and_none_is_an_error(user, connect, caplog, path):
    async def refuse(**kwargs):
        raise Refused(402, "Your budget is used up.")

    async def refuse_too(**kwargs):
        raise Refused(403, "Not today.")

    connect(calls.call_starting, refuse)
    connect(calls.call_starting, refuse_too)
    assert user.post(path, {"prompt": "Hello"}).status == 402
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


@pytest.mark.parametrize("path", PATHS)
def test_what_one_receiver_reserves_is_done_before_the_end_when_another_refuses(user, connect, path):
    heard = []

    async def refuse(**kwargs):
        raise Refused(402, "Your budget is used up.")

    async def reserve(**kwargs):
        for _ in range(1000):  # longer than the refusal takes
            await asyncio.sleep(0)
        heard.append("reserved")

    def listen(*, call, **kwargs):
        heard.append(call.outcome)

    connect(calls.call_starting, refuse)
    connect(calls.call_starting, reserve)
    connect(calls.call_ended, listen)
    assert user.post(path, {"prompt": "Hello"}).status == 402
    assert heard == ["reserved", "refused"]


@pytest.mark.parametrize("path", PATHS)
def test_a_receiver_that_breaks_before_a_call_stops_it(user, wire, connect, caplog, path):
    def stumble(**kwargs):
        raise ZeroDivisionError

    connect(calls.call_starting, stumble)
    reply = user.post(path, {"prompt": "Hello"})
    assert (reply.status, reply.json["error"]) == (500, "Something went wrong")
    assert wire == []
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize("path", PATHS)
def test_a_receiver_of_the_end_may_use_the_database(user, connect, path):
    heard = []

    def listen(*, call, **kwargs):
        get_user_model().objects.create(username="written by a receiver")
        heard.append((call.outcome, call.purpose, call.user.username, call.usage.output_tokens > 0))

    connect(calls.call_ended, listen)
    assert user.post(path, {"prompt": "Hello"}).status == 200
    assert heard == [("answered", "chat", "user", True)]
    assert get_user_model().objects.filter(username="written by a receiver").exists()


@pytest.mark.parametrize("path", PATHS)
def test_a_receiver_of_the_end_may_be_asynchronous(user, connect, path):
    heard = []

    async def listen(*, call, **kwargs):
        heard.append(call.outcome)

    connect(calls.call_ended, listen)
    assert user.post(path, {"prompt": "Hello"}).status == 200
    assert heard == ["answered"]


@pytest.mark.parametrize("path", PATHS)
def test_a_receiver_that_breaks_after_a_call_takes_nothing_from_an_answer(user, caplog, connect, path):
    def stumble(**kwargs):
        raise ZeroDivisionError

    async def stumble_too(**kwargs):
        raise LookupError

    connect(calls.call_ended, stumble)
    connect(calls.call_ended, stumble_too)
    reply = user.post(path, {"prompt": "Why is the sky blue?"})
    assert reply.status == 200
    assert "error" not in reply.text
    assert "ZeroDivisionError" in caplog.text
    assert "LookupError" in caplog.text


# --- Errors ---------------------------------------------------------------------------------------

REQUEST = httpx2.Request("POST", "https://api.anthropic.com/v1/messages")


def test_an_error_of_the_block_s_own_code_passes_as_it_is(caplog):
    def stumble(call):
        raise ZeroDivisionError("ours")

    with pytest.raises(ZeroDivisionError, match="ours"):
        within_a_call(stumble)
    assert [line.outcome for line in lines(caplog)] == ["left"]


def test_a_failure_has_nothing_of_the_error_that_it_stands_for(monkeypatch, caplog):
    def fail(*args):
        raise anthropic.APIStatusError("a secret", response=httpx2.Response(418, request=REQUEST), body={"error": 5})

    monkeypatch.setattr(calls, "limit_attempt", fail)
    with pytest.raises(Failure) as caught:
        ask("fail overloaded_error")
    assert caught.value.__suppress_context__
    assert caught.value.__cause__ is None
    assert "secret" not in caplog.text


def test_an_error_nobody_can_classify_is_a_failure_all_the_same(monkeypatch, caplog):
    error = anthropic.APIStatusError("a secret", response=httpx2.Response(400, request=REQUEST), body=None)
    error.response = None
    assert as_failure(error).kind == "unexpected"


def test_the_sdk_s_own_surprise_is_an_error_without_its_traceback(caplog):
    """Its exceptions hold the prompt and the key."""

    def surprise(call):
        call.end(call.failure_for(raised(anthropic.APIError("a secret", REQUEST, body=None))))

    within_a_call(surprise)
    record = lines(caplog)[0]
    assert (record.levelno, record.exc_info) == (logging.ERROR, None)
    assert "a secret" not in caplog.text


def test_an_error_that_comes_after_the_sdk_s_own_shows_nothing_of_it():
    def stumble(call):
        try:
            raise raised(anthropic.APIError("a secret", REQUEST, body=None))
        finally:
            try:
                raise LookupError("first")
            finally:
                raise ZeroDivisionError("ours")

    with pytest.raises(ZeroDivisionError) as caught:
        within_a_call(stumble)
    shown = "".join(traceback.format_exception(caught.value))
    assert "first" in shown
    assert "a secret" not in shown


def raised(error):
    """An error with a traceback that leads through the SDK."""
    names = {"__name__": "anthropic._client", "error": error}
    try:
        exec("raise error", names)  # noqa: S102
    except Exception as caught:
        return caught


def test_what_came_before_an_error_goes_no_further():
    """That may quote the prompt."""
    error = raised(ZeroDivisionError())
    error.__cause__ = ValueError("a secret")
    within_a_call(lambda call: call.failure_for(error))
    assert (error.__cause__, error.__suppress_context__) == (None, True)


# --- Time -----------------------------------------------------------------------------------------


def test_while_claude_answers_and_after_the_receivers_no_database_connection_is_held(monkeypatch, wire):
    closed = []
    monkeypatch.setattr(calls, "release_connections", lambda: closed.append((threading.get_ident(), len(wire))))
    ask()
    assert [sent for _, sent in closed] == [0, 1]
    assert connection.in_atomic_block
