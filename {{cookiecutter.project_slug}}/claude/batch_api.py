"""How `claude.batches` asks the API: each request with a deadline, a `Failure` for what goes wrong, and a line in the log.

https://platform.claude.com/docs/en/api/messages/batches
"""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

# % if cookiecutter.view_style == "async"
from asgiref.sync import async_to_sync, sync_to_async

# % endif
from claude import body, calls, client
from claude.calls import Call
from claude.deadline import Deadline
from claude.failures import Failure
from claude.models import Batch

logger = logging.getLogger("claude")


@contextmanager
def asking(what: str, batch: Batch, deadline: Deadline | None = None) -> Iterator[Call]:
    """Requests to the API about a batch. No database connection is held meanwhile.

    The call's `outcome` is "refused" afterwards where the API has surely done nothing.
    """
    call, outer = Call({}, deadline=deadline), calls.current.get()
    failure: Failure | None = None
    calls.current.set(call)
    calls.release_connections()
    try:
        yield call
    except Exception as error:
        failure = call.failure_for(error)
        if failure is None:
            raise
        status = getattr(error, "status_code", 0)
        call.outcome = "refused" if 400 <= status < 500 or status == 529 or not call.was_sent else failure.kind
    finally:
        calls.current.set(outer)
    fields = {
        "batch_id": str(batch.pk),
        "anthropic_batch_id": batch.anthropic_batch_id,
        "outcome": failure.kind if failure else "done",
        "anthropic_request_id": call.anthropic_request_id,
        "seconds": round(call.seconds, 3),
    }
    if failure is None:
        logger.info("Batch %s, %s done", batch.pk, what, extra=fields)
        return
    values = (batch.pk, what, failure.kind, failure.detail)
    logger.log(failure.level, "Batch %s, %s failed: %s, %s", *values, exc_info=call.unexpected, extra=fields)
    raise failure from None


def method(sdk: Any, what: str) -> Callable[..., Any]:
    """A batch is sent once: whatever the network says then, the API may have it."""
    sdk = sdk.with_options(max_retries=0) if what == "create" else sdk
    return getattr(sdk.messages.batches, what)


# % if cookiecutter.view_style == "async"
@async_to_sync
async def ask(what: str, *args: Any, **options: Any) -> Any:
    """What a method of the SDK's `messages.batches` gives, as JSON; empty where that is nothing of the API."""
    response = await method(client.aget_client(), what)(*args, **options)
    return response.to_dict(mode="json", warnings=False) if hasattr(response, "to_dict") else {}


@async_to_sync
async def read_results(anthropic_batch_id: str, take: Callable[[bytes], bool]) -> None:
    """Gives the results to `take`, piece by piece, until it says that it has enough."""
    from anthropic._decoders.jsonl import AsyncJSONLDecoder

    path = f"/v1/messages/batches/{anthropic_batch_id}/results"  # the SDK would ask whatever host the API names
    decoder: Any = await client.aget_client().get(path, cast_to=AsyncJSONLDecoder[Any], stream=True)
    response = decoder.http_response
    response.stream.largest = float("inf")
    try:
        async for piece in response.aiter_bytes():
            if await sync_to_async(take)(piece):
                return
    finally:
        await response.aclose()


# % else
def ask(what: str, *args: Any, **options: Any) -> Any:
    """What a method of the SDK's `messages.batches` gives, as JSON; empty where that is nothing of the API."""
    response = method(client.get_client(), what)(*args, **options)
    return response.to_dict(mode="json", warnings=False) if hasattr(response, "to_dict") else {}


def read_results(anthropic_batch_id: str, take: Callable[[bytes], bool]) -> None:
    """Gives the results to `take`, piece by piece, until it says that it has enough."""
    from anthropic._decoders.jsonl import JSONLDecoder

    path = f"/v1/messages/batches/{anthropic_batch_id}/results"  # the SDK would ask whatever host the API names
    decoder: Any = client.get_client().get(path, cast_to=JSONLDecoder[Any], stream=True)
    response = decoder.http_response
    response.stream.largest = float("inf")
    try:
        for piece in response.iter_bytes():
            if take(piece):
                return
    finally:
        response.close()


# % endif
def newest_batches(since: datetime) -> Iterator[dict[str, Any]]:
    """The batches that the API has made since then, the newest first."""
    from anthropic import omit

    after: Any = omit
    while True:
        response = ask("list", limit=100, after_id=after)
        for listed in response["data"]:
            if datetime.fromisoformat(listed["created_at"]) < since:
                return
            yield listed
        if not response.get("has_more"):
            return
        after = listed["id"]


class Lines:
    """The lines of what comes in pieces. One that is longer than any answer is not kept: it begins with what no JSON does."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, piece: bytes) -> Iterator[tuple[uuid.UUID | None, Any]]:
        """The id of the item and the result in each line that is whole by now; no id where nobody can read it."""
        *lines, rest = (self._rest + piece).split(b"\n")
        self._rest = rest if len(rest) <= body.LARGEST else b"!"
        for line in filter(bytes.strip, lines):
            try:
                response = json.loads(line)
                yield uuid.UUID(response["custom_id"]), response["result"]
            except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
                yield None, None


def first_id(anthropic_batch_id: str) -> uuid.UUID | None:
    """The id of the first item in the results of a batch."""
    lines = Lines()
    ids: list[uuid.UUID | None] = []

    def take(piece: bytes) -> bool:
        ids.extend(item_id for item_id, _ in lines.feed(piece))
        return bool(ids)

    read_results(anthropic_batch_id, take)
    return ids[0] if ids else None
