"""Plays the batches of the API: each has ended when somebody asks how it is getting on.

They are kept in files, for two days: one process submits a batch, and another collects it. A question that begins with
`play expired` or `play canceled` ends that way.

https://platform.claude.com/docs/en/api/messages/batches
"""

import json
import re
import time
import uuid
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
from django.conf import settings

from claude.offline.answers import question
from claude.offline.reports import Report, error

PATH = "/v1/messages/batches"
COUNTS = ("processing", "succeeded", "errored", "canceled", "expired")
# Gives the result of an item.
ResultOf = Callable[[dict[str, Any]], Any]
TWO_DAYS = 2 * 24 * 60 * 60  # seconds


def respond(request: httpx2.Request, body: dict[str, Any], result_of: ResultOf) -> tuple[int, Any]:
    """The status and the JSON of the response, or the text of the results."""
    folder: Path = settings.CLAUDE_OFFLINE_BATCHES
    batch_id, _, action = request.url.path.removeprefix(PATH).strip("/").partition("/")
    if not batch_id and request.method == "POST":
        return create(folder, body, result_of)
    if not batch_id:
        return 200, listed(folder)
    file = folder / f"{batch_id}.json"
    if not re.fullmatch(r"msgbatch_\w+", batch_id) or not file.exists():
        return 404, error(Report(404, "not_found_error", request.url.path))
    batch = json.loads(file.read_text(encoding="utf-8"))
    if action == "cancel":
        batch["results"] = [{**line, "result": {"type": "canceled"}} for line in batch["results"]]
        file.write_text(json.dumps(batch), encoding="utf-8")
        return 200, described(batch, "canceling")
    if action == "results":
        return 200, "".join(f"{json.dumps(line)}\n" for line in reversed(batch["results"]))
    return 200, described(batch, "ended")


def create(folder: Path, body: dict[str, Any], result_of: ResultOf) -> tuple[int, Any]:
    requests = body.get("requests") or []
    ids = [str(each.get("custom_id")) for each in requests]
    fault = "requests: at least one is required" if not requests else ""
    if len(set(ids)) < len(ids) or not all(re.fullmatch(r"[\w-]{1,64}", each, re.ASCII) for each in ids):
        fault = "requests: each needs a custom_id of its own, of 1 to 64 letters, digits, _ and -"
    if fault:
        return 400, error(Report(400, "invalid_request_error", fault))
    folder.mkdir(mode=0o700, exist_ok=True)
    for old in folder.glob("*.json"):
        if old.stat().st_mtime < time.time() - TWO_DAYS:
            old.unlink(missing_ok=True)
    results = [{"custom_id": each["custom_id"], "result": end_of(each["params"], result_of)} for each in requests]
    now = datetime.now(UTC).isoformat()
    batch = {"id": f"msgbatch_offline_{uuid.uuid4().hex[:16]}", "created_at": now, "results": results}
    (folder / f"{batch['id']}.json").write_text(json.dumps(batch), encoding="utf-8")
    return 200, described(batch, "in_progress")


def end_of(params: dict[str, Any], result_of: ResultOf) -> dict[str, Any]:
    wanted = re.match(r"play (expired|canceled)\b", question(params))
    return {"type": wanted[1]} if wanted else result_of(params)


def listed(folder: Path) -> dict[str, Any]:
    batches = [json.loads(file.read_text(encoding="utf-8")) for file in folder.glob("*.json")]
    batches.sort(key=lambda batch: batch["created_at"], reverse=True)
    return {"data": [described(batch, "ended") for batch in batches], "has_more": False}


def described(batch: dict[str, Any], status: str) -> dict[str, Any]:
    """The batch as the API shows it."""
    ended = Counter(line["result"]["type"] for line in batch["results"])
    counts = ended if status == "ended" else {"processing": len(batch["results"])}
    created_at = datetime.fromisoformat(batch["created_at"])
    return {
        "id": batch["id"],
        "type": "message_batch",
        "processing_status": status,
        "request_counts": {name: counts.get(name, 0) for name in COUNTS},
        "created_at": batch["created_at"],
        "expires_at": (created_at + timedelta(days=1)).isoformat(),
        "ended_at": datetime.now(UTC).isoformat() if status == "ended" else None,
        "archived_at": None,
        "cancel_initiated_at": None,
        "results_url": f"{settings.ANTHROPIC_BASE_URL}{PATH}/{batch['id']}/results" if status == "ended" else None,
    }
