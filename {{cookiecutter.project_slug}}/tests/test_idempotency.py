"""A click is paid for once: what a second request with the same idempotency key gets."""

import uuid
from datetime import timedelta

import pytest
from django.db import OperationalError, connection
from django.urls import resolve
from django.utils import timezone

from chat import idempotency
from chat.models import Question
from tests.endpoints import PATHS

State = Question.State

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


def test_an_answered_question_is_answered_again_without_asking_claude(user, wire, click, path):
    first, second = user.post(path, click), user.post(path, click)
    assert whole(first) == whole(second)
    assert "Why is the sky blue?" in whole(second)["answer"]
    assert len(wire) == 1


def test_while_a_question_is_being_answered_another_click_is_refused(user, wire, click, path):
    user.post(path, click)
    Question.objects.update(state=State.ASKED, answer=None)
    reply = user.post(path, click)
    assert (reply.status, reply.json["error"]) == (
        409,
        "This question is being answered already: please wait for its answer.",
    )
    assert len(wire) == 1


def test_a_question_whose_worker_died_may_be_asked_again(user, wire, click, path, settings):
    user.post(path, click)
    long_ago = timezone.now() - timedelta(seconds=settings.CLAUDE_DEADLINE + 60)
    Question.objects.update(state=State.ASKED, answer=None, asked_at=long_ago)
    assert user.post(path, click).status == 200
    assert len(wire) == 2


def test_a_question_that_failed_may_be_asked_again(user, wire, click, path):
    failing = click | {"prompt": "fail overloaded_error"}
    assert user.post(path, failing).status == 502
    assert Question.objects.get().state == State.FAILED
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
    assert not Question.objects.exists()


def test_answers_are_deleted_in_time_by_whoever_asks_next(user, anonymous, click, path, settings, django_user_model):
    user.post(path, click)
    Question.objects.update(asked_at=timezone.now() - timedelta(seconds=settings.CHAT_REMEMBER + 60))
    anonymous.sign_in(django_user_model.objects.create_user("another"))
    anonymous.post(path, click)
    assert Question.objects.get().user.username == "another"


def test_a_worker_taken_for_dead_does_not_overwrite_the_next_answer(rf, django_user_model, click, path, settings):
    request = rf.post(path, click)
    request.user = django_user_model.objects.create_user("user")
    request.resolver_match = resolve(path)
    slow = idempotency.claim(request)
    settings.CLAUDE_DEADLINE = -idempotency.GRACE
    quick = idempotency.claim(request)
    quick.answer = {"answer": "Rayleigh"}
    idempotency.settle(quick)
    idempotency.settle(slow)
    question = Question.objects.get()
    assert (question.state, question.answer) == (State.ANSWERED, {"answer": "Rayleigh"})


def test_an_answer_that_cannot_be_kept_is_given_all_the_same(user, click, path, caplog):
    def failing(execute, sql, *args):
        if sql.startswith('UPDATE "chat_question"'):
            raise OperationalError("You asked why the sky is blue")
        return execute(sql, *args)

    with connection.execute_wrapper(failing):
        reply = user.post(path, click)
    assert "Why is the sky blue?" in whole(reply)["answer"]
    (line,) = [record for record in caplog.records if record.name == "chat"]
    assert line.levelname == "ERROR"
    assert "You asked" not in caplog.text
