"""Counts tokens and remembers prompt prefixes, so that the usage of an answer behaves as the API's does.

https://platform.claude.com/docs/en/build-with-claude/prompt-caching
"""

import hashlib
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from .messages import encode

TTL = {"5m": 300, "1h": 3600}  # seconds
CHARACTERS_PER_TOKEN = 4
LOOKBACK = 20  # blocks up to a breakpoint among which the longest prefix that is known is read


@dataclass
class Prefix:
    """All of a prompt up to and with one block."""

    digest: str
    tokens: int
    ttl: str | None
    """Of its breakpoint, or None where there is none."""


def blocks(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What a prompt is made of, in the order that the cache sees it: tools, system, messages."""
    yield from body.get("tools") or []
    yield from _as_blocks(body.get("system") or [])
    for turn in body["messages"]:
        for block in _as_blocks(turn["content"]):
            yield block | {"role": turn["role"]}


def _as_blocks(content: Any) -> list[dict[str, Any]]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def prefixes(body: dict[str, Any]) -> list[Prefix]:
    """The prefix that ends with each block. A top-level `cache_control` stands for one on the last block."""
    digest = hashlib.sha256(encode(body["model"]))
    tokens = 0
    found = []
    for block in blocks(body):
        control = block.get("cache_control")
        content = {name: value for name, value in block.items() if name != "cache_control"}
        digest.update(encode(content))
        tokens += tokens_of(content)
        found.append(Prefix(digest.hexdigest(), tokens, control.get("ttl", "5m") if control else None))
    if found and body.get("cache_control"):
        found[-1].ttl = body["cache_control"].get("ttl", "5m")
    return found


def tokens_of(block: dict[str, Any]) -> int:
    """A fair guess: a token for four characters of text, of anything else for four characters of its JSON."""
    text = block.get("text") if block.get("type", "text") == "text" else None
    length = len(text) if isinstance(text, str) else len(encode(block))
    return max(1, math.ceil(length / CHARACTERS_PER_TOKEN))


def input_tokens(body: dict[str, Any]) -> int:
    """All tokens of a prompt, cached or not: what `count_tokens` answers."""
    found = prefixes(body)
    return found[-1].tokens if found else 0


@dataclass
class Cache:
    """The prefixes that were seen. Its clock can be put forward, so that no test waits five minutes."""

    minimum: int = 0
    """Prefixes of fewer tokens are not cached; the API's minimum is 1,024 or more, by model."""
    offset: float = 0.0
    entries: dict[str, float] = field(default_factory=dict)

    def now(self) -> float:
        return time.monotonic() + self.offset

    def usage(self, body: dict[str, Any]) -> dict[str, Any]:
        """The input side of an answer's usage. Writes what is new, and renews what is read."""
        found = prefixes(body)
        total = found[-1].tokens if found else 0
        marked = [prefix for prefix in found if prefix.ttl and prefix.tokens >= self.minimum]
        near = {prefix.digest for at, prefix in enumerate(found) if any(p.ttl for p in found[at : at + LOOKBACK])}
        read = max((prefix.tokens for prefix in found if prefix.digest in near and self._has(prefix)), default=0)
        written = {"5m": 0, "1h": 0}
        reached = read
        for prefix in marked:
            if prefix.tokens > reached:
                written[prefix.ttl or "5m"] += prefix.tokens - reached
                reached = prefix.tokens
            self.entries[prefix.digest] = self.now() + TTL[prefix.ttl or "5m"]
        return {
            "input_tokens": total - reached,
            "cache_creation_input_tokens": reached - read,
            "cache_read_input_tokens": read,
            "cache_creation": {
                "ephemeral_5m_input_tokens": written["5m"],
                "ephemeral_1h_input_tokens": written["1h"],
            },
        }

    def _has(self, prefix: Prefix) -> bool:
        return self.entries.get(prefix.digest, 0.0) > self.now()
