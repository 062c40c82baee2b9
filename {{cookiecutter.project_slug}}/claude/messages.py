"""What goes to Claude.

https://platform.claude.com/docs/en/api/messages
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypedDict

from django.conf import settings
from django.utils.crypto import salted_hmac

from claude import capabilities

if TYPE_CHECKING:
    from pydantic import BaseModel


class Details(TypedDict, total=False):
    """What may be said of a request besides its two prompts; `build_request` says what each means."""

    history: Iterable[Mapping[str, str]]
    max_tokens: int | None
    schema: type[BaseModel] | None
    idempotency_key: str | None
    previous_message_id: str | None
    user: Any


def build_request(
    user_prompt: str,
    system_prompt: str | None = None,
    *,
    history: Iterable[Mapping[str, str]] = (),
    max_tokens: int | None = None,
    schema: type[BaseModel] | None = None,
    idempotency_key: str | None = None,
    previous_message_id: str | None = None,
    user: Any = None,
) -> dict[str, Any]:
    """The arguments of `messages.create`.

    `system_prompt` is CLAUDE_SYSTEM_PROMPT unless given. `history` is the turns before this one, oldest first, each
    `{"role": "user" | "assistant", "content": text}`; any other role raises ValueError, as one that a client sent could
    speak for us. The API caches the system prompt, and a history together with it. `max_tokens` is CLAUDE_MAX_TOKENS unless
    given, and counts thinking, too. `schema` is a model of Pydantic that the answer must fit; one that the API cannot be
    told raises ValueError. `idempotency_key` stays the same through every retry; each call gets its own unless one is
    given. `previous_message_id` is the `message_id` of the answer before, or "" in the first turn of a conversation: the
    log then says why the cache did not serve.
    The API gets an opaque name for `user`, never who they are.
    """
    turns = [{"role": turn["role"], "content": turn["content"]} for turn in history]
    if any(turn["role"] not in ("user", "assistant") for turn in turns):
        raise ValueError("A turn of the history has a role other than user and assistant.")
    system_prompt = settings.CLAUDE_SYSTEM_PROMPT if system_prompt is None else system_prompt
    request: dict[str, Any] = {
        "model": settings.ANTHROPIC_MODEL,
        "max_tokens": max_tokens or settings.CLAUDE_MAX_TOKENS,
        "messages": [*turns, {"role": "user", "content": user_prompt}],
        "extra_headers": {"anthropic-idempotency-key": idempotency_key or str(uuid.uuid4())},
    }
    # https://platform.claude.com/docs/en/build-with-claude/prompt-caching
    cached = {"type": "ephemeral"} | ({"ttl": "1h"} if settings.CLAUDE_CACHE_TTL == "1h" else {})
    if system_prompt:
        request["system"] = [{"type": "text", "text": system_prompt, "cache_control": cached}]
    if turns:
        request["cache_control"] = cached
    # https://platform.claude.com/docs/en/build-with-claude/cache-diagnostics, which gateways do not know
    if previous_message_id is not None and f"{settings.ANTHROPIC_BASE_URL}/".startswith("https://api.anthropic.com/"):
        request["diagnostics"] = {"previous_message_id": previous_message_id or None}
    if settings.CLAUDE_THINKING:
        request["thinking"] = {"type": settings.CLAUDE_THINKING}
    output = {"effort": settings.CLAUDE_EFFORT} if settings.CLAUDE_EFFORT else {}
    if schema is not None:
        output["format"] = {"type": "json_schema", "schema": json_schema(schema)}
    if output:
        request["output_config"] = output
    if user is not None:
        request["metadata"] = {"user_id": salted_hmac("claude.user", str(user.pk), algorithm="sha256").hexdigest()}
    return request


def json_schema(schema: type[BaseModel]) -> dict[str, Any]:
    """What the API can be told of a model of Pydantic. Raises ValueError for a field that it would never fill.

    https://platform.claude.com/docs/en/build-with-claude/structured-outputs
    """
    from anthropic import transform_schema

    def free_keys(part: Any) -> bool:
        if isinstance(part, list):
            return any(map(free_keys, part))
        if not isinstance(part, dict):
            return False
        return (part.get("type") == "object" and "properties" not in part) or any(map(free_keys, part.values()))

    if free_keys(schema.model_json_schema()):
        raise ValueError(f"{schema.__name__} has a dict, and the API fills no keys that it does not know: use a list.")
    return transform_schema(schema)


def request_to(model: str, request: Mapping[str, Any]) -> dict[str, Any]:
    """The same request to another model, without what that one does not take. It is a request of its own to the API.

    Of a model that claude/capabilities.py does not list, nothing is assumed: it gets neither thinking nor effort.
    """
    changed = {**request, "model": model}
    headers = request.get("extra_headers", {})
    if key := headers.get("anthropic-idempotency-key"):
        changed["extra_headers"] = {**headers, "anthropic-idempotency-key": f"{key}-{model}"}
    known = capabilities.of(model)
    output, thinking = dict(changed.pop("output_config", {})), request.get("thinking", {}).get("type", "")
    if known is None or thinking not in known.thinking:
        changed.pop("thinking", None)
    if known is None or output.get("effort") not in known.efforts_with(thinking):
        output.pop("effort", None)
    if known is not None:
        changed["max_tokens"] = min(request["max_tokens"], known.longest_answer)
    return changed | ({"output_config": output} if output else {})
