"""What a Claude answer looks like: the message, its pieces, its events, and the envelope of an error.

https://platform.claude.com/docs/en/api/messages and …/build-with-claude/streaming
"""

import json
import re
import secrets
from collections.abc import Iterator
from typing import Any

STATUS_OF = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "conflict_error": 409,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
TYPE_OF = {status: kind for kind, status in STATUS_OF.items()}

MODELS = {
    "claude-opus-5-5": "Claude Opus 5.5",
    "claude-sonnet-5-5": "Claude Sonnet 5.5",
    "claude-haiku-5-5": "Claude Haiku 5.5",
    "claude-sonnet-4-6": "Claude Sonnet 4.6",
}


def identifier(prefix: str) -> str:
    """An id as the API makes them: `msg_01…`, `req_01…`."""
    return f"{prefix}_01{secrets.token_hex(11)}"


def encode(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def type_of(status: int) -> str:
    """The error type that goes with a status."""
    return TYPE_OF.get(status) or ("api_error" if status >= 500 else "invalid_request_error")


def error_envelope(kind: str, message: str, request_id: str, details: dict[str, Any] | None = None) -> dict[str, Any]:
    error: dict[str, Any] = {"type": kind, "message": message}
    if details:
        error["details"] = details
    return {"type": "error", "error": error, "request_id": request_id}


def text_of(content: Any) -> str:
    """The text in a turn's content, or in a system prompt: a string, or a list of blocks."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    return "".join(str(block.get("text", "")) for block in content if isinstance(block, dict))


def prompt_of(body: Any) -> str:
    """The text of the last user turn."""
    turns = body.get("messages") if isinstance(body, dict) else None
    for turn in reversed(turns if isinstance(turns, list) else []):
        if isinstance(turn, dict) and turn.get("role") == "user":
            return text_of(turn.get("content"))
    return ""


def pieces(text: str) -> list[str]:
    """The deltas that a text arrives in: one word each, with the space after it. Each counts as one token."""
    return re.findall(r"\S+\s*|\s+", text)


def echo(prompt: str) -> str:
    """An answer that proves which question it belongs to."""
    return f"You asked: {prompt}"


def cut(deltas: list[str], max_tokens: int, stop_sequences: list[str]) -> tuple[list[str], str, str | None]:
    """The deltas that are left, the stop reason and the stop sequence, by the limits that the request set."""
    text = "".join(deltas)
    found = [(text.index(stop), stop) for stop in stop_sequences if stop in text]
    if found:
        at, stop = min(found)
        if len(pieces(text[:at])) <= max_tokens:
            return pieces(text[:at]), "stop_sequence", stop
    if len(deltas) > max_tokens:
        return deltas[:max_tokens], "max_tokens", None
    return deltas, "end_turn", None


def message(model: str, content: list[dict[str, Any]], usage: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {
        "id": identifier("msg"),
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content,
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "stop_details": None,
        "usage": usage,
        **fields,
    }


def event(kind: str, **fields: Any) -> tuple[str, dict[str, Any]]:
    """One event of a stream: its name and its data."""
    return kind, {"type": kind, **fields}


def delta(text: str, index: int = 0) -> tuple[str, dict[str, Any]]:
    return event("content_block_delta", index=index, delta={"type": "text_delta", "text": text})


def opening(whole: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The first event: the message without what is not known yet."""
    usage = whole["usage"] | {"output_tokens": 1}
    return event(
        "message_start", message=whole | {"content": [], "stop_reason": None, "stop_sequence": None, "usage": usage}
    )


def block_events(block: dict[str, Any], index: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """The events of a content block that is not text."""
    kind = block.get("type")
    if kind == "thinking":
        start = {"type": "thinking", "thinking": "", "signature": ""}
        changes = [{"type": "thinking_delta", "thinking": piece} for piece in pieces(block["thinking"])]
        changes.append({"type": "signature_delta", "signature": block["signature"]})
    elif kind == "tool_use":
        start = block | {"input": {}}
        text = encode(block["input"]).decode()
        changes = [{"type": "input_json_delta", "partial_json": part} for part in ("", text[:5], text[5:])]
    else:
        start, changes = block, []
    yield event("content_block_start", index=index, content_block=start)
    for change in changes:
        yield event("content_block_delta", index=index, delta=change)
    yield event("content_block_stop", index=index)


def closing(whole: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The last two events: why it stopped and what it cost, then the end."""
    reasons = {name: whole[name] for name in ("stop_reason", "stop_sequence", "stop_details")}
    yield event("message_delta", delta=reasons, usage=whole["usage"])
    yield event("message_stop")


def model_info(model: str) -> dict[str, Any]:
    return {
        "type": "model",
        "id": model,
        "display_name": MODELS[model],
        "created_at": "2026-01-01T00:00:00Z",
        "lifecycle": "active",
        "line": model.split("-")[1],
        "deprecated_at": None,
        "retires_at": None,
        "max_input_tokens": 1_000_000,
        "max_tokens": 128_000,
    }
