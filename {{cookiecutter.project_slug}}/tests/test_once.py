"""One click is paid for once: what a second request with the same id gets."""

import uuid
from datetime import timedelta

import pytest
from django.db import OperationalError, connection
from django.urls import resolve
from django.utils import timezone

from chat import once
from chat.models import Question

# % if cookiecutter.view_style == "sync"
PATHS = ["/chat/ask/"]
# % else
PATHS = ["/chat/ask/", "/chat/stream/"]
# % endif
State = Question.State

pytestmark = [pytest.mark.django_db, pytest.mark.parametrize("path", PATHS)]


@pytest.fixture
def click() -> dict[str, str]:
    return {"prompt": "Why is the sky blue?", "request_id": str(uuid.uuid4())}


def whole(reply) -> dict:
    """The outcome in a reply, whether it came as JSON or as events."""
    if reply.headers["Content-Type"] == "application/json":
        return reply.json
    *pieces, end = reply.events
    return {"answer": "".join(piece["delta"] for piece in pieces), **{k: v for k, v in end.items() if k != "done"}}


def test_an_answered_question_is_answered_again_without_asking_claude(reader, wire, click, path):
    first, second = reader.post(path, click), reader.post(path, click)
    assert whole(first) == whole(second)
    assert "Why is the sky blue?" in whole(second)["answer"]
    assert len(wire) == 1


def test_while_a_question_is_being_answered_another_click_is_refused(reader, wire, click, path):
    reader.post(path, click)
    Question.objects.update(state=State.ASKED, outcome=None)
    reply = reader.post(path, click)
    assert (reply.status, reply.json["error"]) == (
        409,
        "This question is being answered already: please wait for its answer.",
    )
    assert len(wire) == 1


def test_a_question_whose_worker_died_may_be_asked_again(reader, wire, click, path, settings):
    reader.post(path, click)
    long_ago = timezone.now() - timedelta(seconds=settings.CLAUDE_DEADLINE + 60)
    Question.objects.update(state=State.ASKED, outcome=None, asked_at=long_ago)
    assert reader.post(path, click).status == 200
    assert len(wire) == 2


def test_a_question_that_failed_may_be_asked_again(reader, wire, click, path):
    failing = click | {"prompt": "fail overloaded_error"}
    assert reader.post(path, failing).status == 502
    assert Question.objects.get().state == State.FAILED
    assert reader.post(path, failing).status == 502
    assert len(wire) == 2


def test_an_id_belongs_to_one_question_of_one_reader(reader, visitor, wire, click, path, django_user_model):
    reader.post(path, click)
    assert reader.post(path, click | {"prompt": "Something else"}).status == 422
    visitor.sign_in(django_user_model.objects.create_user("another"))
    assert visitor.post(path, click).status == 200
    assert len(wire) == 2


def test_an_id_that_is_no_uuid_is_refused(reader, wire, click, path):
    assert reader.post(path, click | {"request_id": "one"}).status == 400
    assert wire == []


def test_without_an_id_each_request_is_a_new_question(reader, wire, path):
    for _ in range(2):
        assert reader.post(path, {"prompt": "Hello"}).status == 200
    assert len(wire) == 2
    assert not Question.objects.exists()


def test_outcomes_are_forgotten_in_time_whoever_asks_next(reader, visitor, click, path, settings, django_user_model):
    reader.post(path, click)
    Question.objects.update(asked_at=timezone.now() - timedelta(seconds=settings.CHAT_REMEMBER + 60))
    visitor.sign_in(django_user_model.objects.create_user("another"))
    visitor.post(path, click)
    assert Question.objects.get().user.username == "another"


def test_who_was_taken_for_dead_takes_nothing_from_who_took_over(rf, django_user_model, click, path, settings):
    request = rf.post(path, click)
    request.user = django_user_model.objects.create_user("reader")
    request.resolver_match = resolve(path)
    slow = once.claim(request)
    settings.CLAUDE_DEADLINE = -once.GRACE
    quick = once.claim(request)
    quick.outcome = {"answer": "Rayleigh"}
    once.settle(quick)
    once.settle(slow)
    question = Question.objects.get()
    assert (question.state, question.outcome) == (State.ANSWERED, {"answer": "Rayleigh"})


def test_an_answer_that_cannot_be_kept_is_given_all_the_same(reader, click, path, caplog):
    def failing(execute, sql, *args):
        if sql.startswith('UPDATE "chat_question"'):
            raise OperationalError("You asked why the sky is blue")
        return execute(sql, *args)

    with connection.execute_wrapper(failing):
        reply = reader.post(path, click)
    assert "Why is the sky blue?" in whole(reply)["answer"]
    (line,) = [record for record in caplog.records if record.name == "chat"]
    assert line.levelname == "ERROR"
    assert "You asked" not in caplog.text
