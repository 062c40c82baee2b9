"""Claude says nothing, or nothing of use: the connection is kept alive, and nobody waits longer than the deadline."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import pytest

from claude_server.script import Answer, Pings, Reset, Silence, Status, Step
from production import served_with

STYLES = ["sync", "streaming", "async"]
STREAMS = ["streaming", "async"]
WORDS = ["The ", "sky ", "is ", "blue."]

DEADLINE = 4.0
"""Seconds; far less than the read timeout, so that what ends a silence is the deadline."""
SLACK = 3.0
"""Seconds that a busy machine may add."""
LATE = 3.5
"""Seconds; a read that begins so late would last past the deadline, with a timeout as long as that."""
SETTINGS = {
    "CLAUDE_DEADLINE": str(DEADLINE),
    "CLAUDE_TIMEOUT": "30",
    "CLAUDE_MAX_RETRIES": "9",
    "CLAUDE_RETRY_AFTER_CAP": "30",
    "CHAT_KEEPALIVE": "0.2",
    "WEB_WORKERS": "1",
    "WEB_THREADS": "16",
    "CLAUDE_FAN_OUT": "1",
}


class Wait(NamedTuple):
    """A way in which Claude makes a user wait, and how that ends."""

    path: str
    step: Step
    status: int = 504


JSON = {
    "silence before the headers": Wait("/chat/ask/", Silence()),
    "silence before the first word": Wait("/chat/ask/", Silence(after=0)),
    "late headers, and silence": Wait("/chat/ask/", Silence(after=0, answer=Answer(delay=LATE))),
    "nothing but pings": Wait("/chat/ask/", Pings(0.1)),
    "always overloaded": Wait("/chat/ask/", Status(529), 502),
    "always cut off": Wait("/chat/ask/", Reset(), 502),
    "a wait that is longer than what is left": Wait("/chat/ask/", Status(429, retry_after=DEADLINE + 1), 429),
}
STREAM = {
    "a stream that is silent before its headers": Wait("/chat/stream/", Silence()),
    "a stream that is silent before the first word": Wait("/chat/stream/", Silence(after=0)),
    "a stream that is silent after a word": Wait("/chat/stream/", Silence(after=1, answer=Answer(deltas=WORDS))),
    "a late word, and silence": Wait("/chat/stream/", Silence(after=1, answer=Answer(deltas=WORDS, first_after=LATE))),
    "pings before the first word": Wait("/chat/stream/", Pings(0.1)),
    "pings after a word": Wait("/chat/stream/", Pings(0.1, after=1, answer=Answer(deltas=WORDS))),
    "a stream that is always overloaded": Wait("/chat/stream/", Status(529), 502),
    "a stream that is always cut off": Wait("/chat/stream/", Reset(), 502),
}
MANY = {"many questions": Wait("/chat/ask-many/", Silence())}
WAITS = JSON | STREAM | MANY


class Ended(NamedTuple):
    """How a wait ended: what the user read, when it began, after how many seconds it ended, and the calls to Claude."""

    problem: dict
    comments: int
    asked_at: float
    seconds: float
    calls: list


@pytest.fixture(scope="module")
def shared_lane(claude):
    return claude.lane()


@pytest.fixture(scope="module")
def in_production(production, shared_lane, tmp_path_factory):
    with production.serving(tmp_path_factory.mktemp, shared_lane.base_url, **SETTINGS) as serve:
        yield serve


@pytest.fixture
def ask(served):
    """ask(path, fields) asks, and gives the reply that is to come."""
    replies = []

    def ask(path, fields):
        replies.append(served.user().start_post(path, fields))
        return replies[-1]

    yield ask
    for reply in replies:
        reply.close()


@pytest.fixture(scope="module")
def seen():
    """How every wait ended, by the address of the server: a test that looks at one need not wait for it alone."""
    return {}


@pytest.fixture
def ended(served, ask, lane, seen):
    """ended(name) says how a wait ended. All of them have been going on side by side."""
    if served.url not in seen:
        waits = JSON | (STREAM if served.view_style in STREAMS else {}) | (MANY if served.view_style == "async" else {})
        for name, wait in waits.items():
            lane.rule(f"[{name}]", otherwise=wait.step)
        served.user().post("/chat/ask/", {"prompt": "The first question loads the SDK."})
        with ThreadPoolExecutor(len(waits)) as pool:
            seen[served.url] = dict(zip(waits, pool.map(lambda name: wait_for(name, ask), waits), strict=True))
        calls = lane.requests()
        for name, outcome in seen[served.url].items():
            outcome.calls.extend(call for call in calls if f"[{name}]" in call.prompt)
    return lambda name: seen[served.url][name]


def wait_for(name, ask):
    """Ask, and read to the end."""
    prompts = [f"{number} [{name}]" for number in range(3 if name in MANY else 1)]
    start = time.monotonic()
    reply = ask(WAITS[name].path, {"prompt": prompts})
    if reply.headers["Content-Type"] == "application/json":
        problem, comments = reply.json, 0
    else:
        *before, problem = iter(reply.read_event, None)
        comments = before.count(": keepalive")
    return Ended(problem, comments, start, time.monotonic() - start, [])


def waits(names, *view_styles):
    """Has a test look at these waits in these view styles."""

    def mark(test):
        return served_with(*view_styles)(pytest.mark.parametrize("name", names)(test))

    return mark


@waits(JSON, *STYLES)
def test_nobody_waits_longer_for_an_answer(ended, name):
    outcome = ended(name)
    assert outcome.problem["status"] == WAITS[name].status
    assert outcome.seconds < DEADLINE + SLACK


@waits(STREAM, *STREAMS)
def test_nobody_waits_longer_for_a_stream(ended, name):
    outcome = ended(name)
    assert outcome.problem["status"] == WAITS[name].status
    assert outcome.seconds < DEADLINE + SLACK


@waits(MANY, "async")
def test_nobody_waits_longer_for_many_answers(ended, name):
    """One is asked after the other here, and the deadline is that of all."""
    outcome = ended(name)
    assert [answer["status"] for answer in outcome.problem["answers"]] == [504, 504, 504]
    assert outcome.seconds < DEADLINE + SLACK
    assert len(outcome.calls) == 1


@waits([name for name, wait in WAITS.items() if wait.status == 504 and name in JSON], *STYLES)
def test_the_call_to_claude_ends_with_the_wait(ended, name):
    the_call_ends_at_the_deadline(ended(name))


@waits([name for name, wait in WAITS.items() if wait.status == 504 and name in STREAM], *STREAMS)
def test_the_stream_from_claude_ends_with_the_wait(ended, name):
    the_call_ends_at_the_deadline(ended(name))


def the_call_ends_at_the_deadline(outcome):
    (call,) = outcome.calls
    assert call.socket.closed_by == "client"
    # The deadline runs from before the call reaches the API, which takes a busy machine a while.
    assert DEADLINE <= call.socket.closed_at - outcome.asked_at < DEADLINE + SLACK


@served_with("async")
@pytest.mark.parametrize("heard", [0, 1], ids=["before the first word", "after a word"])
def test_comments_flow_while_claude_is_silent(lane, ask, heard):
    lane.script(Answer(deltas=WORDS, gated=True))
    lane.release(heard)
    reply = ask("/chat/stream/", {"prompt": "Why?"})
    assert [next(reply.events()) for _ in range(heard)] == [{"delta": "The "}] * heard
    assert [reply.read_event() for _ in range(3)] == [": keepalive"] * 3
    assert lane.requests()[0].deltas == heard
    lane.release(len(WORDS))
    rest = [event for event in iter(reply.read_event, None) if event != ": keepalive"]
    assert "".join(event["delta"] for event in rest[:-1]) == "".join(WORDS[heard:])
    assert rest[-1]["done"] is True


@served_with("streaming")
@pytest.mark.parametrize("heard", [0, 1], ids=["before the first word", "after a word"])
def test_pings_of_claude_become_comments_now_and_then(lane, ask, heard):
    """A thread that waits for Claude can write when Claude does: a ping is enough."""
    lane.script(Answer(deltas=WORDS, gated=True, pings=0.02))
    lane.release(heard)
    reply = ask("/chat/stream/", {"prompt": "Why?"})
    assert [next(reply.events()) for _ in range(heard)] == [{"delta": "The "}] * heard
    start = time.monotonic()
    assert [reply.read_event() for _ in range(3)] == [": keepalive"] * 3
    assert time.monotonic() - start > 2 * float(SETTINGS["CHAT_KEEPALIVE"])
    lane.release(len(WORDS))
    *_, last = iter(reply.read_event, None)
    assert last["done"] is True


@served_with("sync", "streaming")
def test_users_who_do_not_hang_up_keep_nobody_waiting(served, ask):
    """A thread waits for each of them for 2 seconds. gunicorn's own would wait for all, one after the other: for 16."""
    replies = [ask("/chat/ask/", {"prompt": f"question {number}"}) for number in range(8)]
    assert [reply.json["answer"] for reply in replies] == [f"You asked: question {number}" for number in range(8)]
    start = time.monotonic()
    assert served.user().post("/chat/ask/", {"prompt": "And now?"}).json["answer"] == "You asked: And now?"
    assert time.monotonic() - start < len(replies)
