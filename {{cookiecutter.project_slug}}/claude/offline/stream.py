"""A message as the events of a stream, with a pause between two of them, and what can end it too early.

https://platform.claude.com/docs/en/build-with-claude/streaming
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx2
from django.conf import settings

from claude.offline.answers import split
from claude.offline.reports import MID_STREAM, REPORTED, error

# How many pings come before the first delta of a block: while it thinks, the API sends nothing else.
PINGS = {"text": 1, "thinking": 25}
PINGS_OF_LONG_THINKING = 500
# These come in the last event alone.
LAST = ("output_tokens_details", "iterations")

Part = str | type[httpx2.HTTPError]


def events(message: dict[str, Any], play: str) -> Iterator[Part]:
    """The events in order; an exception where the network fails."""
    words = 0
    for part in whole(message, play):
        if play in MID_STREAM and (words == 3 or "message_delta" in part):
            yield from broken(play)
            return
        words += "text_delta" in part
        yield part


def whole(message: dict[str, Any], play: str) -> Iterator[str]:
    """The events of an answer that arrives."""
    content, usage = message["content"], message["usage"]
    opening = message | {"content": [], "stop_reason": None, "stop_details": None}
    opening["usage"] = {name: n for name, n in usage.items() if name not in LAST} | {"output_tokens": 1}
    if any(block["type"] == "fallback" for block in content[1:]):
        opening["model"] = usage["iterations"][0]["model"]  # the other one is not yet asked
    yield event("message_start", message=opening)
    for index, block in enumerate(content):
        yield from block_events(index, block, play)
    ends = {name: message[name] for name in ("stop_reason", "stop_sequence", "stop_details")}
    counts = {name: n for name, n in usage.items() if name != "cache_creation"}
    yield event("message_delta", delta=ends, usage=counts)
    yield event("message_stop")


def block_events(index: int, block: dict[str, Any], play: str) -> Iterator[str]:
    """The events of one content block. One that is neither text nor thinking comes whole."""
    start, deltas = block, []
    if block["type"] == "text":
        pieces = split(block["text"])
        start = block | {"text": pieces.pop(0) if play == "text_at_start" else ""}
        deltas = [{"type": "text_delta", "text": piece} for piece in pieces]
    elif block["type"] == "thinking":
        start = block | {"thinking": "", "signature": ""}
        deltas = [{"type": "thinking_delta", "thinking": piece} for piece in split(block["thinking"])]
        deltas.append({"type": "signature_delta", "signature": block["signature"]})
    yield event("content_block_start", index=index, content_block=start)
    is_long = play == "long_thinking" and block["type"] == "thinking"
    for _ in range(PINGS_OF_LONG_THINKING if is_long else PINGS.get(block["type"], 0)):
        yield event("ping")
    for delta in deltas:
        yield event("content_block_delta", index=index, delta=delta)
    yield event("content_block_stop", index=index)


def broken(failure: str) -> Iterator[Part]:
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
    """The body of a stream."""

    def __init__(self, parts: Iterator[Part]) -> None:
        self._parts = parts

    def __iter__(self) -> Iterator[bytes]:
        for part in self._parts:
            time.sleep(settings.CLAUDE_OFFLINE_PAUSE)
            yield sent(part)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self._parts:
            await asyncio.sleep(settings.CLAUDE_OFFLINE_PAUSE)
            yield sent(part)


def sent(part: Part) -> bytes:
    if isinstance(part, str):
        return part.encode()
    raise part("offline: the connection broke")
