"""The user leaves before the answer ends: what Claude is still asked for, what the log says, who may ask next."""

import time
from typing import NamedTuple

import pytest

from claude_server.script import Answer
from http2_client import Http2Client
from http_client import HttpClient
from nginx_server import Site, find_nginx
from production import Log, served_with, until

WORDS = [f"word{number} " for number in range(9)]
LEFT = "The user left before the answer ended: the call to Claude is closed."


class Way(NamedTuple):
    """How a user leaves, and over what."""

    name: str
    client: type
    leave: str
    nginx: bool


WAYS = [
    Way("closes the tab", HttpClient, "close", nginx=False),
    Way("loses the network", HttpClient, "reset", nginx=False),
    Way("closes the tab behind nginx", HttpClient, "close", nginx=True),
    Way("loses the network behind nginx", HttpClient, "reset", nginx=True),
    Way("presses Stop behind nginx", Http2Client, "stop", nginx=True),
]
leaving = pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)


@pytest.fixture(scope="module")
def shared_lane(claude):
    return claude.lane()


@pytest.fixture(scope="module")
def in_production(production, shared_lane, tmp_path_factory):
    """Who holds the one thread, or the one event loop, holds up everybody else."""
    with production.serving(tmp_path_factory.mktemp, shared_lane.base_url, WEB_WORKERS="1", WEB_THREADS="1") as serve:
        yield serve


@pytest.fixture
def log(served):
    return Log(served.server)


@pytest.fixture
def site(served, tmp_path):
    """nginx, not started, in front of the project."""
    return Site(served.project, tmp_path / "site", served.server.port)


@pytest.fixture
def nginx(way, site):
    """nginx in front of the project, where the way leads through it."""
    if not way.nginx:
        yield None
        return
    with site.start(find_nginx("system")):
        yield site


@pytest.fixture
def ask(served, way, nginx):
    """ask(path, fields) asks, and gives the reply that is to come."""
    user = nginx.user(served.cookies(), way.client) if nginx else served.user()
    replies = []

    def ask(path, **fields):
        replies.append(user.start_post(path, fields))
        return replies[-1]

    yield ask
    for reply in replies:
        reply.close()


def next_question_is_answered(served):
    return served.user().post("/chat/ask/", {"prompt": "Who is next?"}).json["answer"] == "You asked: Who is next?"


def nothing_went_wrong(log):
    return {line["level"] for line in log.records()} <= {"INFO"}


def has_left(reply, way, nginx):
    """The user leaves, and nginx has hung up, too. Gives the time at which the user did."""
    lines = nginx and len(nginx.log("access").splitlines())
    now = time.monotonic()
    getattr(reply, way.leave)()
    if nginx:
        until(lambda: len(nginx.log("access").splitlines()) > lines)
    return now


def assert_leaving_is_one_quiet_line(log):
    until(lambda: log.records(message=LEFT))
    (line,) = log.records(message=LEFT)
    assert (line["level"], line["logger"]) == ("INFO", "chat")
    assert nothing_went_wrong(log)


@served_with("streaming", "async")
@pytest.mark.parametrize("heard", [0, 2], ids=["before the first word", "in the middle"])
@leaving
def test_the_call_to_claude_is_closed(served, lane, log, ask, way, nginx, heard):
    """At once in async, though Claude says nothing; in streaming when anything comes, at the latest a word."""
    lane.script(Answer(deltas=WORDS, gated=True))
    reply = ask("/chat/stream/", prompt="Why?")
    lane.wait(arrived=1, timeout=60)
    for word in WORDS[:heard]:
        lane.release(1)
        assert reply.read_event() == {"delta": word}
    (call,) = lane.requests()
    assert call.outcome == "open"
    left_at = has_left(reply, way, nginx)
    if served.view_style == "streaming":
        lane.release(1)
    (call,) = lane.wait(left=1)
    assert (call.outcome, call.socket.closed_by) == ("client left", "client")
    if served.view_style == "streaming":
        assert heard <= call.deltas <= heard + 1
    else:
        assert call.deltas == heard
        assert call.socket.closed_at - left_at < 1
    assert next_question_is_answered(served)
    assert_leaving_is_one_quiet_line(log)


@served_with("streaming")
@leaving
def test_a_thread_notices_it_at_the_next_ping_of_claude(served, lane, ask, way, nginx):
    lane.script(Answer(deltas=WORDS, gated=True, pings=0.02))
    tab = ask("/chat/stream/", prompt="Why?")
    lane.wait(arrived=1, timeout=60)
    has_left(tab, way, nginx)
    (call,) = lane.wait(left=1)
    assert (call.outcome, call.deltas) == ("client left", 0)
    assert next_question_is_answered(served)


@served_with("async")
@pytest.mark.parametrize("path", ["/chat/ask/", "/chat/ask-many/", "/"])
@leaving
def test_so_is_one_whose_answer_comes_in_one_piece(served, lane, log, ask, way, nginx, path):
    lane.script(Answer(gated=True))
    reply = ask(path, prompt="Why?")
    lane.wait(arrived=1, timeout=60)
    left_at = has_left(reply, way, nginx)
    (call,) = lane.wait(left=1)
    assert call.socket.closed_at - left_at < 1
    assert next_question_is_answered(served)
    assert_leaving_is_one_quiet_line(log)


@served_with("streaming", "async")
@pytest.mark.parametrize("way", [way for way in WAYS if way.client is Http2Client], ids=lambda way: way.name)
def test_stop_ends_one_question_and_the_next_one_goes_over_the_same_connection(served, lane, ask, way, nginx):
    lane.script(Answer(deltas=WORDS, gated=True))
    reply = ask("/chat/stream/", prompt="Why?")
    lane.release(1)
    assert reply.read_event() == {"delta": WORDS[0]}
    has_left(reply, way, nginx)
    lane.release(1)
    lane.wait(left=1)
    reply = ask("/chat/stream/", prompt="Who is next?")
    answer = "".join(event.get("delta", "") for event in iter(reply.read_event, None))
    assert answer == "You asked: Who is next?"


@served_with("streaming", "async")
@pytest.mark.parametrize("way", WAYS[:1], ids=lambda way: way.name)
def test_who_leaves_after_the_last_word_has_not_left_early(served, log, ask, way):
    """As the page does: it hangs up when it has read the end."""
    for _ in range(20):
        reply = ask("/chat/stream/", prompt="Why?")
        while "done" not in reply.read_event():
            pass
        reply.close()
    assert next_question_is_answered(served)
    assert log.lines(LEFT) == []
    assert nothing_went_wrong(log)
