"""Responses of any shape, as proxies and faults make them, on their way through the real SDK."""

import gzip
import json
import logging

import httpx2
import pytest

from claude import body, offline
from tests.endpoints import PATHS
from tests.streams import end, start, text

pytestmark = pytest.mark.django_db


@pytest.fixture
def respond(monkeypatch):
    """respond(content, …) has the API answer with that. Gives the requests that it was sent."""
    seen = []

    def respond(content, status=200, **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}

        def response(request, sent):
            seen.append(sent)
            return httpx2.Response(status, headers=headers, stream=httpx2.ByteStream(content))

        monkeypatch.setattr(offline, "respond", response)
        return seen

    return respond


@pytest.mark.parametrize(
    "odd",
    [
        [("message_start", {"message": {"model": 5, "usage": "many"}}), text("Yes"), *end()],
        [start(), text("Yes"), *end(stop_reason=["end_turn"], usage={"input_tokens": 10**30, "iterations": 5})],
        [start(), ("ping", None), ("an_event_to_come", [5]), text(None), text("Yes"), *end(stop_details=[5])],
        [text("Yes"), *end(stop_reason=None)],
    ],
)
@pytest.mark.parametrize("path", PATHS)
def test_a_stream_of_an_odd_shape_costs_no_answer(user, play, caplog, path, odd):
    caplog.set_level(logging.INFO)
    play(odd)
    reply = user.post(path, {"prompt": "Hello"})
    assert reply.status == 200
    assert (reply.json["answer"] if path == "/chat/ask/" else reply.events[0]["delta"]) == "Yes"
    (line,) = [record for record in caplog.records if record.name == "claude"]
    assert line.outcome == "answered"


NUMBER = b"1" * 10_000
DEEP = b"[" * 100_000


@pytest.mark.parametrize(
    "content",
    [
        b'{"content": [{"type": "text", "text": "Yes"}], "stop_reason": "end_turn"}',
        b"[]",
        b'"Yes"',
        b"\xff\xfe",
        b"event: content_block_delta\ndata: \xff\xfe\n\n",
        b"event: error\n\n",
        b'event: message_start\ndata: {"message": {"usage": {"input_tokens": %b}}}\n\n' % NUMBER,
        b'event: message_start\ndata: {"message": %b\n\n' % DEEP,
        b'event: content_block_start\ndata: {"content_block": %b%b}\n\n' % (b"[" * 400, b"]" * 400),
        b"event: message_stop",
    ],
)
@pytest.mark.parametrize("path", PATHS)
def test_what_is_no_answer_is_a_failure_of_the_api_and_no_bug(user, respond, caplog, path, content):
    respond(content, content_type="text/event-stream")
    assert user.post(path, {"prompt": "my secret question"}).status == 502
    (line,) = [record for record in caplog.records if record.name == "claude"]
    assert (line.levelno, line.exc_info) == (logging.WARNING, None)


DETAILS = [5, "text", [], {"error_code": 5}, {"error_code": ["a"]}, json.loads("[" * 400 + "]" * 400)]


@pytest.mark.parametrize("status", [400, 529])
@pytest.mark.parametrize(
    "content",
    [
        *(json.dumps({"error": {"type": ["Words of the API"], "details": details}}).encode() for details in DETAILS),
        json.dumps({"error": {"type": "\ud800", "message": "Words of the API \ud800"}}).encode(),
        b'{"error": {"type": "x", "message": %b}}' % NUMBER,
        b'{"error": %b' % DEEP,
        b"[5]",
        b'"Words of the API"',
        b"Words of the API\xff",
    ],
)
@pytest.mark.parametrize("path", PATHS)
def test_an_error_of_any_shape_is_a_failure_that_quotes_nothing(user, respond, caplog, path, content, status):
    respond(content, status, content_type="application/json", retry_after="\x80soon")
    assert user.post(path, {"prompt": "my secret question"}).status == 502
    assert "Words" not in caplog.text
    assert "secret" not in caplog.text


def test_nothing_compressed_is_asked_for(user, wire):
    user.post("/chat/ask/", {"prompt": "Hello"})
    assert wire[0]["headers"]["accept-encoding"] == "identity"


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("status", [200, 429])
def test_what_comes_compressed_all_the_same_is_not_unpacked(user, respond, path, status, monkeypatch):
    monkeypatch.setattr(httpx2._decoders.GZipDecoder, "decode", None)
    bomb = gzip.compress(bytes(100_000))
    respond(bomb, status, content_encoding="gzip", content_type="application/json; charset=zlib", retry_after="3")
    assert user.post(path, {"prompt": "Hello"}).status == (429 if status == 429 else 502)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("status", [200, 400])
def test_a_body_that_is_too_large_is_left(user, respond, settings, monkeypatch, caplog, path, status):
    monkeypatch.setattr(body, "LARGEST", 1000)
    settings.CLAUDE_MAX_RETRIES = 1
    seen = respond(b"x" * 1001, status, content_type="application/json")
    assert user.post(path, {"prompt": "Hello"}).status == 502
    assert len(seen) == 1  # what came is paid for
    assert "larger than 1,000 bytes" in caplog.text
