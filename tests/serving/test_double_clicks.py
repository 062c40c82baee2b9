"""One click is paid for once: what a second request with the same id gets, in two processes and over the wire."""

import re
import sqlite3
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

import pytest

from bakery import name_of
from claude_server.script import Answer, ErrorEvent, Refusal, Status
from environments import run
from production import Log, by_turns, served_with, until, variants

STYLES = ["sync", "streaming", "async"]
STREAMS = ["streaming", "async"]
ASK, STREAM = "/chat/ask/", "/chat/stream/"
WORDS = ["The ", "sky ", "is ", "blue."]
BEING_ANSWERED = "This question is being answered already: please wait for its answer."
NOT_TAKEN = "Your question could not be taken: please ask again in a moment."


@pytest.fixture
def user(served):
    return served.user()


@pytest.fixture
def click():
    return {"prompt": "Why is the sky blue?", "idempotency_key": str(uuid.uuid4())}


@pytest.fixture
def ask(user, click):
    """ask(path) asks, and gives the reply that is to come."""
    replies = []

    def ask(path):
        replies.append(user.start_post(path, click))
        return replies[-1]

    yield ask
    for reply in replies:
        reply.close()


def whole(reply):
    """The outcome in a reply, whether it came as JSON, as events or as a page."""
    if reply.headers["Content-Type"] == "application/json":
        return reply.json
    if reply.headers["Content-Type"].startswith("text/html"):
        return {"answer": re.search('<div class="answer" data-text="([^"]+)"', reply.text)[1]}
    text = ""
    for event in reply.events():
        if "delta" not in event:  # the end, though the connection may still be open
            return {"answer": text} | {name: value for name, value in event.items() if name != "done"}
        text += event["delta"]
    raise AssertionError("the stream has no end")


def over(answers):
    """Has a test run on an answer in one piece, and on a stream where there is one."""
    cases = [
        pytest.param(some, path, id=f"{name_of(some)}{path}")
        for some in answers
        for path in ([ASK] if some["view_style"] == "sync" else [ASK, STREAM])
    ]
    return pytest.mark.parametrize(("served", "path"), cases, indirect=["served"])


twice = over(variants(*STYLES))
once_a_style = over(by_turns(*STYLES))
in_two_processes = over(answers for answers in variants(*STYLES) if answers["client_wrapper"])


@twice
def test_while_the_first_is_being_answered_the_second_is_refused(user, lane, click, ask, path):
    lane.script(Answer(deltas=WORDS, gated=True))
    reply = ask(path)
    lane.wait(arrived=1, timeout=60)
    for again in [ASK, path]:
        refused = user.post(again, click)
        assert (refused.status, refused.json) == (409, {"error": BEING_ANSWERED, "status": 409})
    lane.release(len(WORDS))
    if path == ASK:
        assert reply.json["answer"] == "The sky is blue."
    else:
        *deltas, done = iter(reply.read_event, None)
        assert "".join(event["delta"] for event in deltas) == "".join(WORDS)
        assert done["done"]
    assert len(lane.requests()) == 1


@twice
def test_as_soon_as_the_answer_has_been_read_the_second_gets_it_too(user, lane, click, path):
    """Ten times: it is kept before its last word is sent, and not a moment later."""
    for number in range(1, 11):
        click["idempotency_key"] = str(uuid.uuid4())
        first = whole(user.post(path, click))
        assert first["answer"] == "You asked: Why is the sky blue?"
        for again in [path, ASK]:
            assert whole(user.post(again, click)) == first
        assert len(lane.requests()) == number


@contextmanager
def locked(served):
    """Nobody else can write to the database of a project until this ends."""
    with closing(sqlite3.connect(served.project / "db.sqlite3", timeout=20)) as database:
        database.execute("BEGIN IMMEDIATE")
        yield
        database.rollback()


@once_a_style
def test_the_end_of_an_answer_does_not_wait_for_a_locked_database_which_gets_it_later(
    served, user, lane, click, ask, path
):
    lane.script(Answer(deltas=WORDS, gated=True))
    reply = ask(path)
    lane.wait(arrived=1, timeout=60)
    before = len(outcomes_in_the_ledger(served))
    with locked(served):
        lane.release(len(WORDS))
        reply.connection.settimeout(4)  # less than SQLite waits for a lock
        answered = whole(reply)
        assert answered["answer"] == "The sky is blue."
        if path == ASK:  # it takes as long as the database may be waited for
            refused = served.user("another").post(path, click)
            assert (refused.status, refused.json["error"]) == (503, NOT_TAKEN)
    until(lambda: whole(user.post(path, click)) == answered)
    assert len(lane.requests()) == 1
    until(lambda: outcomes_in_the_ledger(served)[before:] == ["answered"])


def outcomes_in_the_ledger(served):
    with closing(sqlite3.connect(served.project / "db.sqlite3", timeout=20)) as database:
        return [outcome for (outcome,) in database.execute("SELECT outcome FROM usage_ledgerentry ORDER BY id")]


@twice
@pytest.mark.parametrize("failure", [Status(400), ErrorEvent(after=1)], ids=["at once", "in the middle"])
def test_a_question_that_failed_may_be_asked_again(user, lane, click, path, failure):
    lane.script(failure)
    assert whole(user.post(path, click))["status"] == 502
    assert whole(user.post(path, click))["answer"] == "You asked: Why is the sky blue?"
    assert len(lane.requests()) == 2


@served_with("streaming", "async")
@pytest.mark.parametrize("heard", [0, 1], ids=["before the first word", "after a word"])
def test_a_question_whose_user_left_may_be_asked_again(served, user, lane, click, ask, heard):
    lane.script(Answer(deltas=WORDS, gated=True))
    reply = ask(STREAM)
    lane.wait(arrived=1, timeout=60)
    lane.release(heard)
    assert [reply.read_event() for _ in range(heard)] == [{"delta": "The "}] * heard
    reply.close()
    lane.release(1)
    lane.wait(left=1)
    assert answered_in_the_end(user, click) == "You asked: Why is the sky blue?"
    assert len(lane.requests()) == 2


@served_with("async")
def test_so_may_one_whose_user_left_while_it_was_written_down(served, user, lane, click, ask):
    with locked(served):
        reply = ask(STREAM)
        # Who answers this has seen what came before.
        assert {served.anonymous().get("/accounts/sign-in/").status for _ in range(8)} == {200}
        reply.close()
        assert {served.anonymous().get("/accounts/sign-in/").status for _ in range(8)} == {200}
    assert answered_in_the_end(user, click) == "You asked: Why is the sky blue?"


def answered_in_the_end(user, click):
    """The answer, once the first request has been cleared away."""
    replies = []

    def answered():
        replies.append(user.post(ASK, click))
        return replies[-1].status != 409

    until(answered)
    return replies[-1].json["answer"]


@in_two_processes
def test_of_twenty_clicks_in_two_processes_one_is_paid_for(served, lane, click, path):
    lane.script(otherwise=Answer(deltas=WORDS, pause=0.01))
    log = Log(served.server)
    for number in range(1, 4):
        click["idempotency_key"] = str(uuid.uuid4())
        together = threading.Barrier(20)

        def click_once(_, together=together):
            together.wait()
            return whole(served.user().post(path, click))

        with ThreadPoolExecutor(20) as pool:
            outcomes = list(pool.map(click_once, range(20)))
        answers = [outcome["answer"] for outcome in outcomes if "answer" in outcome]
        assert set(answers) == {"The sky is blue."}
        assert all(outcome.get("error", BEING_ANSWERED) == BEING_ANSWERED for outcome in outcomes)
        assert len(lane.requests()) == number
    assert not log.records(level="ERROR")


MONEY_FOR_THREE = 0.06  # of claude-sonnet-4-6: $0.0154 for 1,024 tokens, and the question


@pytest.mark.parametrize(
    "served", [answers for answers in variants(*STYLES) if answers["client_wrapper"]], indirect=True, ids=name_of
)
def test_with_money_for_three_fifty_at_once_in_two_processes_make_three_calls(served, lane):
    with closing(sqlite3.connect(served.project / "db.sqlite3", timeout=20)) as database:
        another = "SELECT id, ? FROM accounts_user WHERE username = 'another'"
        database.execute(f"INSERT OR REPLACE INTO usage_userbudget (user_id, day) {another}", [MONEY_FOR_THREE])
        database.commit()
    lane.script(otherwise=Answer(deltas=WORDS, held=True))
    users = [served.user("another") for _ in range(50)]
    with ThreadPoolExecutor(len(users)) as pool:
        replies = [pool.submit(user.post, ASK, {"prompt": "Why?"}) for user in users]
        lane.wait(arrived=3, timeout=60)
        until(lambda: sum(reply.done() for reply in replies) == 47, seconds=60)
        lane.release(3 * (len(WORDS) + 1))
        assert sorted(reply.result().status for reply in replies) == [200] * 3 + [402] * 47
    assert len(lane.requests()) == 3


def opened(user, reply):
    """The conversation that a question without a script leads to."""
    assert reply.status == 302
    return user.get(reply.headers["Location"].partition("#")[0])


@served_with(*STYLES)
def test_without_a_script_too_a_form_that_is_sent_twice_is_asked_once(user, lane):
    fields = dict(re.findall('name="(idempotency_key|conversation)" value="([^"]+)"', user.get("/").text))
    question = {"prompt": "Why is the sky blue?", **fields}
    first, second = (whole(opened(user, user.post("/", question))) for _ in range(2))
    assert first == second == {"answer": "You asked: Why is the sky blue?"}
    assert len(lane.requests()) == 1


@served_with(*STYLES)
def test_without_a_script_the_second_click_is_told_to_wait_and_then_gets_the_answer(user, lane, click, ask):
    lane.script(Answer(deltas=WORDS, gated=True))
    first = ask("/")
    lane.wait(arrived=1, timeout=60)
    second = user.post("/", click)
    page = second.text
    assert second.status == 409
    assert BEING_ANSWERED in page
    assert click["idempotency_key"] in page
    lane.release(len(WORDS))
    assert "The sky is blue." in opened(user, first).text
    assert whole(opened(user, user.post("/", click))) == {"answer": "The sky is blue."}
    assert len(lane.requests()) == 1


ASKED = """
from claude import client
print(client.ask("one"))
"""
AASKED = """
from asgiref.sync import async_to_sync
from claude import client
print(async_to_sync(client.aask)("one"))
"""
FALLBACK = "claude-haiku-5-5"


@pytest.mark.parametrize(
    ("view_style", "script"),
    [("sync", ASKED), ("async", ASKED), ("async", AASKED)],
    ids=["ask", "ask in async", "aask"],
)
def test_every_attempt_at_an_answer_has_the_same_idempotency_key_and_another_model_one_of_its_own(
    production, lane, view_style, script
):
    busy = Status(529, retry_after_ms=1)
    lane.script(busy, Refusal(), busy, Answer(text="The sky is blue."))
    project, environment = production.prepared({"view_style": view_style, "client_wrapper": True})
    variables = production.settings(ANTHROPIC_BASE_URL=lane.base_url, CLAUDE_FALLBACK_MODEL=FALLBACK)
    said = run(["python", "manage.py", "shell", "-c", script], project, environment, **variables)
    assert "The sky is blue." in said
    calls = lane.requests()
    assert [call.step for call in calls] == ["status", "refusal", "status", "answer"]
    first, again, *fallback = [call.idempotency_key for call in calls]
    assert first == again
    assert fallback == [f"{first}-{FALLBACK}"] * 2
