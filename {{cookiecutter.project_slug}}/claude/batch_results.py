"""What becomes of the items of a batch: each is stored once, together with what the receivers of `call_ended` write down."""

import json
import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.db import Error, transaction
from django.db.models import Count
from django.utils import timezone

from claude import calls, failures
from claude.batch_api import Lines, asking, read_results
from claude.calls import Call, call_ended
from claude.deadline import Deadline
from claude.failures import Failure, text_at, value_at
from claude.models import Batch, BatchItem

logger = logging.getLogger("claude")

# The results are stored while they are read, which may take long, in seconds.
DEADLINE_OF_RESULTS = 60 * 60
# After that, the API has no results any more.
RESULTS_LIVE = timedelta(days=29)


def call_for(item: BatchItem, request: Mapping[str, Any] | None = None) -> Call:
    """What the receivers of `call_starting` and `call_ended` get of an item."""
    call = Call(request or {"model": item.model}, user=item.batch.user, purpose=item.batch.purpose)
    call.id, call.is_batch = item.pk, True
    call._started -= (timezone.now() - item.batch.created_at).total_seconds()
    return call


@contextmanager
def whole_transaction(*, durable: bool = False) -> Iterator[None]:
    """A transaction for receivers. It raises where one has broken it, as Django would roll it back without a word."""
    with transaction.atomic(durable=durable):
        yield
        Batch.objects.exists()


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


def end(item: BatchItem, call: Call, outcome: str, message: str = "", *, is_delivered: bool = False) -> None:
    """Stores the end of an item, once, together with what the receivers of `call_ended` write down."""
    call.outcome = outcome

    def store() -> None:
        pending = BatchItem.objects.filter(pk=item.pk, outcome=BatchItem.PENDING)
        if pending.update(outcome=outcome, message=message, ended_at=timezone.now(), is_delivered=is_delivered):
            call_ended.send_robust(Call, call=call)

    try:
        with whole_transaction():
            store()
    except Error:  # without the transaction, a receiver that fails takes nothing from the others, or from the answer
        store()


def end_rest(batch: Batch) -> None:
    """Ends a batch, and those of its items of which nothing came."""
    for item in batch.items.filter(outcome=BatchItem.PENDING):
        call = call_for(item)
        call.was_sent = True
        end(item, call, "missing")
    close(batch, Batch.State.ENDED)


def fail(batch: Batch, failure: Failure, *, is_delivered: bool = False) -> None:
    """Ends a batch that the API does not have."""
    for item in batch.items.filter(outcome=BatchItem.PENDING):
        end(item, call_for(item), failure.kind, is_delivered=is_delivered)
    close(batch, Batch.State.FAILED)


def close(batch: Batch, state: Batch.State) -> None:
    batch.state, batch.ended_at = state, timezone.now()
    batch.counts = dict(batch.items.values_list("outcome").annotate(Count("pk")))
    batch.save(update_fields=["state", "ended_at", "counts"])
