"""Sends the deltas of all paced streams from one timer, which costs a fraction of a sleeping task for each.

So the server can feed a load test of many hundred streams at 50 deltas a second from one core.
"""

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable

GRAIN = 0.002  # seconds; what is due within it is sent together

Beat = Callable[[], float | None]
"""Sends what is due, and gives the seconds until the next is, or None when the metronome is needed no longer."""


class Metronome:
    """Calls beats when they are due. Each is counted from when the one before was due, so that a rate is kept."""

    def __init__(self) -> None:
        self.queue: list[tuple[float, int, Beat, asyncio.Future[None]]] = []
        self.numbers = itertools.count()
        self.timer: asyncio.TimerHandle | None = None

    async def follow(self, beat: Beat, due: float) -> None:
        """Call `beat` from `due` on, a time of `time.monotonic()`, until it gives None. Raises what it raises."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self.queue, (due, next(self.numbers), beat, done))
        self.set_timer()
        await done

    def set_timer(self) -> None:
        """Wake up for the first that is due, but not more often than every GRAIN."""
        if self.timer is None and self.queue:
            loop = asyncio.get_running_loop()
            self.timer = loop.call_later(max(GRAIN, self.queue[0][0] - time.monotonic()), self.tick)

    def tick(self) -> None:
        self.timer = None
        now = time.monotonic()
        while self.queue and self.queue[0][0] <= now:
            due, number, beat, done = heapq.heappop(self.queue)
            if done.done():  # its client has left
                continue
            try:
                wait = beat()
            except Exception as error:  # belongs to the task that follows
                done.set_exception(error)
                continue
            if wait is None:
                done.set_result(None)
            else:
                heapq.heappush(self.queue, (due + wait, number, beat, done))
        self.set_timer()
