"""What the API refuses: a request is checked, and the first fault becomes the API's own error."""

import re
from collections.abc import Iterator
from typing import Any

from . import structured
from .messages import STATUS_OF
from .models import EFFORTS, MODELS, THINKING, UNKNOWN

VERSION = "2026-10-21"
MAX_BREAKPOINTS = 4

FIELDS = {
    "model", "messages", "system", "tools", "tool_choice", "thinking", "output_config", "cache_control", "speed",
}  # fmt: skip
ANSWER_FIELDS = FIELDS | {
    "max_tokens", "metadata", "stop_sequences", "stream", "service_tier", "container", "diagnostics", "inference_geo",
}  # fmt: skip
GONE = {"temperature", "top_p", "top_k"}
BLOCK_TYPES = {
    "user": {"text", "image", "document", "search_result", "tool_result", "container_upload"},
    "assistant": {
        "text", "thinking", "redacted_thinking", "tool_use", "server_tool_use", "web_search_tool_result",
        "web_fetch_tool_result", "code_execution_tool_result", "bash_code_execution_tool_result",
        "text_editor_code_execution_tool_result",
    },
    "system": {"text"},
}  # fmt: skip


class Refused(Exception):
    """The API's answer to a request that is at fault."""

    def __init__(self, kind: str, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.status = status or STATUS_OF[kind]


def invalid(message: str) -> Refused:
    return Refused("invalid_request_error", message)


def check_headers(headers: dict[str, str], key: str | None, wanted: str | None) -> None:
    """The bearer key and the version. `wanted` is the one key that is right, or None when any will do."""
    if key is None:
        raise Refused("authentication_error", "Authorization: a bearer key is required")
    if wanted is not None and key != wanted:
        raise Refused("authentication_error", "invalid API key")
    version = headers.get("anthropic-version")
    if version is None:
        raise invalid("anthropic-version: header is required")
    if version != VERSION:
        raise invalid(f"anthropic-version: {version!r} is not a valid version")


def check_json(raw: bytes, body: Any) -> None:
    """A body is an object, and its strings can be written down."""
    if not isinstance(body, dict):
        raise invalid("The request body is not a JSON object")
    if b"\\ud" in raw.lower() and any(_has_surrogate(text) for text in _strings(body)):
        raise invalid("The request body is not valid JSON: no low surrogate in string")


def check_body(body: dict[str, Any], *, answers: bool = True) -> None:
    """The body of a call to `messages`, or to `count_tokens` (not `answers`)."""
    for name in GONE & body.keys():
        raise invalid(f"{name}: not supported from version {VERSION} on")
    for name in sorted(body.keys() - (ANSWER_FIELDS if answers else FIELDS)):
        raise invalid(f"{name}: Extra inputs are not permitted")
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise invalid("model: Field required" if model is None else "model: Input should be a valid string")
    if not re.fullmatch(r"claude-[a-z0-9.-]+", model):
        raise Refused("not_found_error", f"model: {model}")
    if answers:
        check_limits(body)
    check_thinking(body, model)
    check_format(body)
    check_system(body.get("system"))
    check_messages(body.get("messages"), model)
    check_tools(body.get("tools"))
    check_cache_control(body)


def check_limits(body: dict[str, Any]) -> None:
    """What bounds an answer, and who asked for it."""
    max_tokens = body.get("max_tokens")
    if type(max_tokens) is not int:
        raise invalid("max_tokens: Field required" if max_tokens is None else "max_tokens: Input should be an integer")
    if max_tokens < 0 or (max_tokens == 0 and body.get("stream")):
        raise invalid("max_tokens: Input should be greater than or equal to 1")
    most = MODELS.get(body["model"], UNKNOWN).longest
    if max_tokens > most:
        raise invalid(f"max_tokens: {max_tokens} > {most}, the maximum of output tokens of {body['model']}")
    if not isinstance(body.get("stream", False), bool):
        raise invalid("stream: Input should be a valid boolean")
    stops = body.get("stop_sequences") or []
    if not isinstance(stops, list) or not all(isinstance(stop, str) and stop.strip() for stop in stops):
        raise invalid("stop_sequences: each stop sequence must contain non-whitespace")
    metadata = body.get("metadata") or {}
    if not isinstance(metadata, dict) or metadata.keys() - {"user_id"}:
        raise invalid("metadata: Extra inputs are not permitted")
    user = metadata.get("user_id")
    if user is not None and not (isinstance(user, str) and len(user) <= 256):
        raise invalid("metadata.user_id: Input should be a string of at most 256 characters")


def check_thinking(body: dict[str, Any], model: str) -> None:
    """The type of thinking and the effort, and whether the model takes them."""
    known = MODELS.get(model, UNKNOWN)
    thinking, config = body.get("thinking"), body.get("output_config") or {}
    kind = thinking.get("type") if isinstance(thinking, dict) else None
    if thinking is not None and kind not in THINKING:
        raise invalid(f"thinking: Input tag {kind!r} does not match any of the expected tags: {list(THINKING)}")
    if kind and kind not in known.thinking:
        raise invalid(f'"thinking.type.{kind}" is not supported for this model.')
    if kind and thinking.keys() - {"type", "display", "budget_tokens"}:
        raise invalid("thinking: Extra inputs are not permitted")
    if not isinstance(config, dict) or config.keys() - {"effort", "format"}:
        raise invalid("output_config: Extra inputs are not permitted")
    effort = config.get("effort")
    if effort is None:
        return
    if effort not in EFFORTS:
        raise invalid(f"output_config.effort: Input should be one of {', '.join(EFFORTS)}")
    if not known.efforts:
        raise invalid("This model does not support the effort parameter.")
    if effort not in known.efforts:
        raise invalid(f"This model does not support effort level {effort!r}.")
    if kind in ("disabled", "between_tools") and effort not in known.efforts_without_thinking:
        raise invalid(f"output_config.effort {effort!r} is not supported when thinking is disabled on this model.")


def check_format(body: dict[str, Any]) -> None:
    """The schema of a structured answer."""
    wanted = (body.get("output_config") or {}).get("format")
    if wanted is None:
        return
    if not isinstance(wanted, dict) or wanted.get("type") != "json_schema":
        raise invalid("output_config.format: Input tag should be 'json_schema'")
    try:
        structured.example(wanted.get("schema"), "")
    except ValueError as error:
        raise invalid(f"output_config.format.schema: {error}") from None


def check_system(system: Any) -> None:
    if system is None or isinstance(system, str):
        return
    if not isinstance(system, list):
        raise invalid("system: Input should be a valid string or list")
    for number, block in enumerate(system):
        check_block(block, f"system.{number}", {"text"})


def check_messages(messages: Any, model: str) -> None:
    """At least one turn, the first of them the user's, each with a known role and something in it."""
    if messages is None:
        raise invalid("messages: Field required")
    if not isinstance(messages, list):
        raise invalid("messages: Input should be a valid list")
    if not messages:
        raise invalid("messages: at least one message is required")
    for number, turn in enumerate(messages):
        place = f"messages.{number}"
        if not isinstance(turn, dict) or turn.keys() - {"role", "content"}:
            raise invalid(f"{place}: Input should be an object with role and content")
        role, content = turn.get("role"), turn.get("content")
        if role not in BLOCK_TYPES:
            raise invalid(f"{place}.role: Input should be 'user', 'assistant' or 'system'")
        if isinstance(content, str):
            check_text(content, place)
        elif isinstance(content, list) and content:
            for index, block in enumerate(content):
                check_block(block, f"{place}.content.{index}", BLOCK_TYPES[role])
        else:
            raise invalid(f"{place}.content: Field required" if content is None else f"{place}: content is empty")
    if messages[0]["role"] != "user":
        raise invalid("messages: first message must use the user role")
    if messages[-1]["role"] == "assistant" and "-4-5" not in model:
        raise invalid(f"{model} does not support prefill; the last message must not be the assistant's")


def check_text(text: Any, place: str) -> None:
    if not isinstance(text, str):
        raise invalid(f"{place}.text: Input should be a valid string")
    if not text:
        raise invalid(f"{place}: text content blocks must be non-empty")
    if not text.strip():
        raise invalid(f"{place}: text content blocks must contain non-whitespace text")


def check_block(block: Any, place: str, allowed: set[str]) -> None:
    if not isinstance(block, dict):
        raise invalid(f"{place}: Input should be an object")
    kind = block.get("type")
    if kind not in allowed:
        raise invalid(f"{place}: Input tag {kind!r} does not match any of the expected tags: {sorted(allowed)}")
    if kind == "text":
        if "cache_control" in block and not block.get("text"):
            raise invalid(f"{place}: cache_control cannot be set for empty text blocks")
        check_text(block.get("text"), place)


def check_tools(tools: Any) -> None:
    for number, tool in enumerate(tools or []):
        if not isinstance(tool, dict) or not isinstance(tool.get("name"), str):
            raise invalid(f"tools.{number}.name: Field required")
        if tool.get("type", "custom") == "custom" and not isinstance(tool.get("input_schema"), dict):
            raise invalid(f"tools.{number}.input_schema: Field required")


def check_cache_control(body: dict[str, Any]) -> None:
    """The shape of each breakpoint, how many there are, and that the long-lived come first."""
    ttls = []
    for place, control in _controls(body):
        if control is None:
            continue
        if not isinstance(control, dict) or control.get("type") != "ephemeral" or control.keys() - {"type", "ttl"}:
            raise invalid(f"{place}.cache_control: Input should be {{'type': 'ephemeral', 'ttl': '5m' or '1h'}}")
        if control.get("ttl", "5m") not in ("5m", "1h"):
            raise invalid(f"{place}.cache_control.ttl: Input should be '5m' or '1h'")
        ttls.append(control.get("ttl", "5m"))
    if len(ttls) > MAX_BREAKPOINTS:
        raise invalid(f"A maximum of {MAX_BREAKPOINTS} blocks with cache_control may be provided. Found {len(ttls)}.")
    if ttls != sorted(ttls):
        raise invalid("a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block")


def _controls(body: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    lists = [("tools", body.get("tools")), ("system", body.get("system"))]
    lists += [(f"messages.{number}.content", turn["content"]) for number, turn in enumerate(body["messages"])]
    for place, content in lists:
        if isinstance(content, list):
            yield from ((f"{place}.{number}", block.get("cache_control")) for number, block in enumerate(content))
    yield "request", body.get("cache_control")


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, item in value.items():
            yield name
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)


def _has_surrogate(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)
