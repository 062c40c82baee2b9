"""A click is paid for once: what a second request with the same idempotency key gets."""

import uuid
from contextlib import contextmanager
from datetime import timedelta

import httpx2
import pytest
from django.contrib.auth import get_user_model
from django.db import DataError, OperationalError, connection
from django.db.models import F
from django.utils import timezone

from chat import idempotency, keeper
from chat.forms import read_question
from chat.models import Turn, text_block
from claude import background, offline
from claude.answers import Answer
from tests.endpoints import PATHS

State = Turn.State

pytestmark = [pytest.mark.django_db, pytest.mark.parametrize("path", PATHS)]


@pytest.fixture
def click() -> dict[str, str]:
    return {"prompt": "Why is the sky blue?", "idempotency_key": str(uuid.uuid4())}


def whole(reply) -> dict:
    """The answer in a reply, whether it came as JSON or as events."""
    if reply.headers["Content-Type"] == "application/json":
        return reply.json
    *pieces, end = reply.events
    return {"answer": "".join(piece["delta"] for piece in pieces), **{k: v for k, v in end.items() if k != "done"}}


UPDATE_ANSWER = 'UPDATE "chat_turn" SET "state" = %s, "content"'


@contextmanager
def database_fails(begin: str, error=OperationalError):
    """Has the database fail at each query that begins like this, in words that nobody should read."""

    def execute(execute, sql, *args):
        if sql.startswith(begin):
            raise error("You asked why the sky is blue")
        return execute(sql, *args)

    with connection.execute_wrapper(execute):
        yield


def make_silent(seconds: float) -> None:
    """Has every question look as if its process was last heard of so long ago."""
    alive_at = timezone.now() - timedelta(seconds=seconds)
    Turn.objects.update(state=State.ASKED, content=None, ending=None, alive_at=alive_at)


def test_an_answered_question_is_answered_again_without_asking_claude(user, wire, click, path):
    first, second = user.post(path, click), user.post(path, click)
    assert whole(first) == whole(second)
    assert "Why is the sky blue?" in whole(second)["answer"]
    assert len(wire) == 1


def test_a_refusal_is_given_again_without_asking_claude(user, wire, click, path):
    refused = click | {"prompt": "play late_refusal bio"}
    user.post(path, refused)
    again = whole(user.post(path, refused))
    assert (again["answer"], again["stop_reason"], again["refusal_category"]) == ("", "refusal", "bio")
    assert "biology" in again["refusal"]
    assert len(wire) == 1


def test_what_was_taken_back_is_not_kept(user, wire, click, path, settings):
    settings.CLAUDE_FALLBACK_MODEL = "claude-opus-4-8"
    begun_anew = click | {"prompt": "play primary late_refusal"}
    user.post(path, begun_anew)
    again = whole(user.post(path, begun_anew))
    assert again["answer"].count("This is the offline stand-in") == 1
    assert again["stop_reason"] == "end_turn"
    assert len(wire) == 2


def test_while_a_question_is_being_answered_another_click_is_refused(user, wire, click, path):
    user.post(path, click)
    Turn.objects.update(state=State.ASKED, content=None, ending=None)
    reply = user.post(path, click)
    assert (reply.status, reply.json["error"]) == (
        409,
        "This question is being answered already: please wait for its answer.",
    )
    assert len(wire) == 1


def test_when_its_process_falls_silent_the_user_hears_when_to_ask_again(user, wire, click, path):
    user.post(path, click)
    make_silent(keeper.LEASE - 20)
    reply = user.post(path, click)
    assert (reply.status, reply.headers["Retry-After"]) == (409, "20")
    assert (
        reply.json["error"] == "The server that was answering this question is silent: please try again in 20 seconds."
    )
    assert len(wire) == 1


def test_a_question_whose_process_died_may_be_asked_again(user, wire, click, path):
    user.post(path, click)
    make_silent(keeper.LEASE + 1)
    assert user.post(path, click).status == 200
    assert len(wire) == 2


def test_a_question_that_is_being_answered_is_kept_alive_however_long_it_takes(user, rf, wire, click, path):
    user.post(path, click)
    make_silent(keeper.LEASE + 1)
    idempotency.claim(by_hand(rf, path, click))
    make_silent(keeper.LEASE + 1)
    keeper.Keeper.of_this_process().make_round()
    assert user.post(path, click).status == 409
    assert len(wire) == 1


def test_a_question_that_failed_may_be_asked_again(user, wire, click, path):
    failing = click | {"prompt": "fail overloaded_error"}
    assert user.post(path, failing).status == 502
    assert Turn.objects.get().state == State.FAILED
    assert user.post(path, failing).status == 502
    assert len(wire) == 2


def test_a_key_belongs_to_one_question_of_one_user(user, anonymous, wire, click, path, django_user_model):
    user.post(path, click)
    assert user.post(path, click | {"prompt": "Something else"}).status == 422
    anonymous.sign_in(django_user_model.objects.create_user("another"))
    assert anonymous.post(path, click).status == 200
    assert len(wire) == 2


def test_a_key_that_is_no_uuid_is_refused(user, wire, click, path):
    assert user.post(path, click | {"idempotency_key": "one"}).status == 400
    assert wire == []


def test_the_older_name_of_the_key_still_works(user, wire, click, path):
    older = {"prompt": click["prompt"], "request_id": click["idempotency_key"]}
    assert whole(user.post(path, older)) == whole(user.post(path, click))
    assert len(wire) == 1


def test_without_a_key_each_request_is_a_new_question(user, wire, path):
    for _ in range(2):
        assert user.post(path, {"prompt": "Hello"}).status == 200
    assert len(wire) == 2
    assert not Turn.objects.exists()


def test_answers_are_deleted_in_time(user, click, path, settings):
    for seconds in (60, -60):
        user.post(path, click | {"idempotency_key": str(uuid.uuid4())})
        Turn.objects.update(asked_at=F("asked_at") - timedelta(seconds=settings.CHAT_REMEMBER / 2 + seconds))
    keeper.Keeper().make_round()
    assert Turn.objects.count() == 1


def test_a_question_that_is_being_answered_is_not_deleted_however_short_answers_are_kept(
    user, rf, wire, click, path, settings
):
    settings.CHAT_REMEMBER = 0
    idempotency.claim(by_hand(rf, path, click))
    keeper.Keeper().make_round()
    assert user.post(path, click).status == 409
    assert wire == []


def by_hand(rf, path, click):
    """A question of the user for the functions that take one."""
    request = rf.post(path, click)
    request.user = get_user_model().objects.get(username="user")
    return read_question(request)


def test_a_process_taken_for_dead_does_not_overwrite_the_next_answer(user, rf, click, path):
    request = by_hand(rf, path, click)
    slow = idempotency.claim(request)
    make_silent(keeper.LEASE + 1)
    quick = idempotency.claim(request)
    quick.end(Answer("Rayleigh", content=text_block("Rayleigh")))
    idempotency.settle(quick)
    idempotency.settle(slow)
    turn = Turn.objects.get()
    assert (turn.state, turn.text) == (State.ANSWERED, "Rayleigh")


def test_an_answer_of_any_characters_comes_back_as_it_was(user, monkeypatch, wire, click, path):
    text = "NUL \0, half a character \ud83d, a whole one \N{EARTH GLOBE EUROPE-AFRICA}, \\u0000 and \uffff"

    def respond(request, body):
        message = offline.answer(body) | {"content": [{"type": "text", "text": text}]}
        return httpx2.Response(200, stream=offline.EventStream(offline.events(message, None)))

    in_conversation = {"prompt": "And now?", "conversation": str(uuid.uuid4())}
    with monkeypatch.context() as patch:
        patch.setattr(offline, "respond", respond)
        first = whole(user.post(path, click))
        assert first["answer"] == text
        assert "half a character ?" in user.post("/", in_conversation, follow=True).text
    assert whole(user.post(path, click)) == first
    user.post(path, in_conversation)
    assert "half a character ?" in str(wire[-1]["body"]["messages"][1])


def test_an_answer_that_the_database_refuses_is_not_paid_for_twice_unasked(user, wire, click, path, caplog):
    with database_fails(UPDATE_ANSWER, DataError):
        assert "Why is the sky blue?" in whole(user.post(path, click))["answer"]
    reply = user.post(path, click)
    assert reply.status == 410
    assert reply.json["error"] == (
        "This question was answered, but the answer could not be kept. Ask again for a new answer."
    )
    assert len(wire) == 1
    assert "You asked" not in caplog.text


def test_an_answer_that_the_database_cannot_take_now_is_given_and_stored_later(user, wire, click, path, caplog):
    with database_fails('UPDATE "chat_turn"'):
        first = whole(user.post(path, click))
        keeper.Keeper.of_this_process().make_round()
    assert "Why is the sky blue?" in first["answer"]
    assert user.post(path, click).status == 409
    keeper.Keeper.of_this_process().make_round()
    assert whole(user.post(path, click)) == first
    assert len(wire) == 1
    assert "You asked" not in caplog.text


def test_an_answer_that_the_database_cannot_take_for_too_long_is_lost(user, wire, click, path, monkeypatch):
    monkeypatch.setattr(background, "KEEP_TRYING", -1)
    with database_fails(UPDATE_ANSWER):
        user.post(path, click)
    assert user.post(path, click).status == 410
    assert len(wire) == 1


@pytest.mark.parametrize("query", ['SELECT "django_session"', 'INSERT INTO "chat_turn"'])
def test_a_question_that_the_database_cannot_take_is_not_asked(user, wire, click, path, caplog, query):
    with database_fails(query):
        reply = user.post(path, click)
    assert (reply.status, reply.json["error"]) == (
        503,
        "Your question could not be taken: please ask again in a moment.",
    )
    assert wire == []
    assert "You asked" not in caplog.text
    assert user.post(path, click).status == 200
