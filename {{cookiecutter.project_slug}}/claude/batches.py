"""Work that can wait, at half the price: many requests sent as one, which the API answers within a day.

`submit` stores a batch, then sends it, once. `collect` asks how the batches are getting on, stores what has become of each
item, and delivers it to the receivers of `batch_item_ended`. Any number of processes may call it at any time: the database
decides which of them stores an item, and which delivers it. docs/batches.md says what happens when one of them dies.

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
from django.db import Error
from django.dispatch import Signal
from django.utils import timezone

from claude.batch_api import ask, asking, first_id, newest_batches
from claude.batch_results import RESULTS_LIVE, call_for, end_rest, fail, store_results, whole_transaction
from claude.call import raise_refusal
from claude.calls import Call, call_ended, call_starting
from claude.failures import Failure, text_at
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
            response = ask("create", requests=sent)
            if not re.fullmatch(r"[\w-]{1,255}", text_at(response, "id")):
                raise Failure("unavailable", "the response is no batch")
    except Failure as failure:
        if call.outcome == "refused":
            fail(batch, failure, is_delivered=True)
            raise
        return batch
    try:
        note_id(batch, response["id"])
    except Error as error:
        values = (batch.pk, response["id"], type(error).__name__)
        logger.error("Batch %s is %s at the API, and was not stored: %s", *values)
    return batch


# % if cookiecutter.view_style == "async"
asubmit = sync_to_async(submit)


# % endif
def params_of(key: str, request: Mapping[str, Any]) -> dict[str, Any]:
    """What a batch takes of a request."""
    if not 0 < len(key) <= 255 or "\0" in key:
        raise ValueError("The key of an item takes 1 to 255 characters, and no NUL.")
    params = {name: value for name, value in request.items() if name not in LEFT_OUT}
    if not params.get("model") or type(params.get("max_tokens")) is not int or params["max_tokens"] < 1:
        raise ValueError("An item of a batch takes a model, and a max_tokens of 1 or more.")
    return params


def store(batch: Batch, requests: Mapping[BatchItem, Mapping[str, Any]]) -> None:
    """Stores a batch that nobody refuses."""
    calls_of_items = [call_for(item, request) for item, request in requests.items()]
    started: list[Call] = []
    try:
        with whole_transaction(durable=True):
            batch.save(force_insert=True)
            BatchItem.objects.bulk_create(requests, batch_size=1000)
            raise_refusal(batch_starting.send_robust(Batch, batch=batch, calls=calls_of_items))
            for call in calls_of_items:
                started.append(call)
                raise_refusal(call_starting.send_robust(Call, call=call))
    except Exception:
        for call in started:
            call.outcome = "refused"
            call_ended.send_robust(Call, call=call)
        raise


def note_id(batch: Batch, anthropic_batch_id: str) -> None:
    batch.anthropic_batch_id, batch.state = anthropic_batch_id, Batch.State.IN_PROGRESS
    batch.save(update_fields=["anthropic_batch_id", "state"])


def cancel(batch: Batch) -> None:
    """Asks the API to stop. What it has answered by then is paid for, and comes with `collect` as ever.

    Raises `Failure`, and ValueError while nobody knows whether the API has the batch.
    """
    if not batch.anthropic_batch_id:
        raise ValueError(f"Batch {batch.pk} has no id of the API: `collect` finds out whether the API has it.")
    with asking("cancel", batch):
        response = ask("cancel", batch.anthropic_batch_id)
    note_state(batch, text_at(response, "processing_status"))


# % if cookiecutter.view_style == "async"
acancel = sync_to_async(cancel)


# % endif
def note_state(batch: Batch, status: str) -> None:
    if status in (Batch.State.IN_PROGRESS, Batch.State.CANCELING):
        batch.state = Batch.State(status)
        Batch.objects.filter(pk=batch.pk, state__in=UNDER_WAY).update(state=status)


def collect() -> Counter[str]:
    """Follows all batches under way, and delivers the items that have ended. Counts what it did, and what failed."""
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
    return done + deliver()


def follow(batch: Batch) -> None:
    """Asks the API how a batch is getting on, and stores its results once it has ended. Raises `Failure`."""
    age = timezone.now() - batch.created_at
    if age > RESULTS_LIVE:
        end_rest(batch)
    elif batch.anthropic_batch_id or (age.total_seconds() > settings.CLAUDE_DEADLINE + 60 and find(batch)):
        with asking("retrieve", batch):
            response = ask("retrieve", batch.anthropic_batch_id)
        if text_at(response, "processing_status") == "ended":
            store_results(batch)
        else:
            note_state(batch, text_at(response, "processing_status"))


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
                note_id(batch, listed["id"])
                return True
    if others:
        logger.warning("Batch %s may be one of %d under way at the API: that shows once they end", batch.pk, others)
    else:
        fail(batch, Failure("unavailable", "the API does not have it"))
    return False


def deliver() -> Counter[str]:
    """Sends `batch_item_ended` for each item that has ended and was not delivered yet."""
    done: Counter[str] = Counter()
    waiting = BatchItem.objects.filter(is_delivered=False).exclude(outcome=BatchItem.PENDING)
    for item_id in list(waiting.order_by("ended_at").values_list("pk", flat=True)):
        try:
            with whole_transaction():
                is_ours = waiting.filter(pk=item_id).update(is_delivered=True)
                if is_ours:
                    item = BatchItem.objects.select_related("batch__user").get(pk=item_id)
                    batch_item_ended.send(BatchItem, item=item)
            if is_ours:
                done["delivered"] += 1
        except Exception:
            done["failures"] += 1
            logger.exception("A receiver failed with item %s of a batch: it comes again", item_id)
    return done
