"""Two versions of a project side by side on one PostgreSQL database, as docs/deploy.md releases on several machines."""

import json
import signal
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

import preloaded
from bakery import name_of
from claude_server.script import Answer
from nginx_server import Site, find_nginx
from postgres_server import OnPostgreSQL, postgresql
from production import by_turns, change_line, until

WORDS = ["The ", "sky ", "is ", "blue."]
WHOLE = "".join(WORDS)
RESTARTING = {"error": "The server is restarting, please ask again in a moment", "status": 503}
# PostgreSQL has 60 connections for all servers of a test.
SETTINGS = {"WEB_WORKERS": "2", "DATABASE_POOL": "4", "WEB_GRACE": "4", "CHAT_KEEPALIVE": "300"}


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
    number = len(lane.requests())
    stream = served.user().start_post("/chat/stream/", question)
    lane.wait(arrived=number + 1, timeout=60)
    lane.release(1, request=number)
    assert next(stream.events()) == {"delta": WORDS[0]}
    return stream, number


def expect_whole(stream):
    """What is still to come of it, after the first word."""
    *deltas, last = iter(stream.read_event, None)
    assert ("".join(event["delta"] for event in deltas), last["done"]) == ("".join(WORDS[1:]), True)


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
        expect_whole(stream)
        assert old.anonymous().get("/readyz").json == {"database": "ok", "migrations": "ok", "key": "ok"}
        assert ask(old, fields("First", talk)) == "You asked: First"
        assert ask(old, question) == WHOLE

    settings = SETTINGS | {"DATABASE_URL": old.settings["DATABASE_URL"]}
    with production.serve(answers, tmp_path / "new", lane.base_url, change=release, **settings) as new:
        # A conversation goes on, here and there.
        assert ask(new, fields("Second", talk)) == "You asked: Second"
        assert ask(old, fields("Third", talk)) == "You asked: Third"
        sent = json.dumps(lane.requests()[-1].body["messages"])
        assert [word in sent for word in ("First", "Second", "Third")] == [True] * 3
        # The migration has given the default of a new column to the rows that were there.
        ask(new, fields("Fourth"))
        ask(old, fields("Fifth"))
        assert read("SELECT topic, count(*) FROM chat_conversation GROUP BY topic ORDER BY topic") == ["sky|2", "|2"]

        # A click that comes to both is paid for once.
        click = fields("gated click")
        number = len(lane.requests())
        with ThreadPoolExecutor(12) as pool:
            replies = [pool.submit([old, new][n % 2].user().post, "/chat/ask/", click) for n in range(12)]
            lane.wait(arrived=number + 1, timeout=60)
            until(lambda: sum(reply.done() for reply in replies) == 11, seconds=60)
            lane.release(len(WORDS), request=number)
            assert sorted(reply.result().status for reply in replies) == [200] + [409] * 11
        assert ask(old, click) == ask(new, click) == WHOLE
        assert len(lane.requests()) == number + 1

        # The old version stops. Nobody behind nginx notices, but for the stream that takes too long.
        ports = (old.server.port, new.server.port)
        site = Site(old.project, tmp_path / "site", old.server.port)
        site.spread(old.project, *ports)
        in_time, too_long = fields("gated in time"), fields("gated too long")
        with site.start(find_nginx("system")):
            user = site.user(old.cookies())
            first, call = begin(old, lane, in_time)
            second, _ = begin(old, lane, too_long)
            site.take_out(old.project, *ports)
            old.server.process.send_signal(signal.SIGTERM)
            until(lambda: old.logged("Handling signal: term") or old.logged("Shutting down"))
            lane.release(len(WORDS), request=call)
            expect_whole(first)
            assert [user.post("/chat/ask/", fields("Why?")).status for _ in range(3)] == [200] * 3
            assert list(iter(second.read_event, None)) == [RESTARTING]
            assert old.server.process.wait(30) in (0, -signal.SIGTERM)
            # One that is gone is passed over, also for a POST.
            site.put_back(old.project, *ports)
            assert [user.post("/chat/ask/", fields("Why?")).status for _ in range(3)] == [200] * 3
            assert "Connection refused" in site.log("error")

        # What it answered in time is whole, and the rest can be asked again.
        assert ask(new, in_time) == WHOLE
        assert WORDS[0].strip() in new.user().get(f"/c/{too_long['conversation']}/").text
        lane.rule("too long", Answer(deltas=WORDS))
        assert ask(new, too_long) == WHOLE

        assert not old.logged("Traceback")
        assert not new.logged("Traceback")
        until(lambda: read("SELECT count(*) FROM usage_reservation") == ["0"])
        assert read("SELECT count(*), min(attempts) FROM usage_ledgerentry") == [f"{len(lane.requests())}|1"]
        spent = read("SELECT sum(amount) FROM usage_dailyspending WHERE user_id IS NULL")
        assert spent == read("SELECT sum(cost) FROM usage_ledgerentry")
        assert read("SELECT DISTINCT state FROM chat_turn") == ["answered"]


@pytest.mark.parametrize("answers", by_turns("sync", database="postgresql"), ids=name_of)
def test_what_the_document_keeps_migrations_from_breaks_the_old_version(old, lane, server):
    """The controls of the test above, as SQL: what Django would make of such changes."""
    name = old.settings["DATABASE_URL"].rpartition("/")[2]
    question = fields("First")
    ask(old, question)
    # A new column with a default alone, which Django does not leave in the database.
    server.ask("ALTER TABLE chat_conversation ADD topic text NOT NULL DEFAULT ''", name)
    server.ask("ALTER TABLE chat_conversation ALTER topic DROP DEFAULT", name)
    assert old.user().post("/chat/ask/", fields("Second")).status >= 500
    assert len(lane.requests()) == 1
    server.ask("ALTER TABLE chat_conversation DROP topic", name)
    ask(old, fields("Second"))
    # A row of a new table that refers to one of an older table.
    server.ask("CREATE TABLE chat_star (conversation_id uuid REFERENCES chat_conversation)", name)
    server.ask(f"INSERT INTO chat_star VALUES ('{question['conversation']}')", name)
    delete = f"/c/{question['conversation']}/delete/"
    assert old.user().post(delete, {}).status >= 500
    server.ask("DELETE FROM chat_star", name)
    assert old.user().post(delete, {}).status == 302
