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
SIGNATURE = "c2lnbmF0dXJl"
COUNTED_LAST = ("output_tokens_details", "iterations")
"""What usage has in the last event only."""
TYPE_OF = {status: kind for kind, status in STATUS_OF.items()}


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


def thinking(thought: list[str], display: str) -> list[dict[str, Any]]:
    """The block that shows what was thought, or hides it."""
    if display == "redacted":
        return [{"type": "redacted_thinking", "data": SIGNATURE}]
    return [{"type": "thinking", "thinking": "".join(thought) * (display == "summarized"), "signature": SIGNATURE}]


def handover(model: str, fallback: str) -> dict[str, Any]:
    """The block where the API's own fallback lets another model go on."""
    trigger = {"type": "refusal", "category": "general_harms"}
    return {"type": "fallback", "from": {"model": model}, "to": {"model": fallback}, "trigger": trigger}


def cache_miss(reason: str) -> dict[str, Any]:
    return {"cache_miss_reason": {"type": reason, "cache_missed_input_tokens": 100}}


def with_text(deltas: list[str]) -> list[dict[str, Any]]:
    return [{"type": "text", "text": "".join(deltas)}] if deltas else []


def event(kind: str, **fields: Any) -> tuple[str, dict[str, Any]]:
    """One event of a stream: its name and its data."""
    return kind, {"type": kind, **fields}


def delta(text: str, index: int = 0) -> tuple[str, dict[str, Any]]:
    return event("content_block_delta", index=index, delta={"type": "text_delta", "text": text})


def opening(whole: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The first event: the message without what is not known yet."""
    usage = {name: count for name, count in whole["usage"].items() if name not in COUNTED_LAST}
    unknown = {"content": [], "stop_reason": None, "stop_sequence": None, "stop_details": None}
    if whole["usage"].get("iterations") and whole["content"][0]["type"] != "fallback":
        unknown["model"] = whole["usage"]["iterations"][0]["model"]  # the other one has not been asked yet
    return event("message_start", message=whole | unknown | {"usage": usage | {"output_tokens": 1}})


def block_events(block: dict[str, Any], index: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """The events of a content block other than the answer's text."""
    kind = block.get("type")
    if kind == "text":
        start = block | {"text": ""}
        changes = [{"type": "text_delta", "text": piece} for piece in pieces(block["text"])]
    elif kind == "thinking":
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
