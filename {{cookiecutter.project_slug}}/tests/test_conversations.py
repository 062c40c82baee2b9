"""Questions that follow each other: what Claude gets of what came before, and what is kept of each answer."""

import uuid
from contextlib import contextmanager
from datetime import timedelta
from functools import partial

import pytest
from django.contrib.auth import get_user_model
from django.db import OperationalError, connection
from django.utils import timezone

from chat import idempotency, keeper
from chat.forms import Question
from chat.models import Conversation, Turn
from tests.asking import Browser
from tests.endpoints import PATHS

State = Turn.State

pytestmark = [pytest.mark.django_db, pytest.mark.parametrize("path", PATHS)]


@pytest.fixture
def conversation() -> str:
    return str(uuid.uuid4())


def click(prompt, conversation, **fields):
    return {"prompt": prompt, "conversation": conversation, "idempotency_key": str(uuid.uuid4())} | fields


def said(attempt):
    """The turns that went to Claude, as text."""
    return [turn["content"] for turn in attempt["body"]["messages"]]


def claim(conversation, key=None):
    """A turn that this process is answering."""
    user = Conversation.objects.get(pk=conversation).user
    return idempotency.claim(Question(user, "Why is the sky blue?", key or uuid.uuid4(), uuid.UUID(conversation)))


def half_answered(conversation):
    """A turn under way, of whose answer a part is stored."""
    turn = claim(conversation)
    turn.add("Half")
    keeper.Keeper.of_this_process().make_round()
    return turn


def leave(turn):
    """Ends a turn as its user does."""
    idempotency.broken_off(turn, GeneratorExit())
    idempotency.settle(turn)
    turn.refresh_from_db()


def die(turn):
    """Has a turn look as if its process had died."""
    Turn.objects.filter(pk=turn.pk).update(alive_at=timezone.now() - timedelta(seconds=keeper.LEASE + 1))


@contextmanager
def just_before(query, act):
    """Has something else happen just before the first query that begins like this."""
    acts = iter([act])

    def execute(execute, sql, *args):
        if sql.startswith(query):
            for act in acts:
                act()
        return execute(sql, *args)

    with connection.execute_wrapper(execute):
        yield


def test_the_second_question_goes_to_claude_with_the_first_and_its_answer(user, wire, conversation, path):
    answered = user.post(path, click("My name is Ada.", conversation))
    user.post(path, click("What is my name?", conversation))
    first, answer, second = wire[1]["body"]["messages"]
    assert (first["role"], answer["role"], second["role"]) == ("user", "assistant", "user")
    assert (first["content"], second["content"]) == ("My name is Ada.", "What is my name?")
    assert answer["content"] == Turn.objects.first().text != ""
    assert answered.status == 200


def test_the_answer_before_is_named_so_that_the_api_can_say_why_its_cache_did_not_serve(user, wire, conversation, path):
    user.post(path, click("One", conversation))
    user.post(path, click("Two", conversation))
    diagnostics = wire[1]["body"]["diagnostics"]
    assert diagnostics == {"previous_message_id": Turn.objects.order_by("pk")[0].message_id}
    assert diagnostics["previous_message_id"].startswith("msg_")


def test_a_question_without_a_conversation_has_no_memory_and_leaves_none(user, wire, conversation, path):
    for _ in range(2):
        user.post(path, {"prompt": "Hello", "idempotency_key": str(uuid.uuid4())})
    assert said(wire[1]) == ["Hello"]
    assert not Conversation.objects.exists()
    assert {turn.prompt for turn in Turn.objects.all()} == {""}


def test_a_conversation_is_named_after_its_first_question(user, conversation, path):
    user.post(path, click("  Why is\r\n the sky " + "so " * 40 + "blue?", conversation))
    user.post(path, click("And grass?", conversation))
    title = Conversation.objects.get().title
    assert title.startswith("Why is the sky so so")
    assert len(title) == 80


def test_a_conversation_of_somebody_else_is_not_there(user, anonymous, wire, conversation, path, django_user_model):
    user.post(path, click("A secret", conversation))
    anonymous.sign_in(django_user_model.objects.create_user("another"))
    reply = anonymous.post(path, click("What did I say?", conversation))
    assert (reply.status, reply.json["error"]) == (404, "There is no such conversation.")
    assert (len(wire), Turn.objects.count()) == (1, 1)


@pytest.mark.parametrize("name", ["conversation", "replaces"])
def test_what_is_no_uuid_is_refused(user, wire, conversation, path, name):
    reply = user.post(path, click("Hello", conversation) | {name: "one"})
    assert (reply.status, reply.json["error"]) == (
        400,
        f"The {name} is not a UUID: please reload the page and ask again.",
    )
    assert wire == []


def test_a_key_belongs_to_its_conversation(user, wire, conversation, path):
    first = click("Hello", conversation)
    user.post(path, first)
    for other in (str(uuid.uuid4()), ""):
        assert user.post(path, first | {"conversation": other}).status == 422
    assert user.post(path, first).status == 200
    assert (len(wire), Conversation.objects.count(), Turn.objects.count()) == (1, 1, 1)


def test_a_question_that_was_declined_leaves_the_memory(user, wire, conversation, path):
    user.post(path, click("play late_refusal cyber", conversation))
    assert Turn.objects.get().state == State.DECLINED
    user.post(path, click("Something good", conversation))
    assert said(wire[-1]) == ["Something good"]


def test_a_question_that_failed_keeps_its_sentence_and_leaves_the_memory(user, wire, conversation, path):
    failing = click("fail overloaded_error", conversation)
    user.post(path, failing)
    turn = Turn.objects.get()
    assert (turn.state, turn.ending) == (State.FAILED, {"error": "AI service unavailable", "status": 502})
    user.post(path, click("Another", conversation))
    assert said(wire[-1]) == ["Another"]
    user.post(path, failing)
    assert said(wire[-1]) == ["fail overloaded_error"]


def test_text_that_came_before_a_failure_is_kept_and_remembered(user, wire, conversation, path):
    user.post(path, click("fail stream_cut", conversation))
    turn = Turn.objects.get()
    assert (turn.state, turn.text) == (State.FAILED, "This is the ")
    user.post(path, click("Go on", conversation))
    assert said(wire[-1]) == ["fail stream_cut", "This is the ", "Go on"]


def test_an_answer_that_its_user_left_is_kept_as_far_as_it_came(user, wire, conversation, path):
    user.post(path, click("Hello", conversation))
    turn = claim(conversation)
    turn.add("Half of")
    turn.add(" it")
    leave(turn)
    assert (turn.state, turn.text) == (State.STOPPED, "Half of it")
    user.post(path, click("Go on", conversation))
    assert said(wire[-1])[-3:] == ["Why is the sky blue?", "Half of it", "Go on"]


def test_while_an_answer_comes_what_has_come_is_stored(user, conversation, path):
    user.post(path, click("Hello", conversation))
    turn = half_answered(conversation)
    turn.add(" of it")
    assert ">Half</p>" in user.get(f"/c/{conversation}/").text
    keeper.Keeper.of_this_process().make_round()
    page = user.get(f"/c/{conversation}/").text
    assert ">Half of it</p>" in page
    assert 'data-note="waiting"\n     >' in page


def test_an_answer_whose_process_died_says_so_and_is_remembered(user, wire, conversation, path):
    user.post(path, click("Hello", conversation))
    turn = half_answered(conversation)
    die(turn)
    assert 'data-note="cut"\n     >' in user.get(f"/c/{conversation}/").text
    assert Turn.objects.get(pk=turn.pk).state == State.INTERRUPTED
    user.post(path, click("Go on", conversation))
    assert said(wire[-1])[-3:] == ["Why is the sky blue?", "Half", "Go on"]


def test_an_answer_whose_process_died_is_known_as_such_before_somebody_opens_its_page(user, wire, conversation, path):
    user.post(path, click("Hello", conversation))
    die(half_answered(conversation))
    user.post(path, click("Go on", conversation))
    assert said(wire[-1])[-3:] == ["Why is the sky blue?", "Half", "Go on"]
    assert '"answer": "Half", "state": "interrupted"' in user.get(f"/c/{conversation}/export.json").text


def test_pages_open_while_nothing_can_be_written(user, conversation, path):
    user.post(path, click("Hello", conversation))
    die(claim(conversation))

    def fail():
        raise OperationalError

    for page in ("", "export.json"):
        with just_before('UPDATE "chat_turn"', fail):
            assert user.get(f"/c/{conversation}/{page}").status == 200


def test_a_process_taken_for_dead_stores_its_answer_all_the_same(user, conversation, path):
    user.post(path, click("Hello", conversation))
    turn = claim(conversation)
    die(turn)
    keeper.mark_interrupted(Turn.objects.all())
    turn.add("Late")
    leave(turn)
    assert (turn.state, turn.text) == (State.STOPPED, "Late")


def test_asked_again_after_it_was_cut_an_answer_keeps_its_text_until_there_is_more(user, conversation, path):
    user.post(path, click("Hello", conversation))
    turn = claim(conversation)
    turn.add("Half")
    leave(turn)
    again = claim(conversation, turn.idempotency_key)
    keeper.Keeper.of_this_process().make_round()
    leave(again)
    assert (again.pk, again.text) == (turn.pk, "Half")
    once_more = claim(conversation, turn.idempotency_key)
    once_more.add("Who")
    leave(once_more)
    assert (once_more.pk, once_more.text) == (turn.pk, "Who")


def test_an_answer_after_its_conversation_was_deleted_is_not_kept(user, conversation, path):
    user.post(path, click("Hello", conversation))
    turn = claim(conversation)
    Conversation.objects.all().delete()
    turn.add("Late")
    idempotency.settle(turn)
    assert not Turn.objects.exists()


def test_a_question_in_a_conversation_that_is_deleted_meanwhile_begins_it_anew(user, wire, conversation, path):
    user.post(path, click("Hello", conversation))
    with just_before('UPDATE "chat_conversation"', Conversation.objects.all().delete):
        user.post(path, click("Still there?", conversation))
    assert [message["content"] for message in wire[-1]["body"]["messages"]] == ["Still there?"]
    assert Turn.objects.get().prompt == "Still there?"


def test_of_two_questions_that_start_one_conversation_at_once_both_are_asked(user, wire, conversation, path):
    owner = get_user_model().objects.get()
    start = partial(Conversation.objects.create, pk=conversation, user=owner)
    with just_before('INSERT INTO "chat_conversation"', start):
        assert user.post(path, click("Hello", conversation)).status == 200
    assert Turn.objects.get().conversation_id == uuid.UUID(conversation)


@pytest.mark.parametrize("deleted", [True, False])
def test_another_title_brings_nothing_back(user, conversation, path, deleted):
    user.post(path, click("Hello", conversation))
    now = timezone.now()

    def meanwhile():
        if deleted:
            Conversation.objects.all().delete()
        else:
            Conversation.objects.update(updated_at=now)

    with just_before('UPDATE "chat_conversation"', meanwhile):
        reply = user.post(f"/c/{conversation}/rename/", {"title": "Another"})
    assert reply.status == (404 if deleted else 302)
    assert list(Conversation.objects.values_list("title", "updated_at")) == ([] if deleted else [("Another", now)])


# --- Asked again ----------------------------------------------------------------------------------


def test_a_question_asked_again_takes_the_place_of_the_last_one(user, wire, conversation, path):
    last = click("Hello?", conversation)
    user.post(path, click("First", conversation))
    user.post(path, last)
    better = user.post(path, click("Hello!", conversation, replaces=last["idempotency_key"]))
    assert better.status == 200
    assert [question for question in said(wire[-1]) if "You asked" not in question] == ["First", "Hello!"]
    assert list(Turn.objects.order_by("pk").values_list("prompt", flat=True)) == ["First", "Hello!"]


def test_until_it_has_an_answer_the_last_one_stays(user, wire, conversation, path):
    last = click("Hello", conversation)
    user.post(path, last)
    failed = click("fail overloaded_error", conversation, replaces=last["idempotency_key"])
    user.post(path, failed)
    assert [turn.state for turn in Turn.objects.order_by("pk")] == [State.ANSWERED, State.FAILED]
    for replaces in (last, failed):  # as a page that knows of the failure, or does not
        user.post(path, click("fail rate_limit_error", conversation, replaces=replaces["idempotency_key"]))
        assert said(wire[-1]) == ["fail rate_limit_error"]
    user.post(path, click("Better", conversation, replaces=failed["idempotency_key"]))
    assert said(wire[-1]) == ["Better"]
    assert [turn.prompt for turn in Turn.objects.all()] == ["Better"]


def test_no_question_but_the_last_can_be_asked_again(user, wire, conversation, path):
    first, second = click("First", conversation), click("Second", conversation)
    elsewhere, alone = click("Elsewhere", str(uuid.uuid4())), click("Alone", "")
    for question in (first, second, elsewhere, alone):
        user.post(path, question)
    sentence = "Only the last question of a conversation can be asked again: please reload the page."
    for replaces in (first, elsewhere, alone, {"idempotency_key": str(uuid.uuid4())}):
        reply = user.post(path, click("Again", conversation, replaces=replaces["idempotency_key"]))
        assert (reply.status, reply.json["error"]) == (422, sentence)
    assert user.post(path, click("Again", "", replaces=alone["idempotency_key"])).status == 422
    assert user.post(path, {"prompt": "Again", "replaces": alone["idempotency_key"]}).status == 422
    assert (len(wire), Turn.objects.count()) == (4, 4)


def test_a_question_asked_again_twice_is_paid_for_once(user, wire, conversation, path):
    last = click("Hello?", conversation)
    user.post(path, last)
    again = click("Hello!", conversation, replaces=last["idempotency_key"])
    assert [user.post(path, again).status for _ in range(2)] == [200, 200]
    assert len(wire) == 2


def test_two_browsers_of_one_user_share_a_conversation(user, wire, conversation, path, django_user_model):
    user.post(path, click("First", conversation))
    other = Browser()
    other.sign_in(django_user_model.objects.get(username="user"))
    other.post(path, click("Second", conversation))
    assert len(said(wire[-1])) == 3
