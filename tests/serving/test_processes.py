"""Whole processes: forks share no connection, event loops leave none behind, and a stop loses no answer."""

import itertools
import signal
import socket
import sqlite3
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress

import pytest

from bakery import choices, name_of
from claude_server.script import Answer, Pings
from environments import PYTHONS, run
from production import Log, until, variants
from workers import heaps_of_threads, workers

CALLS = 1000
"""With the wrapper, and as many without it."""
WORDS = ["The ", "sky ", "is ", "blue."]
RESTARTING = {"error": "The server is restarting, please ask again in a moment", "status": 503}


@pytest.fixture
def lane(claude):
    return claude.lane()


@pytest.fixture
def serve(production, lane, tmp_path):
    """serve(answers, **settings) serves a project for one test."""
    with ExitStack() as servers:

        def serve(answers, **settings):
            return servers.enter_context(production.serve(answers, tmp_path, lane.base_url, **settings))

        yield serve


# --- Starting ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("view_style", choices("view_style"))
def test_a_server_starts_with_as_many_workers_as_it_has_by_default(serve, lane, view_style, python):
    lane.script(Answer(deltas=WORDS))
    served = serve({"view_style": view_style}, python=python, WEB_WORKERS=None)
    reply = served.user().post("/chat/ask/", {"prompt": "Why is the sky blue?"})
    assert (reply.status, reply.json["answer"]) == (200, "The sky is blue.")


# --- Forks --------------------------------------------------------------------------------------------

PRELOAD = """
import threading
import time

preload_app = True


def pre_fork(server, worker):
    from concurrent.futures import ThreadPoolExecutor
    from claude.client import get_client

    def ask(stream):
        messages = [{"role": "user", "content": "before the fork"}]
        request = {"model": "claude-sonnet-4-6", "max_tokens": 9, "messages": messages}
        answer = get_client().messages.create(**request, stream=stream)
        stream and list(answer)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, [False, True] * 4))
    # Joined, a thread still has OpenSSL tidy up after it: who forks meanwhile gives the child locks that stay locked.
    while len(os.listdir("/proc/self/task")) > threading.active_count():
        time.sleep(0.01)
"""


def preloaded(project):
    with (project / "config/gunicorn.py").open("a", encoding="utf-8") as file:
        file.write(PRELOAD)


@pytest.mark.parametrize("variant", variants("streaming"), ids=name_of)
def test_workers_that_were_forked_from_a_used_client_read_their_own_answers(serve, lane, variant):
    served = serve(variant, change=preloaded, WEB_WORKERS="3", WEB_THREADS="4")

    def ask(number):
        if number % 2:
            return served.user().post("/chat/ask/", {"prompt": f"question {number}"}).json["answer"]
        events = served.user().post("/chat/stream/", {"prompt": f"question {number}"}).events()
        return "".join(event.get("delta", "") for event in events)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(CALLS)))
    assert answers == [f"You asked: question {number}" for number in range(CALLS)]
    calls = lane.requests()
    before = {call.socket.number for call in calls if call.prompt == "before the fork"}
    after = {call.socket.number for call in calls if call.prompt != "before the fork"}
    assert len(calls) == CALLS + 3 * 8
    assert len(after) >= 3
    assert before.isdisjoint(after)


FORK = """
import os, sys
from claude.client import get_client

def ask(prompt):
    messages = [{"role": "user", "content": prompt}]
    answer = get_client().messages.create(model="claude-sonnet-4-6", max_tokens=9, messages=messages)
    assert answer.content[0].text == f"You asked: {prompt}"

ask("before")
child = os.fork()
for number in range(50):
    ask(f"{'parent' if child else 'child'} {number}")
if not child:
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
"""


def in_shell(production, lane, answers, script):
    """What a script says in `manage.py shell`, with every warning of Python's development mode."""
    project, environment = production.prepared(answers)
    variables = production.settings(ANTHROPIC_BASE_URL=lane.base_url, PYTHONDEVMODE="1")
    return run(["python", "manage.py", "shell", "-c", script], project, environment, **variables)


@pytest.mark.parametrize("answers", variants("streaming"), ids=name_of)
def test_a_forked_process_makes_a_client_of_its_own(production, lane, answers):
    in_shell(production, lane, answers, FORK)
    calls = lane.requests()
    assert len(calls) == 101
    assert len({call.socket.number for call in calls if "child" in call.prompt}) == 1
    assert not sockets(calls, "child") & sockets(calls, "parent")


def sockets(calls, words):
    return {call.socket.number for call in calls if words in call.prompt}


# --- Event loops --------------------------------------------------------------------------------------

LOOPS = """
import asyncio
from asgiref.sync import async_to_sync
from claude.client import aget_client

async def ask(prompt):
    messages = [{"role": "user", "content": prompt}]
    answer = await aget_client().messages.create(model="claude-sonnet-4-6", max_tokens=9, messages=messages)
    assert answer.content[0].text == f"You asked: {prompt}"

for number in range(5):
    async_to_sync(ask)(f"async_to_sync {number}")
    asyncio.run(ask(f"run {number}"))
"""
WRAPPED = """
from asgiref.sync import async_to_sync
from claude import client

for number in range(5):
    assert async_to_sync(client.aask)(f"aask {number}") == f"You asked: aask {number}"
    assert async_to_sync(client.aask_many)([f"aask_many {number}"]) == [f"You asked: aask_many {number}"]
"""
NOISE = ["ResourceWarning", "Event loop is closed", "never retrieved", "never awaited", "was destroyed", "Traceback"]


@pytest.mark.parametrize(
    ("answers", "script"),
    [*((answers, LOOPS) for answers in variants("async")), (variants("async")[0], WRAPPED)],
    ids=["wrapper", "no wrapper", "aask"],
)
def test_an_event_loop_takes_its_connections_with_it(production, lane, answers, script):
    said = in_shell(production, lane, answers, script)
    calls = lane.requests()
    assert len(calls) == 10
    assert {call.retry_count for call in calls} == {0}
    assert [noise for noise in NOISE if noise in said] == [], said
    for call, following in itertools.pairwise(calls):
        assert call.socket.closed_at < following.arrived_at


@pytest.mark.parametrize("view_style", ["sync", "streaming", "async"])
def test_the_command_asks_once_and_quietly(production, lane, view_style):
    project, environment = production.prepared({"view_style": view_style, "client_wrapper": True})
    variables = production.settings(ANTHROPIC_BASE_URL=lane.base_url, PYTHONDEVMODE="1")
    said = run(["python", "manage.py", "ask", "Why is the sky blue?"], project, environment, **variables)
    assert "You asked: Why is the sky blue?" in said
    assert len(lane.requests()) == 1
    assert [noise for noise in NOISE if noise in said] == [], said


# --- Threads ------------------------------------------------------------------------------------------

WORKERS, THREADS = 2, 4


@pytest.mark.parametrize("answers", variants("sync", "streaming")[::2], ids=name_of)
def test_as_many_are_answered_at_once_as_the_workers_have_threads(serve, lane, answers):
    """Nobody waits in a full worker while another has a thread to spare."""
    served = serve(answers, WEB_WORKERS=str(WORKERS), WEB_THREADS=str(THREADS))
    lane.script(otherwise=Answer(held=True))

    def ask(number):
        return served.user().post("/chat/ask/", {"prompt": f"question {number}"}).json["answer"]

    with ThreadPoolExecutor(WORKERS * THREADS) as pool:
        asked = pool.map(ask, range(WORKERS * THREADS))
        lane.wait(arrived=WORKERS * THREADS, timeout=30)
        lane.release(1)
        assert list(asked) == [f"You asked: question {number}" for number in range(WORKERS * THREADS)]
    # A heap for each of its threads would cost a stream 50 KB.
    heaps = [heaps_of_threads(worker) for worker in workers(served.server.process.pid)]
    assert max(heaps) <= 1, heaps


# --- Stopping -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("answers", variants("streaming", "async"), ids=name_of)
def test_a_server_that_stops_lets_answers_end_and_tells_the_others(serve, lane, answers):
    """One process, or several that another one stops."""
    # Without keepalives: on a busy machine one could begin the stream of "no word".
    workers = "2" if answers["client_wrapper"] else "1"
    served = serve(answers, WEB_WORKERS=workers, WEB_GRACE="2", CHAT_KEEPALIVE="300")
    log = Log(served.server)
    lane.rule("in time", Answer(deltas=WORDS, gated=True))
    lane.rule("whole", Answer(deltas=WORDS, gated=True))
    lane.rule("too long", Answer(deltas=WORDS, gated=True))
    lane.rule("pings", Pings(0.1, after=1, answer=Answer(deltas=WORDS)))
    lane.rule("no word", Answer(deltas=WORDS, gated=True))
    lane.rule("no byte", Answer(held=True))
    keys = {name: str(uuid.uuid4()) for name in ("in time", "too long", "no byte")}

    def ask(prompt, path="/chat/stream/"):
        fields = {"prompt": prompt} | ({"idempotency_key": keys[prompt]} if prompt in keys else {})
        return served.user().start_post(path, fields)

    in_time, too_long, pings = ask("in time"), ask("too long"), ask("pings")
    whole, no_word, no_byte = ask("whole", "/chat/ask/"), ask("no word"), ask("no byte", "/chat/ask/")
    calls = {call.prompt: call.index for call in lane.wait(arrived=6, timeout=60)}
    for name in ("in time", "too long"):
        lane.release(1, request=calls[name])
    assert [next(reply.events()) for reply in (in_time, too_long, pings)] == [{"delta": "The "}] * 3

    served.server.process.send_signal(signal.SIGTERM)
    until(lambda: log.lines("Handling signal: term") or log.lines("Shutting down"))
    for name in ("in time", "whole"):
        lane.release(len(WORDS), request=calls[name])
    *rest, last = iter(in_time.read_event, None)
    assert ("".join(event["delta"] for event in rest), last["done"]) == ("".join(WORDS[1:]), True)
    assert whole.json["answer"] == "The sky is blue."
    assert list(iter(too_long.read_event, None)) == [RESTARTING]
    assert [event for event in iter(pings.read_event, None) if event != ": keepalive"] == [RESTARTING]
    assert (no_word.status, no_word.json) == (no_byte.status, no_byte.json) == (503, RESTARTING)

    # uvicorn ends by the signal itself, once all is done.
    assert served.server.process.wait(10) in (0, -signal.SIGTERM)
    assert len(log.lines("Claude call failed: restarting")) == 4
    assert not log.lines("Traceback")
    with sqlite3.connect(served.project / "db.sqlite3") as database:
        kept = dict(database.execute("SELECT idempotency_key, state FROM chat_turn"))
    database.close()
    assert {name: kept[key.replace("-", "")] for name, key in keys.items()} == {
        "in time": "answered",
        "too long": "failed",
        "no byte": "failed",
    }


# --- Slow clients -------------------------------------------------------------------------------------

SLOW = {"streaming": "gunicorn", "async": "uvicorn"}
HEAD = b"POST /sign-in/ HTTP/1.1\r\nHost: example.com\r\nX-Forwarded-Proto: https\r\n"
UNFINISHED = {"nothing": b"", "half a head": HEAD, "half a body": HEAD + b"Content-Length: 9\r\n\r\nprom"}


@pytest.mark.parametrize("view_style", SLOW)
def test_a_client_who_is_too_slow_holds_nobody_up(serve, lane, view_style):
    """One who does not send a request, or sends it byte by byte, and one who does not read the answer."""

    def hurry(project):
        file = project / "config" / f"{SLOW[view_style]}.py"
        values = file.read_text(encoding="utf-8").replace("REQUEST_SECONDS = 30", "REQUEST_SECONDS = 1")
        file.write_text(values.replace("SEND_SECONDS = 60", "SEND_SECONDS = 1"), encoding="utf-8")

    served = serve({"view_style": view_style}, change=hurry, WEB_WORKERS="1", WEB_THREADS="1")
    log = Log(served.server)
    user = served.user()
    for begun in UNFINISHED.values():
        for more in (b"", b"x"):
            with socket.create_connection(("127.0.0.1", served.server.port)) as client:
                client.sendall(begun)
                client.settimeout(0.2)
                ends_at = time.monotonic() + 15
                with suppress(ConnectionError):
                    while time.monotonic() < ends_at:
                        with suppress(TimeoutError):
                            if not client.recv(9999):
                                break
                        client.sendall(more if begun else b"")
                assert time.monotonic() < ends_at
    lane.script(Answer(deltas=["x" * 100_000] * 300))
    reply = user.start_post("/chat/stream/", {"prompt": "Who reads this?"})
    (call,) = lane.wait(left=1, timeout=30)
    assert call.outcome == "client left"
    assert user.post("/chat/ask/", {"prompt": "Who is next?"}).json["answer"] == "You asked: Who is next?"
    reply.close()
    assert not log.lines("Traceback")
