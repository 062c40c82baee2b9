"""Streams of the Messages API, event by event: `[start(), text("Yes."), *end()]`.

https://platform.claude.com/docs/en/build-with-claude/streaming
"""

import json
from collections.abc import Iterable
from typing import Any

Event = tuple[str, Any]

STOP = ("message_stop", {})


def start(model: str = "claude-test-model", **message: Any) -> Event:
    usage = {"input_tokens": 5, "output_tokens": 1}
    return "message_start", {"message": {"id": "msg_1", "model": model, "usage": usage, **message}}


def block(kind: str, **content: Any) -> Event:
    return "content_block_start", {"content_block": {"type": kind, **content}}


def delta(kind: str, **content: Any) -> Event:
    return "content_block_delta", {"delta": {"type": kind, **content}}


def text(piece: Any) -> Event:
    return delta("text_delta", text=piece)


def thought(words: str = "") -> list[Event]:
    """A thinking block. The models of today leave its words out, unless a summary is asked for."""
    summary = [delta("thinking_delta", thinking=words)] if words else []
    opening = block("thinking", thinking="", signature="")
    return [
        opening,
        *summary,
        delta("signature_delta", signature="EqQB"),
        ("content_block_stop", {}),
        block("text", text=""),
    ]


def end(stop_reason: Any = "end_turn", usage: Any = None, **details: Any) -> list[Event]:
    counts = {"output_tokens": 9, "output_tokens_details": {"thinking_tokens": 7}} if usage is None else usage
    return [("message_delta", {"delta": {"stop_reason": stop_reason, **details}, "usage": counts}), STOP]


def refusal(category: Any = None) -> list[Event]:
    details = {"type": "refusal", "category": category, "explanation": "Words of the API"}
    return end("refusal", stop_details=details)


def error(name: str) -> Event:
    return "error", {"error": {"type": name, "message": "Words of the API"}}


def whole(*events: Event, model: str = "claude-test-model") -> list[Event]:
    return [start(model), *events, *end()]


def body(events: Iterable[Event]) -> bytes:
    """What goes over the wire."""
    return b"".join(f"event: {name}\ndata: {json.dumps(data)}\n\n".encode() for name, data in events)
