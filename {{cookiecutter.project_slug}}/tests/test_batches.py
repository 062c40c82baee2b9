"""Batches: sent once, collected whatever happens, and each item delivered once, with a success or failure of its own."""

import contextlib
import json
import logging
import uuid
from datetime import timedelta
from importlib.util import find_spec

import pytest
# % if cookiecutter.view_style == "async"
from asgiref.sync import async_to_sync
# % endif
from django.core.management import CommandError, call_command
from django.db import DatabaseError, IntegrityError, transaction
from django.utils import timezone
from pydantic import BaseModel

from claude import background, batch_results, batches, body, calls
from claude.failures import Failure, Refused
from claude.messages import build_request
from claude.models import Batch, BatchItem
from tests.asking import Browser

pytestmark = pytest.mark.django_db

QUESTIONS = {
    "a": "Why is the sky blue?",
    "b": "play refusal bio",
    "c": "fail overloaded_error",
    "d": "play expired",
    "e": "play canceled",
}
OUTCOMES = {"a": "answered", "b": "declined", "c": "unavailable", "d": "expired", "e": "canceled"}
MESSAGE = {"type": "message", "model": "claude-test-model", "content": [{"type": "text", "text": "Yes."}]}
MESSAGE |= {"stop_reason": "end_turn", "usage": {"input_tokens": 1000, "output_tokens": 100}}
SUCCEEDED = {"type": "succeeded", "message": MESSAGE}


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.CLAUDE_OFFLINE_BATCHES = tmp_path / "batches"


@pytest.fixture
def delivered(connect):
    """The items that were delivered, by their keys."""
    keys = []

    def note(item, **kwargs):
        keys.append(item.key)

    connect(batches.batch_item_ended, note)
    return keys


def requests(**prompts):
    return {key: build_request(prompt) for key, prompt in (prompts or QUESTIONS).items()}


def outcomes(batch):
    return dict(batch.items.values_list("key", "outcome"))


def state_of(batch):
    batch.refresh_from_db()
    return batch.state


def known(status="in_progress", **more):
    """A batch, as the API shows it."""
    counts = {"processing": 2, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0}
    now = timezone.now().isoformat()
    return {"id": "msgbatch_1", "processing_status": status, "request_counts": counts, "created_at": now, **more}


def line(item, result):
    return json.dumps({"custom_id": str(getattr(item, "pk", item)), "result": result}) + "\n"


def submitted(replies, *later):
    """A batch of two at the API, which then sends what `later` makes of its items."""
    replies(known())
    batch = batches.submit(requests(a="Yes?", b="No?"))
    a, b = (batch.items.get(key=key) for key in "ab")
    replies(*(reply(a, b) if callable(reply) else reply for reply in later))
    return batch


def lost(replies):
    """A batch that was sent a while ago, without a word coming back."""
    replies(None)
    batch = batches.submit(requests(a="Yes?", b="No?"))
    assert (batch.state, batch.anthropic_batch_id) == ("submitting", "")
    Batch.objects.update(created_at=timezone.now() - timedelta(hours=1))
    return batch


# --- A batch, from its beginning to its end ---


def test_each_item_has_an_end_of_its_own(delivered, django_user_model):
    user = django_user_model.objects.create_user("user")
    batch = batches.submit(requests(), user=user, purpose="questions")
    assert (batch.state, batch.user, batch.purpose, batch.size) == ("in_progress", user, "questions", 5)
    assert set(outcomes(batch).values()) == {"pending"}
    batches.collect()
    assert outcomes(batch) == OUTCOMES
    assert sorted(delivered) == sorted(OUTCOMES)
    assert state_of(batch) == "ended"
    assert batch.counts == dict.fromkeys(OUTCOMES.values(), 1)


def test_the_answer_of_an_item_is_that_of_a_call(delivered):
    batch = batches.submit(requests())
    batches.collect()
    answer = batch.items.get(key="a").answer()
    assert "> Why is the sky blue?" in answer
    assert (answer.stop_reason, answer.usage.output_tokens > 0) == ("end_turn", True)
    assert batch.items.get(key="b").answer().refusal_category == "bio"
    for key in "cde":
        with pytest.raises(Failure, match="AI service unavailable"):
            batch.items.get(key=key).answer()


def test_an_answer_may_fit_a_schema():
    class Ticket(BaseModel):
        topic: str

    asked = {key: build_request(prompt, schema=Ticket) for key, prompt in {"a": "Broken.", "b": "play misfit"}.items()}
    batch = batches.submit(asked)
    batches.collect()
    assert isinstance(batch.items.get(key="a").answer(Ticket).parsed, Ticket)
    with pytest.raises(Failure) as caught:
        batch.items.get(key="b").answer(Ticket)
    assert caught.value.kind == "misfit"


def test_a_batch_goes_out_in_one_request_without_what_no_batch_takes(wire, settings):
    settings.CLAUDE_EFFORT = settings.CLAUDE_THINKING = ""
    request = build_request("Hello", previous_message_id="") | {"stream": True, "fallbacks": [], "timeout": 5}
    batch = batches.submit({"a": request})
    (sent,) = wire
    (item,) = sent["body"]["requests"]
    assert item["custom_id"] == str(batch.items.get().pk)
    assert item["params"].keys() == {"model", "max_tokens", "messages", "system"}
    assert item["params"]["system"][0]["cache_control"] == {"type": "ephemeral"}


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"a": build_request("Hello") | {"max_tokens": 0}},
        {"a": build_request("Hello") | {"max_tokens": -1}},
        {"a": build_request("Hello") | {"max_tokens": "9"}},
        {"a": build_request("Hello") | {"model": None}},
        {"": build_request("Hello")},
        {"a" * 256: build_request("Hello")},
        {"a\0": build_request("Hello")},
        {"a": build_request("Hello"), "b": build_request("Hello")},
        {"a": build_request("x" * 5000)},
    ],
)
def test_what_no_batch_takes_is_said_before_anything_is_stored_or_sent(asked, wire, monkeypatch):
    monkeypatch.setattr(batches, "MOST_ITEMS", 1)
    monkeypatch.setattr(batches, "MOST_BYTES", 4000)
    with pytest.raises(ValueError, match="takes"):
        batches.submit(asked)
    assert (wire, Batch.objects.count()) == ([], 0)


def test_inside_a_transaction_nothing_is_sent(wire):
    with pytest.raises(RuntimeError), transaction.atomic():
        batches.submit(requests())
    assert wire == []


def test_a_canceled_batch_ends_with_what_was_canceled(delivered):
    batch = batches.submit(requests())
    batches.cancel(batch)
    assert state_of(batch) == "canceling"
    batches.collect()
    assert set(outcomes(batch).values()) == {"canceled"}


def test_a_batch_that_nobody_knows_the_api_to_have_cannot_be_canceled(replies, caplog):
    batch = lost(replies)
    caplog.clear()
    with pytest.raises(ValueError, match="has no id of the API"):
        batches.cancel(batch)
    assert (caplog.text, state_of(batch)) == ("", "submitting")


def test_a_batch_under_way_is_asked_for_again(replies):
    batch = submitted(replies, known(), known("canceling"))
    assert batches.collect() == {"in_progress": 1}
    assert batches.collect() == {"canceling": 1}
    assert state_of(batch) == "canceling"


# % if cookiecutter.view_style == "async"
@pytest.mark.django_db(transaction=True)
def test_a_coroutine_submits_and_cancels():
    batch = async_to_sync(batches.asubmit)(requests())
    async_to_sync(batches.acancel)(batch)
    assert state_of(batch) == "canceling"


# % endif
# --- Who may refuse it, and who hears of it ---


def test_each_item_is_a_call_to_the_receivers_of_calls(connect, django_user_model):
    user, seen = django_user_model.objects.create_user("user"), []

    def note(signal, call, **kwargs):
        seen.append((signal, call.id, call.outcome, call.is_batch, call.user, call.purpose))

    connect(calls.call_starting, note)
    connect(calls.call_ended, note)
    batch = batches.submit(requests(a="Hello"), user=user, purpose="test")
    batches.collect()
    about = (True, user, "test")
    item_id = batch.items.get().pk
    assert seen == [(calls.call_starting, item_id, None, *about), (calls.call_ended, item_id, "answered", *about)]


@pytest.mark.parametrize("signal", [batches.batch_starting, calls.call_starting])
def test_who_refuses_one_item_refuses_the_batch(signal, connect, wire, delivered):
    starting, ended = [], []

    def refuse(sender, **kwargs):
        if sender is Batch or starting[1:]:
            raise Refused(402, "Not today.")

    def note_start(call, **kwargs):
        starting.append(call)

    def note_end(call, **kwargs):
        ended.append(call)

    connect(calls.call_starting, note_start)
    connect(calls.call_ended, note_end)
    connect(signal, refuse)
    with pytest.raises(Refused, match=r"Not today\."):
        batches.submit(requests())
    assert [call.id for call in ended] == [call.id for call in starting]
    assert {call.outcome for call in ended} <= {"refused"}
    batches.collect()
    assert (wire, delivered, Batch.objects.count()) == ([], [], 0)


def test_a_receiver_that_fails_gets_the_item_again_and_holds_up_no_other(connect, delivered, caplog):
    attempts = []

    def fail_once(item, **kwargs):
        attempts.append(item.key)
        Batch.objects.filter(pk=item.batch_id).update(purpose=item.key)
        if attempts.count("a") == 1 and item.key == "a":
            raise LookupError("first try")

    connect(batches.batch_item_ended, fail_once)
    batch = batches.submit(requests(a="Hello"))
    assert batches.collect() == {"ended": 1, "failures": 1}
    assert (state_of(batch), batch.purpose) == ("ended", "")  # what the receiver wrote is undone
    assert "A receiver failed with item" in caplog.text
    second = batches.submit(requests(b="Hello"))
    assert batches.collect() == {"ended": 1, "delivered": 2}
    assert batches.collect() == {}
    assert attempts == ["a", "a", "b"]
    assert state_of(second) == "ended"


def break_the_transaction(**kwargs):
    """As Django sees it: a statement has failed, whatever becomes of the exception."""
    with contextlib.suppress(IntegrityError):
        Batch.objects.create(pk=Batch.objects.get().pk, size=1)


@pytest.mark.django_db(transaction=True)
def test_a_receiver_that_the_database_refuses_takes_nothing_from_the_result_and_from_other_receivers(connect):
    seen = []

    def note(call, **kwargs):
        seen.append(call.outcome)
        background.flush()  # in memory, SQLite refuses whoever writes beside another thread
        Batch.objects.filter(pk=batch.pk).update(purpose=call.outcome)

    connect(calls.call_ended, break_the_transaction)
    connect(calls.call_ended, note)
    batch = batches.submit(requests(a="Hello"))
    assert batches.collect() == {"ended": 1, "delivered": 1}
    assert (outcomes(batch), state_of(batch), batch.purpose) == ({"a": "answered"}, "ended", "answered")
    assert set(seen) == {"answered"}


def test_what_was_not_stored_is_not_sent(connect, wire):
    connect(calls.call_starting, break_the_transaction)
    with pytest.raises(DatabaseError):
        batches.submit(requests(a="Hello"))
    assert (wire, Batch.objects.count()) == ([], 0)


def test_what_was_not_stored_is_not_delivered(connect, caplog):
    connect(batches.batch_item_ended, break_the_transaction)
    batches.submit(requests(a="Hello"))
    assert batches.collect() == {"ended": 1, "failures": 1}
    assert "A receiver failed with item" in caplog.text


def test_the_first_end_of_an_item_is_the_last_whoever_else_stores_it(connect):
    ended = []

    def note(call, **kwargs):
        ended.append(call.outcome)

    connect(calls.call_ended, note)
    batch = batches.submit(requests(a="Hello"))
    item = batch.items.get()  # as another process has it, which collects at the same time
    batches.collect()
    batch_results.store_result(item, {"type": "expired"})
    assert (ended, outcomes(batch)) == (["answered"], {"a": "answered"})


def test_what_was_stored_before_a_process_died_is_delivered_by_the_next(delivered):
    batch = batches.submit(requests())
    batches.follow(batch)
    assert (state_of(batch), delivered) == ("ended", [])
    batches.collect()
    assert sorted(delivered) == sorted(OUTCOMES)


# --- When the API does not take it, or says nothing ---


@pytest.mark.parametrize("status", [401, 429, 529])
def test_what_the_api_refuses_has_failed_and_is_not_delivered(replies, api, delivered, status):
    replies(status)
    with pytest.raises(Failure):
        batches.submit(requests())
    batch = Batch.objects.get()
    assert batch.state == "failed"
    assert "pending" not in outcomes(batch).values()
    batches.collect()
    assert (delivered, api.questions) == ([], 1)


def test_what_never_reached_the_api_has_failed(settings, api):
    settings.ANTHROPIC_BASE_URL = "http://127.0.0.1:9"  # where nobody listens
    with pytest.raises(Failure):
        batches.submit(requests())
    assert Batch.objects.get().state == "failed"


@pytest.mark.parametrize("reply", [None, 500, "<!doctype html>Sign in", {"type": "message_batch"}])
def test_what_got_no_word_back_is_not_sent_again(replies, api, settings, reply):
    settings.CLAUDE_MAX_RETRIES = 3
    replies(reply)
    batch = batches.submit(requests())
    assert state_of(batch) == "submitting"
    assert batches.collect() == {"submitting": 1}  # too early to ask
    assert api.questions == 1


def test_a_batch_without_a_word_is_found_by_its_results(replies, delivered):
    batch = lost(replies)
    a, b = (batch.items.get(key=key) for key in "ab")
    other, ours = known("ended", id="msgbatch_other"), known("ended")
    smaller = known("ended", request_counts={"succeeded": 1})
    results = line(a, SUCCEEDED) + line(b, SUCCEEDED)
    listed = {"data": [smaller, other, ours], "has_more": False}
    replies(listed, line(uuid.uuid4(), SUCCEEDED), results, known("ended"), results)
    assert batches.collect() == {"ended": 1, "delivered": 2}
    assert outcomes(batch) == {"a": "answered", "b": "answered"}
    assert (state_of(batch), batch.anthropic_batch_id) == ("ended", "msgbatch_1")


def test_a_batch_that_may_be_under_way_is_waited_for(replies, caplog):
    batch = lost(replies)
    replies({"data": [known()], "has_more": False})
    assert batches.collect() == {"submitting": 1}
    assert f"Batch {batch.pk} may be one of 1 under way at the API" in caplog.text


def test_a_batch_that_the_api_does_not_have_has_failed(replies, delivered):
    batch = lost(replies)
    taken = Batch.objects.create(size=2, state="ended", anthropic_batch_id="msgbatch_1")
    long_ago = known("ended", id="msgbatch_0", created_at=(timezone.now() - timedelta(days=2)).isoformat())
    pages = [{"data": [known("ended")], "has_more": True}, {"data": [long_ago], "has_more": True}]
    left = replies(*pages)
    assert batches.collect() == {"failed": 1, "delivered": 2}
    assert (state_of(batch), list(left), taken.items.count()) == ("failed", [], 0)
    assert set(outcomes(batch).values()) == {"unavailable"}


def test_while_the_api_cannot_be_asked_nothing_is_decided(replies):
    batch = lost(replies)
    replies(500)
    assert batches.collect() == {"failures": 1}
    assert state_of(batch) == "submitting"


def test_an_id_that_cannot_be_stored_is_in_the_log_and_the_batch_is_found_again(replies, monkeypatch, caplog):
    def broken(*args):
        raise DatabaseError("gone")

    replies(known())
    with monkeypatch.context() as patch:
        patch.setattr(batches, "note_id", broken)
        batch = batches.submit(requests(a="Yes?", b="No?"))
    assert (state_of(batch), batch.anthropic_batch_id) == ("submitting", "")
    assert f"Batch {batch.pk} is msgbatch_1 at the API" in caplog.text


# --- What the results may be ---


def test_results_come_in_any_order_and_what_is_wrong_with_one_costs_no_other(replies, delivered, caplog):
    def results(a, b):
        wrong = ["{broken", "[]", '"text"', '{"custom_id": 5, "result": {}}', "[" * 100_000]
        right = [line(b, SUCCEEDED), line(b, {"type": "expired"}), line(a, {"type": "canceled"})]
        return "\n".join([*wrong, line(uuid.uuid4(), SUCCEEDED), *right])

    batch = submitted(replies, known("ended"), results)
    batches.collect()
    assert outcomes(batch) == {"a": "canceled", "b": "answered"}
    assert sorted(delivered) == ["a", "b"]
    assert "6 lines of its results are of no item, or cannot be read" in caplog.text


def test_what_the_results_do_not_have_is_missing(replies, delivered):
    batch = submitted(replies, known("ended"), lambda a, b: line(a, SUCCEEDED).strip())
    batches.collect()
    assert outcomes(batch) == {"a": "answered", "b": "missing"}
    with pytest.raises(Failure):
        batch.items.get(key="b").answer()


@pytest.mark.parametrize("reply", ["<!doctype html>Sign in", "", 404, 500])
def test_what_are_no_results_of_the_batch_end_nothing(replies, reply):
    batch = submitted(replies, known("ended"), reply)
    assert batches.collect() == {"failures": 1}
    assert set(outcomes(batch).values()) == {"pending"}
    assert state_of(batch) == "in_progress"


@pytest.mark.parametrize(
    ("result", "outcome"),
    [
        ({"type": "errored", "error": {"error": {"type": "overloaded_error", "message": "Words"}}}, "unavailable"),
        ({"type": "errored", "error": {"error": {"type": "authentication_error", "message": "x"}}}, "misconfigured"),
        ({"type": "errored", "error": "text"}, "unavailable"),
        ({"type": "succeeded", "message": None}, "unavailable"),
        ({"type": "succeeded", "message": {**MESSAGE, "content": [1, {}], "stop_reason": None}}, "unavailable"),
        ({"type": "new"}, "unavailable"),
        (None, "unavailable"),
    ],
)
def test_each_result_ends_its_item(replies, result, outcome, caplog):
    batch = submitted(replies, known("ended"), lambda a, b: line(a, result) + line(b, SUCCEEDED))
    batches.collect()
    assert outcomes(batch) == {"a": outcome, "b": "answered"}
    assert f"1 items failed: {outcome}" in caplog.text
    assert "Words" not in caplog.text


def test_an_answer_is_kept_as_it_is(replies):
    text = "\0 \ud800 ü \u2028 \x85"
    message = {**MESSAGE, "content": [{"type": "text", "text": text}]}
    results = json.dumps({"type": "succeeded", "message": message}, ensure_ascii=False).replace("\ud800", "\\ud800")
    raw = '{"custom_id": "%s", "result": %s}\n'
    batch = submitted(replies, known("ended"), lambda a, b: raw % (a.pk, results) + line(b, SUCCEEDED))
    batches.collect()
    assert batch.items.get(key="a").answer() == text


def test_results_may_be_larger_than_any_other_body_and_a_line_that_is_too_long_costs_its_item(replies, monkeypatch):
    monkeypatch.setattr(body, "LARGEST", 100_000)  # more than comes in one piece
    longer = {"type": "succeeded", "message": {**MESSAGE, "padding": "x" * 300_000}}
    batch = submitted(replies, known("ended"), lambda a, b: line(a, longer) + line(b, SUCCEEDED))
    batches.collect()
    assert outcomes(batch) == {"a": "missing", "b": "answered"}


def test_results_that_break_off_are_stored_as_far_as_they_came(replies, api, delivered):
    batch = submitted(replies)
    a, b = (batch.items.get(key=key) for key in "ab")
    whole = known("ended")
    replies(whole)
    reply = api.answer

    def break_off(connection):
        if api.questions % 2 == 0:  # first the batch, then its results
            return reply(connection)
        connection.sendall(f"HTTP/1.1 200 OK\r\ncontent-length: 10000\r\n\r\n{line(a, SUCCEEDED)}".encode())
        return False

    api.answer = break_off
    assert batches.collect() == {"failures": 1, "delivered": 1}
    assert outcomes(batch) == {"a": "answered", "b": "pending"}
    replies(whole, line(a, SUCCEEDED) + line(b, SUCCEEDED))
    assert batches.collect() == {"ended": 1, "delivered": 1}
    assert delivered == ["a", "b"]


def test_a_batch_whose_results_the_api_keeps_no_longer_ends(replies, delivered, api):
    batch = submitted(replies)
    Batch.objects.update(created_at=timezone.now() - timedelta(days=30))
    asked = api.questions
    assert batches.collect() == {"ended": 1, "delivered": 2}
    assert (set(outcomes(batch).values()), api.questions) == ({"missing"}, asked)


def test_one_batch_that_fails_holds_up_no_other(replies):
    first = submitted(replies)
    second = Batch.objects.create(size=1, state="in_progress", anthropic_batch_id="msgbatch_2")
    replies(500, known("in_progress"))
    assert batches.collect() == {"failures": 1, "in_progress": 1}
    assert state_of(first) == state_of(second) == "in_progress"


# --- Commands, the log, the admin ---


def test_the_command_says_what_it_collected_and_ends_with_1_where_something_failed(connect, capsys):
    call_command("collect_batches")
    assert capsys.readouterr().out == "Nothing to collect.\n"
    batches.submit(requests(a="Hello"))
    call_command("collect_batches")
    assert capsys.readouterr().out == "1 ended, 1 delivered\n"

    def fail(item, **kwargs):
        raise LookupError

    connect(batches.batch_item_ended, fail)
    batches.submit(requests(a="Hello"))
    with pytest.raises(CommandError):
        call_command("collect_batches")


if find_spec("django.tasks"):  # from Django 6.0 on

    def test_the_task_does_the_same_where_django_has_tasks(settings):
        from claude.tasks import collect_batches

        settings.TASKS = {"default": {"BACKEND": "django.tasks.backends.immediate.ImmediateBackend"}}
        batches.submit(requests(a="Hello"))
        assert collect_batches.enqueue().return_value == {"ended": 1, "delivered": 1}


def test_each_request_is_a_line_of_the_log_without_what_was_said(caplog):
    caplog.set_level(logging.INFO, logger="claude")
    batch = batches.submit(requests(a="Secret?"))
    batches.collect()
    lines = [record for record in caplog.records if record.name == "claude"]
    assert [record.getMessage() for record in lines] == [
        f"Batch {batch.pk}, {what} done" for what in ("create", "retrieve", "results")
    ]
    assert all(record.anthropic_request_id.startswith("req_offline_") for record in lines)
    assert "Secret" not in str([vars(record) for record in lines])


def test_while_the_api_is_asked_no_database_connection_is_held(wire, monkeypatch):
    released = []
    monkeypatch.setattr(calls, "release_connections", lambda: released.append(len(wire)))
    batches.submit(requests(a="Hello"))
    batches.collect()
    assert set(released) >= set(range(len(wire) + 1))  # before each request, and after what is stored of the results


@pytest.fixture
def browse(django_user_model):
    def browse(*permissions, **details):
        user = django_user_model.objects.create_user("staff", is_staff=True, **details)
        user.user_permissions.set(user.user_permissions.model.objects.filter(codename__in=permissions))
        browser = Browser()
        browser.sign_in(user)
        return browser

    return browse


def test_the_admin_lists_batches_and_shows_neither_questions_nor_answers(browse):
    batch = batches.submit(requests(), purpose="tickets")
    batches.collect()
    staff = browse(is_superuser=True)
    paths = ["batch/", f"batch/{batch.pk}/change/", "batchitem/", f"batchitem/{batch.items.first().pk}/change/"]
    replies = [staff.get(f"/admin/claude/{path}") for path in paths]
    assert [reply.status for reply in replies] == [200] * 4
    assert "tickets" in replies[0].text
    assert "answered: 1, canceled: 1" in replies[0].text
    assert not any("sky" in reply.text or "stand-in" in reply.text for reply in replies)
    assert staff.get("/admin/claude/batchitem/?message__icontains=sky").status == 400
    for path in ("batch/add/", f"batch/{batch.pk}/delete/", "batchitem/add/"):
        assert staff.get(f"/admin/claude/{path}").status == 403


def test_the_admin_shows_batches_to_nobody_without_the_permission(browse):
    staff = browse("view_batch")
    assert [staff.get(f"/admin/claude/{name}/").status for name in ("batch", "batchitem")] == [200, 403]


def test_the_items_of_a_batch_go_with_it_and_a_batch_stays_without_its_user(django_user_model):
    user = django_user_model.objects.create_user("user")
    batch = batches.submit(requests(), user=user)
    user.delete()
    assert Batch.objects.get().user is None
    batch.delete()
    assert not BatchItem.objects.exists()
