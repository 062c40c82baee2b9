"""Plays the Messages API when there is no key: the same SDK and the same format, without a network.

It answers word by word with what it understood of the request. A question that begins with `fail` makes it fail, as in
`fail overloaded_error` (see FAILURES); `fail once …` fails only the first attempt, and shows the SDK's retry.

https://platform.claude.com/docs/en/build-with-claude/streaming
"""

import asyncio
import json
import math
import re
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any, NamedTuple

import httpx2
from django.conf import settings


class Report(NamedTuple):
    """An error as the API, or a gateway, reports it."""

    status: int
    type: str
    message: str
    code: str | None = None


# Errors that the API reports by names of their own: the status they come with.
# https://platform.claude.com/docs/en/api/errors
TYPES = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
# Errors that the API tells apart by a code or by its words, and errors of gateways.
SAID = {
    "no_credit": Report(
        400,
        "invalid_request_error",
        "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or "
        "purchase credits.",
    ),
    "usage_limit": Report(
        400,
        "invalid_request_error",
        "You have reached your specified API usage limits. You will regain access on 2030-01-01 at 00:00 UTC.",
    ),
    "spend_limit": Report(429, "rate_limit_error", "Monthly limit reached", "enforced_spend_limit_reached"),
    "disabled": Report(400, "invalid_request_error", "This organization has been disabled."),
    "on_hold": Report(400, "invalid_request_error", "This organization is on hold.", "organization_on_hold"),
    "forbidden": Report(403, "forbidden", "Request not allowed"),
    "prompt_too_long": Report(400, "invalid_request_error", "prompt is too long: 208310 tokens > 200000 maximum"),
    "content_filter": Report(400, "invalid_request_error", "Output blocked by content filtering policy"),
    "gateway_key": Report(401, "auth_error", "Authentication Error, Invalid proxy server token passed"),
    "gateway_budget": Report(429, "budget_exceeded", "Budget has been exceeded! Current cost: 10, Max budget: 10"),
    "redirect": Report(308, "None", "Permanent Redirect"),
}
REPORTED = {name: Report(status, name, f"The stand-in fails as asked: {name}") for name, status in TYPES.items()} | SAID
# Errors of the network before an answer begins.
BROKEN_BEFORE = {"connect": httpx2.ConnectError, "reset": httpx2.ReadError, "timeout": httpx2.ReadTimeout}
# What a proxy may send in place of an answer, with status 200.
IN_PLACE = {"html": "<!doctype html><title>Sign in to the network</title>", "broken_json": '{"type": "mess'}
# What can end a stream after its first words.
MID_STREAM = (
    "stream_error",
    "stream_no_credit",
    "stream_cut",
    "stream_broken_event",
    "stream_reset",
    "stream_timeout",
)
FAILURES = (*REPORTED, *BROKEN_BEFORE, *IN_PLACE, *MID_STREAM)

RETRY_AFTER = 7  # seconds, with a rate limit
LONGEST_ANSWER = 128_000  # tokens
ROLES = ("user", "assistant", "system")


class StandIn(httpx2.BaseTransport, httpx2.AsyncBaseTransport):
    """The transport of an SDK client, sync or async, that answers in place of the network."""

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        return respond(request, json.loads(request.read()))

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        return respond(request, json.loads(await request.aread()))


def respond(request: httpx2.Request, body: dict[str, Any]) -> httpx2.Response:
    """The response to one attempt; raises what the network would raise."""
    failure = wanted_failure(body, first_attempt=request.headers.get("x-stainless-retry-count") == "0")
    headers = {"request-id": f"req_offline_{uuid.uuid4().hex[:16]}"}
    if failure in BROKEN_BEFORE:
        raise BROKEN_BEFORE[failure](f"offline: {failure}", request=request)
    if failure in IN_PLACE:
        kind = "text/html" if failure == "html" else "application/json"
        return httpx2.Response(200, headers=headers | {"content-type": kind}, text=IN_PLACE[failure])
    reported = REPORTED[failure] if failure in REPORTED else refusal(body)
    if reported:
        if failure in ("rate_limit_error", "gateway_budget"):
            headers["retry-after"] = str(RETRY_AFTER)
        return httpx2.Response(reported.status, headers=headers, json=error(reported))
    message = answer(body)
    if not body.get("stream"):
        return httpx2.Response(200, headers=headers, json=message)
    return httpx2.Response(
        200,
        headers=headers | {"content-type": "text/event-stream"},
        stream=EventStream(events(message, failure)),
    )


def wanted_failure(body: dict[str, Any], *, first_attempt: bool) -> str | None:
    """The failure that the question asks for, if any."""
    match = re.match(r"fail (once )?(\w+)", question(body))
    if match and match[2] in FAILURES and (first_attempt or not match[1]):
        return match[2]
    return None


def refusal(body: dict[str, Any]) -> Report | None:
    """The API's answer to a request that it does not take, or None. It checks more than this."""
    model, most, turns = body.get("model"), body.get("max_tokens"), body.get("messages")
    roles = [turn.get("role") for turn in turns or []]
    faults = {
        "model: String should have at least 1 character": not isinstance(model, str) or not model.strip(),
        "max_tokens: Input should be greater than or equal to 1": type(most) is not int or most < 1,
        "max_tokens: the model's maximum is 128000 output tokens": type(most) is int and most > LONGEST_ANSWER,
        "system: text content blocks must contain non-whitespace text": is_blank(body.get("system", "none")),
        "messages: at least one message is required": not turns,
        "messages: Input should be 'user', 'assistant' or 'system'": any(role not in ROLES for role in roles),
        "messages: first message must use the user role": roles[:1] != ["user"],
        "messages: the last message must not be the assistant's": roles[-1:] == ["assistant"],
        "messages: text content blocks must contain non-whitespace text": any(
            is_blank(turn.get("content")) for turn in turns or []
        ),
    }
    message = next((message for message, is_at_fault in faults.items() if is_at_fault), None)
    return None if message is None else Report(400, "invalid_request_error", message)


def is_blank(content: Any) -> bool:
    """Whether there is a text without a word in the content of a turn or a system prompt, or nothing at all."""
    texts = [content] if isinstance(content, str) else [block.get("text", "-") for block in content or []]
    return not texts or not all(isinstance(text, str) and text.strip() for text in texts)


def question(body: dict[str, Any]) -> str:
    """The text of the last turn, empty where there is none."""
    content = (body.get("messages") or [{}])[-1].get("content") or ""
    return content if isinstance(content, str) else "".join(str(block.get("text", "")) for block in content)


def answer(body: dict[str, Any]) -> dict[str, Any]:
    """A message that shows what was understood, as long as `max_tokens` lets it be."""
    asked = question(body)
    turns = len(body["messages"])
    text = (
        "This is the offline stand-in, not Claude: there is no ANTHROPIC_API_KEY, so nothing left this machine."
        f"\n\nYou asked, in {count(len(asked.split()), 'word')} and {count(len(asked), 'character')}:\n\n{asked}\n\n"
        f"The request has {count(turns, 'turn')}, asks {body['model']} for at most {body['max_tokens']} tokens, "
        f"and {'has a' if body.get('system') else 'has no'} system prompt. Put a key into ANTHROPIC_API_KEY and "
        "start again, and Claude itself will answer here."
    )
    pieces = split(text)
    cut = pieces[: body["max_tokens"]]
    return {
        "id": f"msg_offline_{uuid.uuid4().hex[:16]}",
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "content": [{"type": "text", "text": "".join(cut)}],
        "stop_reason": "end_turn" if cut == pieces else "max_tokens",
        "stop_sequence": None,
        "usage": usage(body, output_tokens=len(cut)),
    }


def count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def split(text: str) -> list[str]:
    """The pieces that an answer arrives in: a word each, with the space after it."""
    return re.findall(r"\S+\s*|\s+", text)


def usage(body: dict[str, Any], *, output_tokens: int) -> dict[str, int]:
    """Counts as the API gives them, at four characters a token."""
    text = json.dumps(body["messages"]) + json.dumps(body.get("system", ""))
    return {
        "input_tokens": math.ceil(len(text) / 4),
        "output_tokens": output_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
    }


def error(report: Report) -> dict[str, Any]:
    details = {"details": {"error_code": report.code}} if report.code else {}
    return {"type": "error", "error": {"type": report.type, "message": report.message, **details}}


def events(message: dict[str, Any], failure: str | None) -> Iterator[str | type[httpx2.HTTPError]]:
    """The events of a stream in order; an exception where the network fails."""
    empty = message | {"content": [], "stop_reason": None, "usage": message["usage"] | {"output_tokens": 1}}
    yield event("message_start", message=empty)
    yield event("content_block_start", index=0, content_block={"type": "text", "text": ""})
    yield event("ping")
    for number, piece in enumerate(split(message["content"][0]["text"])):
        if failure and number == 3:
            yield from broken(failure)
            return
        yield event("content_block_delta", index=0, delta={"type": "text_delta", "text": piece})
    yield event("content_block_stop", index=0)
    delta = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    yield event("message_delta", delta=delta, usage={"output_tokens": message["usage"]["output_tokens"]})
    yield event("message_stop")


def broken(failure: str) -> Iterator[str | type[httpx2.HTTPError]]:
    """What ends a stream too early. `stream_cut` is none of these: the stream just ends."""
    reported = {"stream_error": "overloaded_error", "stream_no_credit": "no_credit"}.get(failure)
    if reported:
        yield f"event: error\ndata: {json.dumps(error(REPORTED[reported]))}\n\n"
    elif failure == "stream_broken_event":
        yield 'event: content_block_delta\ndata: {"type": "content_bl\n\n'
    elif failure == "stream_reset":
        yield httpx2.ReadError
    elif failure == "stream_timeout":
        yield httpx2.ReadTimeout


def event(name: str, **content: Any) -> str:
    return f"event: {name}\ndata: {json.dumps({'type': name, **content})}\n\n"


class EventStream(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """The body of a stream, with a pause between two pieces."""

    def __init__(self, parts: Iterator[str | type[httpx2.HTTPError]]) -> None:
        self._parts = parts

    def __iter__(self) -> Iterator[bytes]:
        for part in self._parts:
            time.sleep(settings.CLAUDE_OFFLINE_PAUSE)
            yield sent(part)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self._parts:
            await asyncio.sleep(settings.CLAUDE_OFFLINE_PAUSE)
            yield sent(part)


def sent(part: str | type[httpx2.HTTPError]) -> bytes:
    if isinstance(part, str):
        return part.encode()
    raise part("offline: the connection broke")
