"""Plays the Messages API when there is no key: the same SDK and the same format, without a network.

It answers word by word with what it understood of the request, and refuses what the API refuses. A question that begins
with `fail` or `play` makes it fail, as in `fail overloaded_error` (see FAILURES), or answer otherwise, as in
`play refusal cyber` (see ANSWERS). `fail once …` fails only the first attempt, and shows the SDK's retry;
`fail primary …` and `play primary …` only ANTHROPIC_MODEL, and show the fallback model.
"""

import json
import re
import uuid
from contextlib import suppress
from typing import Any

import httpx2
from django.conf import settings

from claude.offline import batches
from claude.offline.answers import ANSWERS, answer, question
from claude.offline.reports import (
    BROKEN_BEFORE,
    FAILURES,
    IN_PLACE,
    MID_STREAM,
    REPORTED,
    SAID,
    Report,
    error,
)
from claude.offline.stream import EventStream, events
from claude.offline.validation import rejection

__all__ = ["ANSWERS", "BROKEN_BEFORE", "FAILURES", "MID_STREAM", "SAID", "EventStream", "StandIn", "answer", "events"]

RETRY_AFTER = 7  # seconds, with a rate limit


class StandIn(httpx2.BaseTransport, httpx2.AsyncBaseTransport):
    """The transport of an SDK client, sync or async, that answers in place of the network."""

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        return respond(request, json.loads(request.read() or "{}"))

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        return respond(request, json.loads(await request.aread() or "{}"))


def rehearse() -> None:
    """Has the SDK make a request like most of ours, and one that fails, as it reads its types when it first meets them.

    They go nowhere.
    """
    import anthropic

    http_client = anthropic.DefaultHttpxClient(transport=StandIn())
    with anthropic.Anthropic(api_key="offline", http_client=http_client, max_retries=0, open_telemetry=False) as client:
        for prompt in ("Hello", "fail overloaded_error"):
            text: Any = {"type": "text", "text": prompt, "cache_control": {"type": "ephemeral"}}
            with (
                suppress(anthropic.APIStatusError),
                client.messages.with_streaming_response.create(
                    model="claude-sonnet-4-6",
                    max_tokens=1,
                    system=[text],
                    messages=[{"role": "user", "content": [text]}],
                    metadata={"user_id": "nobody"},
                    stream=True,
                ),
            ):
                pass


def respond(request: httpx2.Request, body: dict[str, Any]) -> httpx2.Response:
    """The response to one attempt; raises what the network would raise."""
    headers = {"request-id": f"req_offline_{uuid.uuid4().hex[:16]}"}
    if request.url.path.startswith(batches.PATH):
        status, content = batches.respond(request, body, result_in_batch)
        text = content if isinstance(content, str) else json.dumps(content)
        kind = "application/binary" if content is text else "application/json"
        return httpx2.Response(status, headers=headers | {"content-type": kind}, text=text)
    if request.method == "GET":  # as for a model: only messages are played
        return httpx2.Response(404, headers=headers, json=error(Report(404, "not_found_error", request.url.path)))
    play, detail = wanted(body, first_attempt=request.headers.get("x-stainless-retry-count") == "0")
    if play in BROKEN_BEFORE:
        raise BROKEN_BEFORE[play](f"offline: {play}", request=request)
    if play in IN_PLACE:
        kind = "text/html" if play == "html" else "application/json"
        return httpx2.Response(200, headers=headers | {"content-type": kind}, text=IN_PLACE[play])
    reported = REPORTED[play] if play in REPORTED else rejection(body, beta="anthropic-beta" in request.headers)
    if reported:
        if play in ("rate_limit_error", "gateway_budget"):
            headers["retry-after"] = str(RETRY_AFTER)
        if play == "redirect":
            headers["location"] = str(request.url)
        return httpx2.Response(reported.status, headers=headers, json=error(reported))
    message = answer(body, play, detail)
    if not body.get("stream"):
        return httpx2.Response(200, headers=headers, json=message)
    return httpx2.Response(
        200,
        headers=headers | {"content-type": "text/event-stream"},
        stream=EventStream(events(message, play)),
    )


def result_in_batch(params: dict[str, Any]) -> dict[str, Any]:
    """The result of an item of a batch."""
    play, detail = wanted(params, first_attempt=True)
    reported = REPORTED.get(play) or rejection(params)
    if play in FAILURES and not reported:
        reported = REPORTED["api_error"]
    if reported:
        return {"type": "errored", "error": error(reported)}
    return {"type": "succeeded", "message": answer(params, play, detail)}


def wanted(body: dict[str, Any], *, first_attempt: bool) -> tuple[str, str | None]:
    """What the question asks to be played, "" for nothing, and the word after it."""
    match = re.match(r"(?:fail|play) (?:(once|primary) )?(\w+)(?: (\w+))?", question(body))
    applies = {None: True, "once": first_attempt, "primary": body.get("model") == settings.ANTHROPIC_MODEL}
    if match and match[2] in (*FAILURES, *ANSWERS) and applies[match[1]]:
        return match[2], match[3]
    return "", None
