"""What is left after the worst: a worker killed in the middle of an answer, and PostgreSQL restarted under a stream.

`make disasters` has the same happen under load, and counts.
"""

import os
import signal
import sqlite3
import uuid
from urllib.parse import urlsplit

import pytest

import preloaded
from bakery import name_of
from claude_server.script import Answer
from postgres_server import DURABLE, OnPostgreSQL, postgresql
from production import until, variants
from workers import holds_connection_to, workers

STREAM = "/chat/stream/"
WORDS = ["The ", "sky ", "is ", "blue."]
styles = pytest.mark.parametrize("answers", variants("streaming", "async")[::2], ids=name_of)
styles_on_postgresql = pytest.mark.parametrize(
    "answers", variants("streaming", "async", database="postgresql")[::2], ids=name_of
)


@pytest.fixture
def lane(claude):
    return claude.lane()


@pytest.fixture(scope="module")
def database():
    with postgresql(**DURABLE) as server:
        yield server


@pytest.fixture(scope="module")
def on_postgresql(database, bake, environment, tmp_path_factory):
    return OnPostgreSQL(database, tmp_path_factory.mktemp("disasters"), bake, environment, preloaded.start)


def question():
    return {"prompt": "Why is the sky blue?", "idempotency_key": str(uuid.uuid4())}


@styles
def test_a_killed_worker_cuts_its_streams_and_loses_no_answer(production, lane, answers, tmp_path):
    with production.serve(answers, tmp_path, lane.base_url, WEB_WORKERS="2", CLAUDE_MAX_RETRIES="0") as served:
        first, cut = question(), question()
        lane.script(Answer(deltas=WORDS, gated=True))
        stream = served.user().start_post(STREAM, cut)
        lane.wait(arrived=1, timeout=60)
        before = workers(served.server.process.pid)
        (asking,) = (pid for pid in before if holds_connection_to(pid, urlsplit(lane.base_url).port))
        lane.release(1)
        assert next(stream.events()) == {"delta": WORDS[0]}
        answered = served.user().post("/chat/ask/", first).json
        os.kill(asking, signal.SIGKILL)
        assert list(stream.events()) == []  # no `done`, no error: the page says that the answer broke off
        lane.wait(left=1, timeout=60)
        until(lambda: len(set(workers(served.server.process.pid)) - set(before)) == 1, seconds=30)

        # Of those who had their answer, nobody loses it, whichever worker they come to.
        for _ in range(10):
            assert served.user().post("/chat/ask/", first).json == answered
        # The other question is its dead worker's until that has been silent for a minute.
        assert served.user().post("/chat/ask/", cut).status == 409
        put_back(served, cut, seconds=40)
        reply = served.user().post("/chat/ask/", cut)
        assert (reply.status, "is silent: please try again in" in reply.json["error"]) == (409, True)
        assert 0 < int(reply.headers["Retry-After"]) <= 20
        put_back(served, cut, seconds=20)
        reply = served.user().post("/chat/ask/", cut)
        assert (reply.status, reply.json["answer"]) == (200, "You asked: Why is the sky blue?")
        assert len(lane.requests()) == 3


def put_back(served, fields, seconds):
    """The clock of one question."""
    with sqlite3.connect(served.project / "db.sqlite3", timeout=20) as database:
        change = f"UPDATE chat_turn SET alive_at = datetime(alive_at, '-{seconds} seconds') WHERE idempotency_key = ?"
        assert database.execute(change, [fields["idempotency_key"].replace("-", "")]).rowcount == 1
    database.close()


@styles_on_postgresql
def test_a_restart_of_postgresql_costs_no_request_and_no_stream(on_postgresql, database, lane, answers, tmp_path):
    settings = {"WEB_WORKERS": "1", "CLAUDE_MAX_RETRIES": "0"}
    with on_postgresql.serve(answers, tmp_path, lane.base_url, **settings) as served:
        first, streamed = question(), question()
        answered = served.user().post("/chat/ask/", first).json
        restart(database, database.stop)
        assert served.user().post("/chat/ask/", first).json == answered

        lane.script(Answer(deltas=WORDS, gated=True))
        stream = served.user().start_post(STREAM, streamed)
        lane.wait(arrived=2, timeout=60)
        lane.release(1)
        assert next(stream.events()) == {"delta": WORDS[0]}
        restart(database, database.kill)
        lane.release(len(WORDS))
        *deltas, done = list(stream.events())
        assert "".join(event["delta"] for event in deltas) == "".join(WORDS[1:])
        assert done["done"]
        # It is kept as soon as the pool has connections again, and all that was kept before is still there.
        replies = []

        def kept():
            replies.append(served.user().post("/chat/ask/", streamed))
            return replies[-1].status == 200

        until(kept, seconds=30)
        assert {reply.status for reply in replies[:-1]} <= {409, 503}
        assert replies[-1].json["answer"] == "".join(WORDS)
        assert served.user().post("/chat/ask/", first).json == answered
        assert len(lane.requests()) == 2


def restart(database, stop):
    stop()
    database.start()
