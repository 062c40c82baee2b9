"""A lane is an API of its own inside the server, with its script, cache and records."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from typing import Any

from . import script
from .caching import Cache
from .record import Exchange
from .wire import Connection

COUNTS = ("arrived", "ended", "left", "closed", "deltas")


@dataclass
class Rule:
    """Steps for requests to one endpoint, those with `marker` in their prompt."""

    steps: deque[script.Step]
    """Used up, one a request."""
    otherwise: script.Step | None = None
    """For every request after them. None lets the next rule decide."""
    marker: str = ""
    endpoint: str = "messages"
    model: str = ""
    """Only requests to this model; empty: to any."""

    @classmethod
    def from_json(cls, data: Any) -> "Rule":
        if not isinstance(data, dict) or data.keys() - {item.name for item in fields(cls)}:
            raise script.BadScript("a rule is an object with steps, otherwise, marker, endpoint and model")
        steps = data.get("steps", [])
        if not isinstance(steps, list):
            raise script.BadScript("steps is a list of steps")
        otherwise = data.get("otherwise")
        return cls(
            deque(script.from_json(step) for step in steps),
            script.from_json(otherwise) if otherwise else None,
            str(data.get("marker", "")),
            str(data.get("endpoint", "messages")),
            str(data.get("model", "")),
        )

    def take(self) -> script.Step | None:
        return self.steps.popleft() if self.steps else self.otherwise


@dataclass
class Settings:
    """What kind of API this lane is."""

    key: str | None = None
    """The one key that is right; None takes any."""
    cache_minimum: int = 0
    """Tokens that a prompt prefix needs to be cached."""
    requests_per_minute: int = 4000
    """More than this are answered 429."""
    costs_known_until: str | None = None
    """An ISO time for the cost report; None is now."""
    keep: int = 10_000
    """So many records are kept, the newest."""
    batch_looks: int = 0
    """How often a batch is still in progress when it is asked for, before it has ended."""


@dataclass
class Lane:
    """One API: what it will do, what it remembers, and what happened on it."""

    name: str
    settings: Settings = field(default_factory=Settings)
    rules: list[Rule] = field(default_factory=list)
    charges: list[dict[str, Any]] = field(default_factory=list)
    """What the cost report is about."""
    cache: Cache = field(default_factory=Cache)
    exchanges: deque[Exchange] = field(default_factory=lambda: deque(maxlen=Settings.keep))
    open: dict[int, Connection] = field(default_factory=dict)
    """The connections of requests that have not ended, by the requests' index."""
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTS, 0))
    released: int = 0
    released_to: dict[int, int] = field(default_factory=dict)
    minute: tuple[float, int] = (0.0, 0)
    batches: dict[str, Any] = field(default_factory=dict)
    """The batches that were made here (`batches.Batch`), the oldest first."""
    waiters: set[asyncio.Future[None]] = field(default_factory=set)

    # The script.

    def step(self, endpoint: str, prompt: str, model: str) -> script.Step:
        """What happens to the next request; uses up a step."""
        for rule in self.rules:
            concerns = rule.endpoint == endpoint and rule.marker in prompt and rule.model in ("", model)
            if concerns and (step := rule.take()):
                return step
        return script.NORMAL

    # Rate limits.

    def count_request(self) -> tuple[bool, dict[str, str]]:
        """Whether the request is within the minute's limit, and the headers that say so."""
        now = time.monotonic()
        since, count = self.minute
        if now - since >= 60:
            since, count = now, 0
        self.minute = since, count + 1
        limit = self.settings.requests_per_minute
        reset = datetime.now(UTC) + timedelta(seconds=60 - (now - since))
        headers = {
            "anthropic-ratelimit-requests-limit": str(limit),
            "anthropic-ratelimit-requests-remaining": str(max(0, limit - count - 1)),
            "anthropic-ratelimit-requests-reset": reset.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        return count < limit, headers

    # The gate.

    async def pass_gate(self, number: int, index: int) -> None:
        """Return once so many deltas were released to the request."""
        while self.released + self.released_to.get(index, 0) < number:
            await self._change()

    def release(self, deltas: int, index: int | None = None) -> None:
        """Let every stream, or the one of that index, send so many deltas more."""
        if index is None:
            self.released += deltas
        else:
            self.released_to[index] = self.released_to.get(index, 0) + deltas
        self.changed()

    # The record.

    def begin(self, exchange: Exchange, connection: Connection) -> None:
        self.exchanges.append(exchange)
        self.open[exchange.index] = connection
        self.counts["arrived"] += 1
        connection.on_close.add(self._count_closed)
        self.changed()

    def _count_closed(self) -> None:
        self.counts["closed"] += 1
        self.changed()

    def sent_delta(self, exchange: Exchange, number: int) -> None:
        exchange.last_delta_at = time.monotonic()
        exchange.first_delta_at = exchange.first_delta_at or exchange.last_delta_at
        self.counts["deltas"] += number - exchange.deltas
        exchange.deltas = number
        self.changed()

    def end(self, exchange: Exchange) -> None:
        """The server has no more to send for this request, or nobody to send it to."""
        exchange.ended_at = time.monotonic()
        sock = exchange.socket
        if exchange.outcome == "open":
            if sock.closed_by == "client":
                exchange.outcome = "client left"
            else:
                exchange.outcome = "server reset" if sock.closed_how == "reset" else "server closed"
        self.open.pop(exchange.index, None)
        self.counts["ended"] += 1
        self.counts["left"] += exchange.outcome == "client left"
        self.changed()

    # Waiting for something to happen.

    def changed(self) -> None:
        for waiter in self.waiters:
            if not waiter.done():
                waiter.set_result(None)
        self.waiters.clear()

    async def _change(self) -> None:
        waiter = asyncio.get_running_loop().create_future()
        self.waiters.add(waiter)
        try:
            await waiter
        finally:
            self.waiters.discard(waiter)

    async def wait_until(self, true: Callable[[], bool], seconds: float) -> bool:
        """Whether it became true within that time."""
        try:
            async with asyncio.timeout(seconds):
                while not true():
                    await self._change()
        except TimeoutError:
            return true()
        return True

    def cut(self, how: str) -> int:
        """Close or reset the connection of every open request; says of how many."""
        connections = list(self.open.values())
        for connection in connections:
            connection.cut(how)
        return len(connections)
