"""Two versions of a project side by side on one PostgreSQL database, as docs/deploy.md has a release on several machines."""

import json
import signal
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

import preloaded
from bakery import name_of
from claude_server.script import Answer
from postgres_server import OnPostgreSQL, postgresql
from production import by_turns, change_line, until

WORDS = ["The ", "sky ", "is ", "blue."]
WHOLE = "".join(WORDS)
RESTARTING = {"error": "The server is restarting, please ask again in a moment", "status": 503}
# PostgreSQL has 60 connections for all servers of a test.
SETTINGS = {"WEB_WORKERS": "2", "DATABASE_POOL": "4", "WEB_GRACE": "2", "CHAT_KEEPALIVE": "300"}


@pytest.fixture(scope="module")
def server():
    with postgresql() as server:
        yield server


@pytest.fixture(scope="module")
def production(server, bake, environment, tmp_path_factory):
    return OnPostgreSQL(server, tmp_path_factory.mktemp("rolling"), bake, environment, preloaded.start)


@pytest.fixture
def lane(claude):
    return claude.lane()


@pytest.fixture
def old(answers, production, lane, tmp_path):
    """The version that is there, being served."""
    with production.serve(answers, tmp_path / "old", lane.base_url, **SETTINGS) as served:
        yield served


def next_version(project):
    """What a team may have written meanwhile: two columns and a table that the version before knows nothing of."""
    models = project / "chat/models.py"
    column = '    created_at = models.DateTimeField(_("created at"), default=timezone.now)\n'
    change_line(models, column, f'    topic = models.CharField(max_length=20, null=True, default="sky")\n{column}')
    star = "class Star(models.Model):\n    conversation = models.ForeignKey(Conversation, models.CASCADE)\n"
    models.write_text(f"{models.read_text(encoding='utf-8')}\n\n{star}", encoding="utf-8")
    column = '    ended_at = models.DateTimeField(_("ended at"))\n'
    change_line(
        project / "usage/models.py", column, f"    attempts = models.PositiveIntegerField(db_default=1)\n{column}"
    )


def fields(prompt, conversation=None):
    """Of a question, in a conversation of its own unless it says which."""
    keys = {"idempotency_key": str(uuid.uuid4()), "conversation": conversation or str(uuid.uuid4())}
    return {"prompt": prompt, **keys}


def ask(served, question):
    reply = served.user().post("/chat/ask/", question).whole()
    assert reply.status == 200, reply.text
    return reply.json["answer"]


def begin(served, lane, question):
    """A stream that has had its first word, and the number of its call."""
    stream = served.user().start_post("/chat/stream/", question)
    (call,) = [call for call in lane.wait(arrived=len(lane.requests()) or 1, timeout=60) if call.prompt == question["prompt"]]
    lane.release(1, request=call.index)
    assert next(stream.events()) == {"delta": WORDS[0]}
    return stream, call.index


def rest_of(stream):
    """The text that is still to come, and the last event."""
    *deltas, last = iter(stream.read_event, None)
    return "".join(event["delta"] for event in deltas), last


@pytest.mark.parametrize("answers", by_turns("streaming", "async", database="postgresql"), ids=name_of)
def test_a_release_one_machine_after_the_other_loses_nothing(old, answers, production, lane, server, tmp_path):
    name = old.settings["DATABASE_URL"].rpartition("/")[2]
    lane.rule("gated", otherwise=Answer(deltas=WORDS, gated=True))
    talk = fields("First")["conversation"]

    def read(query):
        return server.ask(query, name)

    def release(project):
        """Migrates while the old version serves, with a stream open."""
        next_version(project)
        new = old._replace(project=project)
        new.manage("makemigrations", "chat", "usage", "--name", "next")
        question = fields("gated before the migration")
        stream, call = begin(old, lane, question)
        new.manage("migrate", "--noinput")
        lane.release(len(WORDS), request=call)
        text, last = rest_of(stream)
        assert (text, last["done"]) == ("".join(WORDS[1:]), True)
        assert old.anonymous().get("/readyz").json == {"database": "ok", "migrations": "ok", "key": "ok"}
        assert ask(old, fields("First", talk)) == "You asked: First"
        assert ask(old, question) == WHOLE

    with production.serve(answers, tmp_path / "new", lane.base_url, change=release, **SETTINGS) as new:
        # A conversation goes on, here and there.
        assert ask(new, fields("Second", talk)) == "You asked: Second"
        assert ask(old, fields("Third", talk)) == "You asked: Third"
        sent = [message["content"] for message in lane.requests()[-1].body["messages"]]
        assert [word in json.dumps(sent) for word in ("First", "Second", "Third")] == [True] * 3
        ask(new, fields("Fourth"))
        # The migration has filled the rows that were there, with the default of the new column.
        assert read("SELECT topic, count(*) FROM chat_conversation GROUP BY topic ORDER BY topic") == ["sky|2", "|1"]

        # A click that comes to both is paid for once.
        click = fields("gated click")
        before = len(lane.requests())
        with ThreadPoolExecutor(12) as pool:
            replies = [pool.submit([old, new][n % 2].user().post, "/chat/ask/", click) for n in range(12)]
            lane.wait(arrived=before + 1, timeout=60)
            until(lambda: sum(reply.done() for reply in replies) == 11, seconds=60)
            lane.release(len(WORDS), request=before)
            assert sorted(reply.result().status for reply in replies) == [200] + [409] * 11
        assert ask(old, click) == ask(new, click) == WHOLE
        assert len(lane.requests()) == before + 1

        # The old version stops: what it answers in time is whole, and the rest can be asked again elsewhere.
        in_time, too_long = fields("gated in time"), fields("gated too long")
        first, call = begin(old, lane, in_time)
        second, _ = begin(old, lane, too_long)
        old.server.process.send_signal(signal.SIGTERM)
        until(lambda: old.logged("Handling signal: term") or old.logged("Shutting down"))
        lane.release(len(WORDS), request=call)
        text, last = rest_of(first)
        assert (text, last["done"]) == ("".join(WORDS[1:]), True)
        assert rest_of(second) == ("", RESTARTING)
        assert old.server.process.wait(10) in (0, -signal.SIGTERM)
        assert ask(new, in_time) == WHOLE
        assert WORDS[0].strip() in new.user().get(f"/c/{too_long['conversation']}/").text
        lane.release(len(WORDS))
        assert ask(new, too_long) == WHOLE

        assert not old.logged("Traceback")
        assert not new.logged("Traceback")
        until(lambda: read("SELECT count(*) FROM usage_reservation") == ["0"])
        assert read("SELECT count(*), min(attempts) FROM usage_ledgerentry") == [f"{len(lane.requests())}|1"]
        spent = read("SELECT sum(amount) FROM usage_dailyspending WHERE user_id IS NULL")
        assert spent == read("SELECT sum(cost) FROM usage_ledgerentry")
        states = "SELECT state, count(*) FROM chat_turn GROUP BY state"
        assert read(states) == ["answered|8"]
