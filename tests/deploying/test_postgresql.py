"""Projects with database=postgresql on a real server, and what SQLite is told in the others."""

import json
import shutil
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import preloaded
from bakery import name_of
from claude_server.script import Answer
from environments import PYTHONS, find_python, run
from own_tests import ON_POSTGRESQL, ids, number_passed
from postgres_server import OnPostgreSQL, postgresql
from production import SETTINGS, by_turns, change_line, until, variants
from spending_machine import prove
from workers import workers

STREAMS, POOL = 50, 2
WORDS = ["one ", "two "]
MONEY_FOR_THREE = "0.06"  # of claude-sonnet-4-6: $0.0154 for 1,024 tokens, and the question


@pytest.fixture(scope="module")
def shared_lane(claude):
    return claude.lane()


@pytest.fixture(scope="module")
def server():
    with postgresql() as server:
        yield server


@pytest.fixture(scope="module")
def production(server, bake, environment, tmp_path_factory):
    return OnPostgreSQL(server, tmp_path_factory.mktemp("postgresql"), bake, environment, preloaded.start)


def wait_for_connections(seconds):
    """Has a project wait so long for a connection of its pool."""
    timeout = '"timeout": {},  # seconds that a request'
    return lambda project: change_line(project / "config/settings.py", timeout.format(5), timeout.format(seconds))


@pytest.fixture(scope="module")
def in_production(production, shared_lane, tmp_path_factory):
    settings = {"WEB_WORKERS": "2", "WEB_THREADS": str(STREAMS), "DATABASE_POOL": str(POOL)}
    # With all those who ask at once, a busy machine may take longer than the 5 seconds of the project.
    settings["change"] = wait_for_connections(60)
    with production.serving(tmp_path_factory.mktemp, shared_lane.base_url, **settings) as serve:
        yield serve


on_postgresql = {"database": "postgresql"}


def served_by_turns(*view_styles):
    """Has a test run on each of these styles once: the wrapper knows of no database."""
    return pytest.mark.parametrize("served", by_turns(*view_styles, **on_postgresql), ids=name_of, indirect=True)


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("answers", variants("streaming", "async", "sync", **on_postgresql)[::2], ids=name_of)
def test_a_server_starts_with_as_many_workers_as_it_has_by_default(production, shared_lane, tmp_path, answers, python):
    """As in serving/test_processes.py on SQLite: on either pair of Python and Django."""
    with production.serve(answers, tmp_path, shared_lane.base_url, python=python, WEB_WORKERS=None) as served:
        reply = served.user().post("/chat/ask/", {"prompt": "Why is the sky blue?"})
    assert (reply.status, reply.json["answer"]) == (200, "You asked: Why is the sky blue?")


@pytest.mark.parametrize(("answers", "python"), ON_POSTGRESQL, ids=ids(ON_POSTGRESQL))
def test_its_own_tests_pass_on_postgresql(bake_copy, environment, server, answers, python, record_property):
    project = bake_copy(**answers)
    database = f"{answers['view_style']}_tests"
    url = server.create(database)
    record_property("own_tests", number_passed(project, environment(project, find_python(python)), DATABASE_URL=url))
    assert f'CREATE DATABASE "test_{database}"' in server.printed()


@pytest.mark.parametrize("answers", variants("streaming", "async", **on_postgresql)[::2], ids=name_of)
def test_django_finds_nothing_to_say_in_production(bake_copy, environment, server, answers):
    project = bake_copy(**answers)
    clean = environment(project, find_python("oldest"))
    settings = SETTINGS | {"DATABASE_URL": server.create(f"check_{answers['view_style']}")}
    command = ["python", "-W", "error", "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    assert "no issues" in run([*command, "--database", "default"], project, clean, **settings)
    said = run(["python", "manage.py", "makemigrations", "--check", "--dry-run"], project, clean, **settings)
    assert said == "No changes detected\n"


def test_production_does_not_start_on_the_database_of_development(bake_copy, environment):
    project = bake_copy(**on_postgresql)
    with pytest.raises(AssertionError, match="DATABASE_URL is not set: SQLite is there for development"):
        run(["python", "manage.py", "check"], project, environment(project, find_python("oldest")), **SETTINGS)


READ_URLS = """
import importlib, json, os
from django.core.exceptions import ImproperlyConfigured
os.environ["DATABASE_URL"] = ""
from config import settings
for url in json.loads(os.environ["URLS"]):
    os.environ["DATABASE_URL"] = url
    try:
        database = importlib.reload(settings).DATABASES["default"]
        print(database["ENGINE"].rpartition(".")[2], database["PASSWORD"], database["OPTIONS"].get("sslmode"))
    except ImproperlyConfigured as error:
        print(error)
"""
URLS = {
    "postgres://user:word@host:5432/name": "postgresql word None",
    "postgresql://user:word@host/name?sslmode=require": "postgresql word require",
    "postgres:///name": "postgresql  None",
    "postgres://user:p%40%23%25@host/name": "postgresql p@#% None",
    "postgres://user:100%@host/name": "postgresql 100% None",
    **dict.fromkeys(
        [
            "sqlite:///x",
            "mysql://user:secret@host/name",
            "//user:secret@host/name",
            "host",
            "://",
            "postgres://user:secret#@host/name",
            "postgres://user:sec/ret@host/name",
            "postgres://host:port/name",
            '"postgres://user:secret@host/name"',
        ],
        "DATABASE_URL must look like postgres://user:password@host:5432/name, with %23 for # and so on.",
    ),
}


def test_an_address_that_is_no_postgresql_is_named_without_its_password(bake_copy, environment):
    project = bake_copy(**on_postgresql)
    variables = SETTINGS | {"URLS": json.dumps(list(URLS))}
    said = run(["python", "-c", READ_URLS], project, environment(project, find_python("oldest")), **variables)
    assert dict(zip(URLS, said.splitlines(), strict=True)) == URLS


def open_streams(served, number):
    """The replies to so many questions, each a stream."""

    questions = [{"prompt": f"Question {count}", "idempotency_key": str(uuid.uuid4())} for count in range(number)]
    return [served.user().start_post("/chat/stream/", question) for question in questions]


@served_by_turns("streaming", "async")
def test_a_pool_of_two_serves_fifty_open_streams(served, lane, server):
    lane.script(*[Answer(deltas=WORDS, gated=True)] * STREAMS)
    replies = open_streams(served, STREAMS)
    lane.wait(arrived=STREAMS, timeout=60)
    lane.release(1)
    assert [next(reply.events()) for reply in replies] == [{"delta": WORDS[0]}] * STREAMS
    if served.view_style == "async":  # whose streams need no thread; in the other style each has one
        assert len(list(Path(f"/proc/{workers(served.server.process.pid)[0]}/task").iterdir())) < STREAMS
    # All are open, and another user needs the database.
    assert served.user().get("/").status == 200
    assert server.connected(served.settings["DATABASE_URL"]) <= 2 * POOL
    lane.release(len(WORDS))
    for reply in replies:
        assert next(reply.events()) == {"delta": WORDS[1]}
        assert next(reply.events())["done"]
        reply.close()


@pytest.mark.parametrize("answers", variants("streaming", "async", **on_postgresql)[::2], ids=name_of)
def test_streams_that_kept_their_connections_would_shut_the_next_user_out(production, lane, answers, tmp_path):
    """The control of the test above: the same project without the lines that give connections and threads back."""

    def keep_connections(project):
        change_line(project / "claude/call.py", "            connection.close()\n", "            pass\n")
        if answers["view_style"] == "async":  # whose threads would be the next user's, with their connections
            change_line(project / "config/middleware.py", "if STREAM in headers:", "if False:")
        wait_for_connections(1)(project)

    lane.script(*[Answer(deltas=WORDS, gated=True)] * POOL)
    settings = {"WEB_WORKERS": "1", "WEB_THREADS": str(STREAMS), "DATABASE_POOL": str(POOL)}
    with production.serve(answers, tmp_path, lane.base_url, change=keep_connections, **settings) as served:
        replies = open_streams(served, POOL)
        lane.wait(arrived=POOL, timeout=60)
        lane.release(1)
        assert [reply.read_event() for reply in replies] == [{"delta": WORDS[0]}] * POOL
        assert served.user().get("/").status == 500
        for reply in replies:
            reply.close()


@served_by_turns("streaming", "sync", "async")
def test_of_many_clicks_with_one_id_one_is_paid_for(served, lane):
    """In two processes, at the same moment."""
    click = {"prompt": "Why is the sky blue?", "idempotency_key": str(uuid.uuid4())}
    lane.script(Answer(deltas=WORDS, held=True))
    users = [served.user() for _ in range(12)]
    with ThreadPoolExecutor(len(users)) as pool:
        replies = [pool.submit(user.post, "/chat/ask/", click) for user in users]
        lane.wait(arrived=1, timeout=60)
        until(lambda: sum(reply.done() for reply in replies) == len(users) - 1, seconds=60)
        lane.release(len(WORDS))
        statuses = sorted(reply.result().status for reply in replies)
    assert statuses == [200] + [409] * (len(users) - 1)
    assert len(lane.requests()) == 1
    assert served.user().post("/chat/ask/", click).json["answer"] == "".join(WORDS)
    assert len(lane.requests()) == 1


@pytest.fixture
def servers(answers, production, lane, tmp_path):
    """Two servers of the same project, as on two machines: they share the database, and nothing else."""
    settings = {"WEB_WORKERS": "2", "WEB_THREADS": "30", "DATABASE_POOL": "8", "change": wait_for_connections(60)}
    settings["USAGE_CALLS_AT_ONCE"] = "8"
    with production.serve(answers, tmp_path / "one", lane.base_url, **settings) as one:
        settings["DATABASE_URL"] = one.settings["DATABASE_URL"]
        with production.serve(answers, tmp_path / "two", lane.base_url, **settings) as two:
            yield [one, two]


@pytest.mark.parametrize("answers", by_turns("streaming", "async", **on_postgresql), ids=name_of)
def test_two_servers_on_one_database_keep_to_one_budget_and_answer_one_click_once(servers, lane, server):
    name = servers[0].settings["DATABASE_URL"].rpartition("/")[2]
    lane.script(otherwise=Answer(deltas=WORDS, held=True))

    def done(replies):
        return [reply.result() for reply in replies if reply.done()]

    def statuses(user, questions, number):
        """Of so many questions, put to both servers at once; those that are asked wait until all others are refused."""
        before = len(lane.requests())
        with ThreadPoolExecutor(len(questions)) as pool:
            replies = [
                pool.submit(servers[count % 2].user(user).post, "/chat/ask/", question)
                for count, question in enumerate(questions)
            ]
            until(lambda: len(done(replies)) + len(lane.requests()) - before == len(questions), seconds=60)
            assert len(lane.requests()) == before + number, [reply.text for reply in done(replies)]
            for call in lane.requests()[before:]:
                lane.release(len(WORDS) + 1, request=call.index)
            found = sorted(reply.result().status for reply in replies)
        assert len(lane.requests()) == before + number
        until(lambda: server.ask("SELECT count(*) FROM usage_reservation", name) == ["0"])
        return found

    click = {"prompt": "Why is the sky blue?", "idempotency_key": str(uuid.uuid4())}
    assert statuses("user", [click] * 12, 1) == [200] + [409] * 11
    questions = [{"prompt": f"Question {number}"} for number in range(50)]
    assert statuses("user", questions[:20], 8) == [200] * 8 + [429] * 12
    # Money for three.
    another = "(SELECT id FROM accounts_user WHERE username = 'another')"
    server.ask(f"INSERT INTO usage_userbudget (user_id, day) VALUES ({another}, {MONEY_FOR_THREE})", name)
    assert statuses("another", questions, 3) == [200] * 3 + [402] * 47
    spent = "SELECT sum(amount) FROM usage_dailyspending WHERE user_id IS NULL"
    assert server.ask(spent, name) == server.ask("SELECT sum(cost) FROM usage_ledgerentry", name)


def test_the_ledger_is_what_was_spent_on_postgresql_too(bake, environment, server, tmp_path):
    """As in projects/test_spending.py on SQLite, with fewer runs."""
    baked = bake(**on_postgresql)
    url = server.create("spending")
    assert prove(baked, environment(baked, find_python("oldest")), tmp_path, examples=20, DATABASE_URL=url)["begun 200"]


OLD = "UPDATE chat_conversation SET updated_at = now() - interval '2 days' WHERE id = '{}'"


@served_by_turns("streaming")
@pytest.mark.parametrize("by", ["its user", "the timer"])
def test_who_asks_in_a_conversation_while_it_is_deleted_is_told_or_answered(served, lane, server, by):
    """The question comes first, and the deletion before it is stored."""
    url, conversation = served.settings["DATABASE_URL"], str(uuid.uuid4())
    served.user().post("/chat/ask/", {"prompt": "One", "conversation": conversation}).whole()
    server.ask(OLD.format(conversation), url.rpartition("/")[2])
    with ThreadPoolExecutor(2) as pool:
        with server.locked(f"SELECT 1 FROM chat_conversation WHERE id = '{conversation}'", url):
            asked = pool.submit(served.user().post, "/chat/ask/", {"prompt": "Two", "conversation": conversation})
            until(lambda: server.waiting(url) == 1)
            if by == "its user":
                deleted = pool.submit(served.user().post, f"/c/{conversation}/delete/", {})
            else:
                deleted = pool.submit(served.manage, "delete_old_conversations", CHAT_RETENTION_DAYS="1")
            until(lambda: server.waiting(url) == 2, seconds=60)
        assert asked.result().status == 200
        page = served.user().get(f"/c/{conversation}/")
        if by == "its user":
            assert (deleted.result().status, page.status) == (302, 404)
        else:
            assert "0 conversations" in deleted.result()
            assert (page.status, "You asked: One" in page.text, "You asked: Two" in page.text) == (200, True, True)


STATE = """
from django.db import connection, transaction
def of(pragma):
    with connection.cursor() as cursor:
        return cursor.execute(f"PRAGMA {pragma}").fetchone()[0]
with transaction.atomic():
    print(of("journal_mode"), of("busy_timeout"), of("synchronous"))
    import sqlite3
    second = sqlite3.connect(connection.settings_dict["NAME"], timeout=0)
    try:
        second.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        print(error)
"""


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_sqlite_writes_ahead_waits_its_turn_and_locks_when_a_transaction_begins(bake, environment, tmp_path, database):
    """A read that becomes a write in a DEFERRED transaction fails at once, whatever the timeout says."""
    baked = bake(database=database)
    project = shutil.copytree(baked, tmp_path / baked.name)
    development = SETTINGS | {"DEBUG": "true"}
    said = run(
        ["python", "manage.py", "shell", "-v", "0", "-c", STATE],
        project,
        environment(project, find_python("oldest")),
        **development,
    )
    assert said.splitlines() == ["wal 5000 1", "database is locked"]
