"""What a request counts as, at four characters a token, and what the prompt cache knows of it.

https://platform.claude.com/docs/en/build-with-claude/prompt-caching
"""

import hashlib
import json
import math
from typing import Any

from django.core.cache.backends.locmem import LocMemCache

from claude import capabilities

LIVES = {"5m": 300, "1h": 3600}  # seconds
CACHE_MINIMUM = 1024  # tokens, for a model that nobody knows yet
LOOKBACK = 20  # blocks before a breakpoint in which the API looks for what it has cached

cache = LocMemCache("claude-offline", {})


def input_usage(body: dict[str, Any]) -> dict[str, Any]:
    """The input side of the usage. Prompts that are marked for the cache are written once and then read."""
    known = capabilities.of(body["model"])
    minimum = (known and known.cache_minimum) or CACHE_MINIMUM
    read = reached = tokens = 0
    written = dict.fromkeys(LIVES, 0)
    digest = hashlib.sha256(body["model"].encode())
    prefixes = []
    for block in blocks(body):
        control = block.pop("cache_control", None)
        digest.update(json.dumps(block).encode())
        tokens += math.ceil(len(str(block.get("text", block))) / 4)
        prefixes.append((digest.hexdigest(), tokens))
        if not control or tokens < minimum:
            continue
        read = max([read, *(size for key, size in prefixes[-LOOKBACK:] if cache.get(key))])
        reached = max(reached, read)
        ttl = control.get("ttl", "5m")
        written[ttl] += tokens - reached
        reached = tokens
        cache.set(digest.hexdigest(), True, LIVES[ttl])
    return {
        "input_tokens": tokens - reached,
        "cache_creation_input_tokens": sum(written.values()),
        "cache_read_input_tokens": read,
        "cache_creation": {f"ephemeral_{ttl}_input_tokens": count for ttl, count in written.items()},
    }


def blocks(body: dict[str, Any]) -> list[dict[str, Any]]:
    """Copies of what the prompt is made of, in the cache's order. A top-level `cache_control` marks the last of them."""
    contents = [("tools", body.get("tools") or []), ("system", body.get("system") or [])]
    contents += [(turn["role"], turn["content"]) for turn in body["messages"]]
    found = [
        {"role": role, **block}
        for role, content in contents
        for block in ([{"type": "text", "text": content}] if isinstance(content, str) else content)
    ]
    if body.get("cache_control"):
        found[-1]["cache_control"] = body["cache_control"]
    return found


def diagnose(body: dict[str, Any], message_id: str) -> dict[str, Any] | None:
    """Why the cache could not be read, for a request that asks for it. https://platform.claude.com/docs/en/build-with-claude/cache-diagnostics"""
    if body.get("diagnostics") is None:
        return None
    cache.set(message_id, body, LIVES["1h"])
    previous_id = body["diagnostics"].get("previous_message_id")
    if previous_id is None:
        return None
    previous = cache.get(previous_id)
    if previous is None:
        return {"cache_miss_reason": {"type": "previous_message_not_found"}}
    turns = previous["messages"]
    changed = [name for name in ("model", "system", "tools") if body.get(name) != previous.get(name)]
    changed += ["messages"] if body["messages"][: len(turns)] != turns else []
    if not changed:
        return None
    missed = math.ceil(len(json.dumps(turns)) / 4)
    return {"cache_miss_reason": {"type": f"{changed[0]}_changed", "cache_missed_input_tokens": missed}}
