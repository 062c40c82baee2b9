"""One clock for a whole call, against a server on this machine that sends what no good server would."""

import math
import struct
from contextlib import suppress
from socket import SO_LINGER, SOL_SOCKET

import pytest

from claude import deadline
from claude.deadline import Deadline
from claude.failures import Failure
# % if cookiecutter.view_style == "sync"
from tests import streams
from tests.asking import ask
# % else
from tests import streams
from tests.asking import ask, read_streams
# % endif
from tests.endpoints import PATHS

pytestmark = pytest.mark.django_db

TOO_LONG = {"error": "The answer took too long", "status": 504}
RESTARTING = {"error": "The server is restarting, please ask again in a moment", "status": 503}
UNAVAILABLE = {"error": "AI service unavailable", "status": 502}

STREAM = streams.body(streams.whole(streams.text("The sky.")))


def head(*headers):
    return "\r\n".join(["HTTP/1.1 200 OK", "Content-Type: text/event-stream", *headers, "", ""]).encode()


def chunk(data):
    return b"%x\r\n%b\r\n" % (len(data), data)


def begin(ending):
    """The first part of an answer, whose body is to end in a way of its own."""
    part = STREAM[: len(STREAM) // 2]
    return {
        "no word": b"",
        "half a header": b"HTTP/1.1 200 OK\r\nContent-Ty",
        "early hints": b"HTTP/1.1 103 Early Hints\r\n\r\n",
        "length": head(f"Content-Length: {len(STREAM)}") + part,
        "chunks": head("Transfer-Encoding: chunked") + chunk(part),
        "close": head("Connection: close") + part,
    }[ending]


def go_on(connection, ending):
    """Sends what keeps an answer going until the project hangs up."""
    hint = b"HTTP/1.1 103 Early Hints\r\n\r\n"
    more = {"half a header": b"x", "early hints": hint, "chunks": chunk(b" "), "close": b" "}
    repeat(connection, more.get(ending, b""))


def repeat(connection, data):
    connection.settimeout(0.01)
    while True:
        connection.sendall(data)
        with suppress(TimeoutError):
            if not connection.recv(1):
                return


def reply_of(user, path):
    reply = user.post(path, {"prompt": "Why?"})
    return reply.events[-1] if reply.headers["Content-Type"] == "text/event-stream" else reply.json


ENDINGS = ["no word", "half a header", "early hints", "length", "chunks", "close"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_call_ends_by_its_deadline_however_its_answer_would_end(user, api, settings, path, ending):
    settings.CLAUDE_DEADLINE = 0.15
    api.answer = lambda connection: [connection.sendall(begin(ending)), go_on(connection, ending)]
    assert reply_of(user, path) == TOO_LONG


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_call_learns_that_the_server_stops_however_its_answer_would_end(user, api, monkeypatch, path, ending):
    # % if cookiecutter.view_style != "async"
    monkeypatch.setattr(deadline, "LOOK_AROUND", 0.02)
    # % endif
    monkeypatch.setattr(deadline, "drain_at", math.inf)

    def answer(connection):
        connection.sendall(begin(ending))
        deadline.drain(0.05)  # it waits by now, or will soon
        go_on(connection, ending)

    api.answer = answer
    assert reply_of(user, path) == RESTARTING


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
def test_a_cut_connection_is_no_answer(user, api, settings, path, ending, reset):
    settings.CLAUDE_MAX_RETRIES = 0

    def answer(connection):
        connection.sendall(begin(ending))
        if reset:
            connection.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))

    api.answer = answer
    assert reply_of(user, path) == UNAVAILABLE


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("junk", [b"zz\r\n", b"5\r\nmore than five"])
def test_chunks_that_are_broken_are_no_answer(user, api, settings, path, junk):
    settings.CLAUDE_TIMEOUT, settings.CLAUDE_MAX_RETRIES = 0.2, 0

    def answer(connection):
        connection.sendall(begin("chunks"))
        connection.settimeout(0.05)
        with suppress(TimeoutError):  # until then, the project has read this much
            connection.recv(1)
        connection.sendall(junk)
        connection.settimeout(None)
        connection.recv(1)

    api.answer = answer
    assert reply_of(user, path) == UNAVAILABLE


@pytest.mark.parametrize("seconds", [1e10, math.inf, 1e300, 2])
@pytest.mark.parametrize("timeout", [60, 1e10, math.inf, math.nan])
def test_a_number_that_no_clock_takes_is_a_long_time(api, settings, seconds, timeout):
    settings.CLAUDE_DEADLINE = seconds
    settings.CLAUDE_TIMEOUT = timeout
    api.answer = lambda connection: connection.sendall(head(f"Content-Length: {len(STREAM)}") + STREAM)
    assert ask()[0] == "The sky."


@pytest.mark.parametrize("seconds", [-1, 0, math.nan, -math.inf])
def test_a_number_that_is_no_time_ends_a_call_at_once(api, seconds):
    with pytest.raises(Failure) as caught:
        ask(deadline=Deadline(seconds))
    assert caught.value.kind == "timed_out"
    assert api.questions == 0


def test_calls_may_share_one_deadline(api, settings):
    settings.CLAUDE_DEADLINE = 0.1
    api.answer = lambda connection: go_on(connection, "early hints")
    shared = Deadline()
    kinds = []
    for _ in range(2):
        with pytest.raises(Failure) as caught:
            ask(deadline=shared)
        kinds.append(caught.value.kind)
    assert kinds == ["timed_out", "timed_out"]
    assert api.questions <= 1
# % if cookiecutter.view_style != "sync"
{{ "\n" }}
@pytest.mark.parametrize("after", [b"", chunk(b": ping\n\n")], ids=["silent", "pings"])
def test_an_answer_is_given_at_its_last_event_and_not_when_the_connection_ends(user, api, after):
    """Which it never does, until the project closes it."""

    def answer(connection):
        connection.sendall(head("Transfer-Encoding: chunked") + chunk(STREAM))
        repeat(connection, after)

    api.answer = answer
    assert reply_of(user, "/chat/stream/")["done"] is True


def test_a_connection_serves_the_next_call_when_its_answer_has_ended(api):
    def answer(connection):
        connection.sendall(head("Transfer-Encoding: chunked") + chunk(STREAM))
        connection.sendall(chunk(b""))
        return True

    api.answer = answer
    assert read_streams(3) == 3 * ["The sky."]
    assert (api.questions, api.connections) == (3, 1)
# % endif
