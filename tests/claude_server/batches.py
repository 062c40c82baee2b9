"""The Message Batches API: batches of a lane, which end when they have been looked at often enough.

Each item takes a step of the endpoint "batch_items": `Answer` and `Refusal` succeed, `Status` is an error; and
`Expired` and `Canceled` are for items alone. Results come in the opposite order.

https://platform.claude.com/docs/en/api/messages/batches
"""

import re
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from . import messages, script, validation
from .answers import Call, compose
from .lanes import Lane

PATH = "/v1/messages/batches"
ENDPOINTS = ("batches", "batch_results")
OUTCOMES = ("processing", "succeeded", "errored", "canceled", "expired")
MOST_ITEMS = 100_000
MOST_LISTED = 20


@dataclass
class Batch:
    """A batch and what became of its items."""

    results: list[dict[str, Any]]
    id: str = field(default_factory=lambda: messages.identifier("msgbatch"))
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    canceled_at: datetime | None = None
    looks: int = 0
    has_ended: bool = False

    def shown(self) -> dict[str, Any]:
        """As the API shows it."""
        status = "ended" if self.has_ended else "canceling" if self.canceled_at else "in_progress"
        ends = Counter(line["result"]["type"] for line in self.results)
        counts = ends if self.has_ended else {"processing": len(self.results)}
        return {
            "id": self.id,
            "type": "message_batch",
            "processing_status": status,
            "request_counts": {outcome: counts.get(outcome, 0) for outcome in OUTCOMES},
            "created_at": self.created_at.isoformat(),
            "expires_at": (self.created_at + timedelta(days=1)).isoformat(),
            "ended_at": datetime.now(UTC).isoformat() if self.has_ended else None,
            "archived_at": None,
            "cancel_initiated_at": self.canceled_at and self.canceled_at.isoformat(),
            "results_url": f"https://results.invalid{PATH}/{self.id}/results" if self.has_ended else None,
        }


def endpoint(path: str) -> str | None:
    """The name of the endpoint at a path, None for what is none of these."""
    match = re.fullmatch(rf"{PATH}(/[^/]+(/cancel|/results)?)?", path)
    return match and ("batch_results" if match[2] == "/results" else "batches")


def method(path: str) -> tuple[str, ...]:
    """How a path may be asked."""
    return ("GET", "POST") if path == PATH else ("POST",) if path.endswith("/cancel") else ("GET",)


def check(body: dict[str, Any]) -> None:
    """Raise what the API refuses at once. What is wrong with one item is its result."""
    requests = body.get("requests")
    if not isinstance(requests, list) or not 0 < len(requests) <= MOST_ITEMS or body.keys() != {"requests"}:
        raise validation.invalid(f"requests: a list of 1 to {MOST_ITEMS:,} requests, and nothing else")
    for number, request in enumerate(requests):
        if not isinstance(request, dict) or request.keys() != {"custom_id", "params"}:
            raise validation.invalid(f"requests.{number}: Input should be an object with custom_id and params")
        if not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", str(request["custom_id"])):
            raise validation.invalid(f"requests.{number}.custom_id: String should match '^[a-zA-Z0-9_-]{{1,64}}$'")
    if len({request["custom_id"] for request in requests}) < len(requests):
        raise validation.invalid("requests: custom_id has to be unique")


def find(lane: Lane, path: str) -> Batch | None:
    """The batch that a path is about; raises the API's answer where there is none, or no results yet."""
    name = path.removeprefix(PATH).strip("/").partition("/")[0]
    if name and name not in lane.batches:
        raise validation.Refused("not_found_error", f"message batch: {name}")
    batch = lane.batches.get(name)
    if batch and path.endswith("/results") and not batch.has_ended:
        raise validation.Refused("not_found_error", "The batch has no results yet")
    return batch


def respond(lane: Lane, method: str, path: str, body: dict[str, Any]) -> dict[str, Any] | bytes:
    """What the API answers; does what it is asked for."""
    batch = find(lane, path)
    if batch is None and method == "GET":
        return page(lane, body)
    if batch is None:
        batch = Batch([{"custom_id": item["custom_id"], "result": result(lane, item)} for item in body["requests"]])
        lane.batches[batch.id] = batch
    elif path.endswith("/results"):
        return b"".join(messages.encode(line) + b"\n" for line in reversed(batch.results))
    elif path.endswith("/cancel"):
        batch.canceled_at = datetime.now(UTC)
        if not batch.has_ended:
            batch.results = [{**line, "result": {"type": "canceled"}} for line in batch.results]
    else:
        batch.looks += 1
        batch.has_ended = batch.has_ended or batch.looks > lane.settings.batch_looks
    return batch.shown()


def page(lane: Lane, query: dict[str, Any]) -> dict[str, Any]:
    """The newest batches, or those after one of them. To be listed counts as a look."""
    newest = list(reversed(lane.batches.values()))
    after = next((number for number, batch in enumerate(newest, 1) if batch.id == query.get("after_id")), 0)
    limit = min(int(query.get("limit", 20)), MOST_LISTED)
    listed = newest[after : after + limit]
    for batch in listed:
        batch.looks += 1
        batch.has_ended = batch.has_ended or batch.looks > lane.settings.batch_looks
    data = [batch.shown() for batch in listed]
    ids = [batch["id"] for batch in data] or [None]
    return {"data": data, "has_more": newest[after + limit :] != [], "first_id": ids[0], "last_id": ids[-1]}


def result(lane: Lane, item: dict[str, Any]) -> dict[str, Any]:
    """What becomes of an item."""
    params = item["params"]
    try:
        validation.check_body(params)
        if params["max_tokens"] == 0 or params.get("stream"):
            raise validation.invalid("max_tokens of 0, and stream, are not supported in a batch")
        step = lane.step("batch_items", messages.prompt_of(params), params["model"])
    except validation.Refused as refused:
        step = script.Status(refused.status, refused.kind, refused.message)
    if isinstance(step, script.Expired | script.Canceled):
        return {"type": step.name}
    if isinstance(step, script.Status):
        request_id = messages.identifier("req")
        return {"type": "errored", "error": messages.error_envelope(step.kind, step.message, request_id)}
    answer = step
    if isinstance(step, script.Refusal):
        details = {"type": "refusal", "category": step.category, "explanation": None}
        answer = replace(step.answer, stop_reason="refusal", stop_details=details, stops_after=step.after)
    call = Call("", {}, params, lane.cache.usage(params))
    return {"type": "succeeded", "message": compose(answer, call).message}
