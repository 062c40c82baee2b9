"""Which requests the API refuses. It checks more than this.

https://platform.claude.com/docs/en/api/messages
"""

from collections.abc import Iterator
from typing import Any

from claude import capabilities
from claude.capabilities import EFFORTS
from claude.failures import value_at
from claude.offline import schemas
from claude.offline.reports import Report

# What a request may say, by where it says it. Beta features have more.
FIELDS = {
    (): "model messages max_tokens system stream thinking output_config cache_control diagnostics metadata stop_sequences "
    "tools tool_choice service_tier inference_geo speed",
    ("thinking",): "type display budget_tokens",
    ("output_config",): "effort format",
    ("output_config", "format"): "type schema",
    ("cache_control",): "type ttl",
    ("diagnostics",): "previous_message_id",
    ("metadata",): "user_id",
}
ROLES = ("user", "assistant", "system")
THINKING = ("adaptive", "disabled", "enabled", "between_tools")


def rejection(body: dict[str, Any], *, beta: bool = False) -> Report | None:
    """The API's answer to a request that it does not take, or None."""
    model, most, turns = body.get("model"), body.get("max_tokens"), body.get("messages")
    roles = [turn.get("role") for turn in turns or []]
    model_can = capabilities.of(str(model)) or capabilities.UNKNOWN
    longest = model_can.longest_answer
    if capabilities.is_retired(str(model)):
        return Report(404, "not_found_error", f"model: {model}")
    # The way to think that the newer models have lost.
    by_budget = {"enabled"} if model_can.thinks == "when asked" else set()
    thinking, effort = value_at(body, "thinking", "type"), value_at(body, "output_config", "effort")
    unknown, misshapen = next(unknown_fields(body), None), schema_fault(body)
    marks = cache_marks(body)
    ttls = [str(value_at(mark, "ttl") or "5m") for mark in marks]
    faults = {
        f"{unknown}: Extra inputs are not permitted": unknown is not None and not beta,
        "model: String should have at least 1 character": not isinstance(model, str) or not model.strip(),
        "max_tokens: Input should be greater than or equal to 1": type(most) is not int or most < 1,
        f"max_tokens: {most} > {longest}, which is the maximum allowed number of output tokens for {model}": (
            type(most) is int and most > longest
        ),
        "system: text content blocks must contain non-whitespace text": is_blank(body.get("system", "none")),
        "messages: at least one message is required": not turns,
        "messages: Input should be 'user', 'assistant' or 'system'": any(role not in ROLES for role in roles),
        "messages: first message must use the user role": roles[:1] != ["user"],
        "messages: the last message must not be the assistant's": roles[-1:] == ["assistant"],
        "messages: text content blocks must contain non-whitespace text": any(
            is_blank(turn.get("content")) for turn in turns or []
        ),
        f"thinking: Input tag {thinking!r} does not match any of {THINKING}": (
            body.get("thinking") is not None and thinking not in THINKING
        ),
        f'"thinking.type.{thinking}" is not supported for this model.': (
            thinking in THINKING and thinking not in model_can.thinking | by_budget
        ),
        f"output_config.effort: Input should be one of {EFFORTS}": effort is not None and effort not in EFFORTS,
        "This model does not support the effort parameter.": effort is not None and not model_can.efforts,
        f"This model does not support effort level {effort!r}.": (
            effort in EFFORTS and effort not in model_can.efforts
        ),
        f"output_config.effort {effort!r} is not supported when thinking is disabled on this model. Use effort 'high' or "
        "below, or enable thinking.": (
            effort in EFFORTS
            and thinking in ("disabled", "between_tools")
            and effort not in model_can.efforts_without_thinking
        ),
        f"output_config.format: {misshapen}": misshapen is not None,
        "cache_control.type: Input should be 'ephemeral'": any(value_at(mark, "type") != "ephemeral" for mark in marks),
        "cache_control.ttl: Input should be '5m' or '1h'": bool(set(ttls) - {"5m", "1h"}),
        f"A maximum of 4 blocks with cache_control may be provided. Found {len(ttls)}.": len(ttls) > 4,
        "a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block": ttls != sorted(ttls),
    }
    message = next((message for message, is_at_fault in faults.items() if is_at_fault), None)
    return None if message is None else Report(400, "invalid_request_error", message)


def unknown_fields(body: dict[str, Any]) -> Iterator[str]:
    for path, known in FIELDS.items():
        yield from (".".join((*path, name)) for name in value_at(body, *path) or () if name not in known.split())


def cache_marks(body: dict[str, Any]) -> list[Any]:
    """The breakpoints of the prompt cache, in order. https://platform.claude.com/docs/en/build-with-claude/prompt-caching"""
    contents = [body.get("tools"), body.get("system"), *(turn.get("content") for turn in body.get("messages") or [])]
    blocks = [block for content in contents if isinstance(content, list) for block in content]
    return [block["cache_control"] for block in [*blocks, body] if value_at(block, "cache_control")]


def schema_fault(body: dict[str, Any]) -> str | None:
    """What is wrong with the schema of a structured answer."""
    wanted = value_at(body, "output_config", "format")
    if wanted is None:
        return None
    if value_at(wanted, "type") != "json_schema":
        return "Input tag should be 'json_schema'"
    try:
        schemas.example(value_at(wanted, "schema"))
    except ValueError as error:
        return f"schema: {error}"
    return None


def is_blank(content: Any) -> bool:
    """Whether there is a text without a word in the content of a turn or a system prompt, or nothing at all."""
    texts = [content] if isinstance(content, str) else [block.get("text", "-") for block in content or []]
    return not texts or not all(isinstance(text, str) and text.strip() for text in texts)
