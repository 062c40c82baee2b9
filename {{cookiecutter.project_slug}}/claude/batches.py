"""Work that can wait, at half the price: many requests sent as one, which the API answers within a day.

`submit` stores a batch, then sends it, once. `collect` asks how the batches are getting on, stores what has become of each
item, and tells the receivers of `batch_item_ended`. Any number of processes may call it at any time: the database decides
which of them stores an item, and which tells of it. docs/batches.md says what happens when one of them dies.

https://platform.claude.com/docs/en/build-with-claude/batch-processing
"""

import json
import logging
import re
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

# % if cookiecutter.view_style == "async"
from asgiref.sync import sync_to_async
# % endif
from django.conf import settings
from django.db import Error, transaction
from django.db.models import Count
from django.dispatch import Signal
from django.utils import timezone

from claude import calls, failures
from claude.batch_api import Lines, ask, asking, newest_batches, read_results
from claude.calls import Call, call_ended, call_starting
from claude.deadline import Deadline
from claude.failures import Failure, text_at, value_at
from claude.models import Batch, BatchItem

logger = logging.getLogger("claude")

# Sent before a batch is sent, with `batch` and the `calls` that its items are, and then `call_starting` for each of them, in the
# transaction that stores them. A receiver that raises `claude.failures.Refused` refuses the whole batch.
batch_starting = Signal()
# Sent for each `item` that has ended, in a transaction of its own. Where a receiver raises, that is undone, and the item comes
# again with the next `collect`.
batch_item_ended = Signal()

# The API's own limits.
MOST_ITEMS = 100_000
MOST_BYTES = 256_000_000
# What the SDK takes besides the request, and what no batch takes.
LEFT_OUT = {"extra_headers", "extra_query", "extra_body", "timeout", "stream", "fallbacks", "diagnostics"}
UNDER_WAY = (Batch.State.SUBMITTING, Batch.State.IN_PROGRESS, Batch.State.CANCELING)
# The results are stored while they are read, which may take long, in seconds.
DEADLINE_OF_RESULTS = 60 * 60
# After that, the API has no results any more.
RESULTS_LIVE = timedelta(days=29)


def submit(requests: Mapping[str, Mapping[str, Any]], *, user: Any = None, purpose: str = "") -> Batch:
    """Stores a batch and sends it. `requests` are those of `claude.messages.build_request`, each by a key of your own.

    Raises ValueError for what no batch takes, and `Failure` where a receiver or the API refuses it: then nothing is
    asked. If no word comes back, nobody knows: the batch stays "submitting", `collect` finds out, and nothing is sent
    again. Call it outside of transactions: others must see the batch before it is sent.
    """
    params = {key: params_of(key, request) for key, request in requests.items()}
    size = sum(len(json.dumps(each, ensure_ascii=False).encode(errors="replace")) + 100 for each in params.values())
    if not 0 < len(params) <= MOST_ITEMS or size > MOST_BYTES:
        raise ValueError(f"A batch takes 1 to {MOST_ITEMS:,} requests, with {MOST_BYTES:,} bytes at most.")
    batch = Batch(user_id=getattr(user, "pk", None), purpose=purpose[:100], size=len(params))
    items = {BatchItem(batch=batch, key=key, model=each["model"]): each for key, each in params.items()}
    store(batch, items)
    sent = [{"custom_id": str(item.pk), "params": each} for item, each in items.items()]
    try:
        with asking("create", batch) as call:
            told = ask("create", requests=sent)
            if not re.fullmatch(r"[\w-]{1,255}", text_at(told, "id")):
                raise Failure("unavailable", "the response is no batch")
    except Failure as failure:
        if call.outcome == "refused":
            fail(batch, failure, is_told=True)
            raise
        return batch
    found(batch, told["id"])
    return batch


# % if cookiecutter.view_style == "async"
asubmit = sync_to_async(submit)


# % endif
def params_of(key: str, request: Mapping[str, Any]) -> dict[str, Any]:
    """What a batch takes of a request."""
    if not 0 < len(key) <= 255 or "\0" in key:
        raise ValueError("The key of an item takes 1 to 255 characters, and no NUL.")
    params = {name: value for name, value in request.items() if name not in LEFT_OUT}
    if not params.get("max_tokens"):
        raise ValueError("An item of a batch takes a max_tokens of 1 or more.")
    return params


def store(batch: Batch, requests: Mapping[BatchItem, Mapping[str, Any]]) -> None:
    """Stores a batch that nobody refuses."""
    calls_of_items = [call_for(item, request) for item, request in requests.items()]
    started: list[Call] = []
    try:
        with transaction.atomic(durable=True):
            batch.save(force_insert=True)
            BatchItem.objects.bulk_create(requests, batch_size=1000)
            ask_receivers(batch_starting, Batch, batch=batch, calls=calls_of_items)
            for call in calls_of_items:
                started.append(call)
                ask_receivers(call_starting, Call, call=call)
    except Exception:
        for call in started:
            call.outcome = "refused"
            call_ended.send_robust(Call, call=call)
        raise


def ask_receivers(signal: Signal, sender: type, **what: Any) -> None:
    """The first receiver that refused or broke counts."""
    for _, raised in signal.send_robust(sender, **what):
        if isinstance(raised, Exception):
            raise raised if isinstance(raised, Failure) else Failure("unexpected", type(raised).__name__)


def call_for(item: BatchItem, request: Mapping[str, Any] | None = None) -> Call:
    """What the receivers of `call_starting` and `call_ended` get of an item."""
    call = Call(request or {"model": item.model}, user=item.batch.user, purpose=item.batch.purpose)
    call.id, call.is_batch = item.pk, True
    call._started -= (timezone.now() - item.batch.created_at).total_seconds()
    return call


def found(batch: Batch, anthropic_batch_id: str) -> None:
    batch.anthropic_batch_id, batch.state = anthropic_batch_id, Batch.State.IN_PROGRESS
    batch.save(update_fields=["anthropic_batch_id", "state"])


def cancel(batch: Batch) -> None:
    """Asks the API to stop. What it has answered by then is paid for, and comes with `collect` as ever."""
    with asking("cancel", batch):
        told = ask("cancel", batch.anthropic_batch_id)
    note_state(batch, text_at(told, "processing_status"))


# % if cookiecutter.view_style == "async"
acancel = sync_to_async(cancel)


# % endif
def note_state(batch: Batch, status: str) -> None:
    if status in (Batch.State.IN_PROGRESS, Batch.State.CANCELING):
        batch.state = Batch.State(status)
        Batch.objects.filter(pk=batch.pk, state__in=UNDER_WAY).update(state=status)


def collect() -> Counter[str]:
    """Follows all batches under way, and tells of the items that have ended. Counts what it did, and what failed."""
    done: Counter[str] = Counter()
    for batch in list(Batch.objects.filter(state__in=UNDER_WAY).select_related("user").order_by("created_at")):
        try:
            follow(batch)
            done[str(batch.state)] += 1
        except Failure:  # the log has it
            done["failures"] += 1
        except Error as error:
            done["failures"] += 1
            logger.error("Batch %s could not be stored: %s", batch.pk, type(error).__name__)
    return done + tell()


def follow(batch: Batch) -> None:
    """Asks the API how a batch is getting on, and stores its results once it has ended. Raises `Failure`."""
    age = timezone.now() - batch.created_at
    if age > RESULTS_LIVE:
        end_rest(batch)
    elif batch.anthropic_batch_id or (age.total_seconds() > settings.CLAUDE_DEADLINE + 60 and find(batch)):
        with asking("retrieve", batch):
            told = ask("retrieve", batch.anthropic_batch_id)
        if text_at(told, "processing_status") == "ended":
            store_results(batch)
        else:
            note_state(batch, text_at(told, "processing_status"))


def find(batch: Batch) -> bool:
    """Whether the API has a batch that was sent and got no word back.

    Its list says when a batch was made, and how many items it has. The results alone have our ids: it is known for sure
    once it has ended. What may not be in the list was never made.
    """
    ids = set(batch.items.values_list("pk", flat=True))
    known = set(Batch.objects.values_list("anthropic_batch_id", flat=True))
    others = 0
    with asking("list", batch):
        for listed in newest_batches(batch.created_at - timedelta(days=1)):  # whatever our clock says
            if listed["id"] in known or sum(listed["request_counts"].values()) != batch.size:
                continue
            if listed["processing_status"] != "ended":
                others += 1
            elif first_id(listed["id"]) in ids:
                found(batch, listed["id"])
                return True
    if others:
        logger.warning("Batch %s may be one of %d under way at the API: that shows once they end", batch.pk, others)
    else:
        fail(batch, Failure("unavailable", "the API does not have it"))
    return False


def first_id(anthropic_batch_id: str) -> Any:
    """The id of the first item in the results of a batch."""
    lines = Lines()
    ids: list[Any] = []

    def take(piece: bytes) -> bool:
        ids.extend(item_id for item_id, _ in lines.feed(piece))
        return bool(ids)

    read_results(anthropic_batch_id, take)
    return ids[0] if ids else None


def store_results(batch: Batch) -> None:
    """Stores each item that the results have, and ends the others."""
    ids = set(batch.items.values_list("pk", flat=True))
    pending = dict(batch.items.filter(outcome=BatchItem.PENDING).values_list("pk", "model"))
    lines, count, failed = Lines(), Counter[bool](), Counter[tuple[int, str, str]]()

    def take(piece: bytes) -> bool:
        for item_id, result in lines.feed(piece):
            count[item_id in ids] += 1
            if item_id in pending:
                item = BatchItem(pk=item_id, batch=batch, model=pending.pop(item_id))
                if failure := store_result(item, result):
                    failed[failure.level, failure.kind, failure.detail] += 1
        calls.release_connections()
        return False

    with asking("results", batch, Deadline(DEADLINE_OF_RESULTS)):
        read_results(batch.anthropic_batch_id, take)
        take(b"\n")
        if not count[True]:  # as of a proxy that wants somebody to sign in
            raise Failure("unavailable", "the results are not those of the batch")
    for (level, kind, detail), number in failed.items():
        logger.log(level, "Batch %s: %d items failed: %s, %s", batch.pk, number, kind, detail)
    if count[False]:
        logger.warning("Batch %s: %d lines of its results are of no item, or cannot be read", batch.pk, count[False])
    end_rest(batch)


def store_result(item: BatchItem, result: Any) -> Failure | None:
    """Stores what the API says has become of an item; gives why it failed."""
    call, message, failure = call_for(item), "", None
    call.was_sent = True
    outcome = text_at(result, "type")
    if outcome == "succeeded":
        message = json.dumps(value_at(result, "message"))
        try:
            call.read(value_at(result, "message"))
            outcome = "declined" if call.stop_reason == "refusal" else "answered"
        except Failure as unread:
            failure = unread
    elif outcome not in ("expired", "canceled"):
        call.anthropic_request_id = text_at(result, "error", "request_id") or None
        failure = failures.reported(value_at(result, "error"))
    end(item, call, failure.kind if failure else outcome, message)
    return failure


def end(item: BatchItem, call: Call, outcome: str, message: str = "", *, is_told: bool = False) -> None:
    """Stores the end of an item, once, together with what the receivers of `call_ended` write down."""
    with transaction.atomic():
        pending = BatchItem.objects.filter(pk=item.pk, outcome=BatchItem.PENDING)
        if pending.update(outcome=outcome, message=message, ended_at=timezone.now(), is_told=is_told):
            call.outcome = outcome
            call_ended.send_robust(Call, call=call)


def end_rest(batch: Batch) -> None:
    """Ends a batch, and those of its items of which nothing came."""
    for item in batch.items.filter(outcome=BatchItem.PENDING):
        call = call_for(item)
        call.was_sent = True
        end(item, call, "missing")
    close(batch, Batch.State.ENDED)


def fail(batch: Batch, failure: Failure, *, is_told: bool = False) -> None:
    """Ends a batch that the API does not have."""
    for item in batch.items.filter(outcome=BatchItem.PENDING):
        end(item, call_for(item), failure.kind, is_told=is_told)
    close(batch, Batch.State.FAILED)


def close(batch: Batch, state: Batch.State) -> None:
    batch.state, batch.ended_at = state, timezone.now()
    batch.counts = dict(batch.items.values_list("outcome").annotate(Count("pk")))
    batch.save(update_fields=["state", "ended_at", "counts"])


def tell() -> Counter[str]:
    """Sends `batch_item_ended` for each item that has ended and was not told of yet."""
    done: Counter[str] = Counter()
    untold = BatchItem.objects.filter(is_told=False).exclude(outcome=BatchItem.PENDING)
    for item_id in list(untold.order_by("ended_at").values_list("pk", flat=True)):
        try:
            with transaction.atomic():
                if untold.filter(pk=item_id).update(is_told=True):
                    item = BatchItem.objects.select_related("batch__user").get(pk=item_id)
                    batch_item_ended.send(BatchItem, item=item)
                    done["told"] += 1
        except Exception:
            done["failures"] += 1
            logger.exception("A receiver failed with item %s of a batch: it comes again", item_id)
    return done
