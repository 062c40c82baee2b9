"""Does what a plan says, action by action, and writes down what was done."""

import asyncio
import itertools
import time
from collections.abc import Coroutine, Iterator
from typing import Any

from . import wire
from .actions import Action, Begin, Close, End, Gate, Reset, Send, Wait
from .answers import PING
from .lanes import Lane
from .metronome import Metronome
from .record import Exchange
from .wire import Connection


class Performance:
    """The answer to one request while it is being given."""

    def __init__(
        self, connection: Connection, lane: Lane, exchange: Exchange, metronome: Metronome, *, http11: bool
    ) -> None:
        self.connection = connection
        self.lane = lane
        self.exchange = exchange
        self.metronome = metronome
        self.http11 = http11
        self.chunked = False

    async def play(self, actions: Iterator[Action]) -> None:
        """Do one action after the other, until the end. Cancelled when the client leaves."""
        count = 0
        while (action := next(actions, None)) is not None:
            count += 1
            if count % 64 == 0:
                await asyncio.sleep(0)  # a long answer does not keep the others waiting
            match action:
                case Send():
                    await self.send(action)
                case Wait(seconds, 0, paced=True):
                    actions = await self.keep_pace(seconds, actions)
                case Wait(seconds, pings):
                    await self.idle(asyncio.sleep(seconds), pings)
                case Gate(number, pings):
                    await self.idle(self.lane.pass_gate(number, self.exchange.index), pings)
                case Begin():
                    await self.begin(action)
                case End():
                    if self.chunked:
                        await self.connection.send(wire.chunk(b""))
                    self.exchange.outcome = "answered"
                case Close():
                    self.connection.close()
                case Reset():
                    self.connection.reset()

    async def begin(self, action: Begin) -> None:
        """Send the status line and headers."""
        self.chunked = self.http11 and action.length is None
        framing = {"transfer-encoding": "chunked"} if self.chunked else {}
        if action.length is not None:
            framing = {"content-length": str(action.length)}
        self.exchange.status, self.exchange.answered_at = action.status, time.monotonic()
        await self.connection.send(wire.head(action.status, action.headers | framing))

    async def send(self, action: Send) -> None:
        """Send a part of the body; waits while a slow client lets it pile up."""
        self.write(action)
        await self.connection.drain()

    def write(self, action: Send) -> None:
        self.connection.write(wire.chunk(action.data) if self.chunked else action.data)
        self.exchange.finished = self.exchange.finished or action.last
        if action.delta:
            self.lane.sent_delta(self.exchange, action.delta)

    async def keep_pace(self, seconds: float, actions: Iterator[Action]) -> Iterator[Action]:
        """Send deltas at their times for as long as there is nothing but waits between them. Gives what is left."""
        left: list[Action] = []

        def beat() -> float | None:
            for action in actions:
                if isinstance(action, Send) and self.connection.writable.is_set():
                    self.write(action)
                elif isinstance(action, Wait) and action.paced and not action.pings:
                    return action.seconds
                else:
                    left.append(action)
                    break
            return None

        await self.metronome.follow(beat, time.monotonic() + seconds)
        return itertools.chain(left, actions)

    async def idle(self, something: Coroutine[Any, Any, None], pings: float) -> None:
        """Await something, with a ping every so many seconds if any are wanted."""
        if not pings:
            await something
            return
        task = asyncio.ensure_future(something)
        try:
            while not (await asyncio.wait({task}, timeout=pings))[0]:
                await self.send(Send(PING))
            await task
        finally:
            task.cancel()
