"""No call holds a worker for longer than CLAUDE_DEADLINE, whoever makes it and however it goes wrong.

Only the headers of a response have no such limit together, each read of them does: nothing but a broken API would
send those bit by bit.

The SDK's timeouts are for one socket operation each, so a stream that sends only pings lives for ever, and a
`Retry-After` of an hour is slept through. These are middlewares for its clients, which run once for each attempt:
https://github.com/anthropics/anthropic-sdk-python#middleware
"""

import asyncio
import contextlib
import heapq
import itertools
import math
import os
import socket
import threading
import time
import weakref
from contextvars import ContextVar

import httpx2
from django.conf import settings

from claude import failures

# % if cookiecutter.view_style == "async"
# When all the calls of one fan-out must end, on the monotonic clock, in seconds.
all_end_at: ContextVar[float] = ContextVar("all_end_at", default=math.inf)
# % endif
# When the call that is under way must end, on the monotonic clock, in seconds.
ends_at: ContextVar[float] = ContextVar("ends_at")


def limit(request, call_next):
    """For `Anthropic`: each attempt gets the time that is left, and none comes too late."""
    with curbed(request):
        response = call_next(with_time_left(request))
    curb_retry(request, response.http_response)
    return response


async def alimit(request, call_next):
    """For `AsyncAnthropic`: as `limit`."""
    with curbed(request):
        response = await call_next(with_time_left(request))
    curb_retry(request, response.http_response)
    return response


def limit_body(response: httpx2.Response) -> None:
    """For the HTTP client below: what follows the headers gets the time that is left, too."""
    failures.current_request_id.set(response.headers.get("request-id"))
    response.stream = LimitedStream(response, ends_at.get())


async def alimit_body(response: httpx2.Response) -> None:
    """As `limit_body`."""
    failures.current_request_id.set(response.headers.get("request-id"))
    response.stream = AsyncLimitedStream(response, ends_at.get())


def with_time_left(request):
    """The request with a timeout no longer than what is left. Raises `too_late(…)`, which ends the call, at 0."""
    failures.current_request_id.set(None)
    if request.retries_taken == 0:
# % if cookiecutter.view_style == "async"
        ends_at.set(min(time.monotonic() + settings.CLAUDE_DEADLINE, all_end_at.get()))
# % else
        ends_at.set(time.monotonic() + settings.CLAUDE_DEADLINE)
# % endif
    left = time_left()
    if left <= 0:
        raise too_late(ends_at.get())
    return request.copy(timeout=httpx2.Timeout(min(settings.CLAUDE_TIMEOUT, left), connect=min(5, left)))


# % if cookiecutter.view_style == "async"
@contextlib.contextmanager
def shared():
    """The calls that are made inside have one CLAUDE_DEADLINE together, those too that wait for their turn."""
    before = all_end_at.set(time.monotonic() + settings.CLAUDE_DEADLINE)
    try:
        yield
    finally:
        all_end_at.reset(before)


# % endif
def time_left() -> float:
    return min(ends_at.get(), stop_at) - time.monotonic()


def pause_after(request) -> float:
    """How long the SDK waits at most before it tries again, in seconds, when the API does not say how long."""
    return min(0.5 * 2**request.retries_taken, 8)


@contextlib.contextmanager
def curbed(request):
    """Ends the call with the error of the network, where another try would not help.

    The pause before it would outlast the time, or Claude had the question and was at work on an answer in one piece,
    which is silent until it is whole: another would be paid for again, and take as long.
    """
    try:
        yield
    except Exception as error:
        cause = error.__cause__
        at_work = isinstance(cause, httpx2.ReadTimeout) and not request.stream
        if cause is None or (pause_after(request) < time_left() and not at_work):
            raise
        raise cause from None


def curb_retry(request, response: httpx2.Response) -> None:
    """Forbids a retry that would wait for longer than the cap, or past the deadline."""
    asked = failures.retry_after(response.headers) or 0
    if not asked:
        # What makes no sense, such as "inf", the SDK would sleep through.
        response.headers.pop("retry-after", None)
        response.headers.pop("retry-after-ms", None)
    if asked > settings.CLAUDE_RETRY_AFTER_CAP or (asked or pause_after(request)) > time_left():
        response.headers["x-should-retry"] = "false"


class LimitedStream(httpx2.SyncByteStream):
    """The body of a response until its time is up. Raises TimeoutError then, or `Failure` when the server stops."""

    def __init__(self, response: httpx2.Response, ends: float) -> None:
        self._stream = response.stream
        self._ends = ends
        connection = response.extensions.get("network_stream")
        self._socket = connection and connection.get_extra_info("socket")

    def __iter__(self):
        watched = watchdog.watch(self._socket, min(self._ends, stop_at)) if self._socket else None
        try:
            for chunk in self._stream:
                self._check()
                yield chunk
        except httpx2.HTTPError:
            self._check()
            raise
        finally:
            if watched:
                watchdog.leave(watched)

    def _check(self) -> None:
        if time.monotonic() >= min(self._ends, stop_at):
            raise too_late(self._ends) from None

    def close(self) -> None:
        self._stream.close()


class AsyncLimitedStream(httpx2.AsyncByteStream):
    """As `LimitedStream`: closing the connection wakes whoever waits for it.

    One timer for a stream, as a timeout for each piece of it would cost as much as reading the piece.
    """

    def __init__(self, response: httpx2.Response, ends: float) -> None:
        self._stream = response.stream
        self._ends = ends
        self._connection = response.extensions.get("network_stream")
        self._timer: asyncio.TimerHandle | None = None
        self._closing: asyncio.Future | None = None

    async def __aiter__(self):
        open_streams.add(self)
        self.set_timer()
        try:
            async for chunk in self._stream:
                self._check()
                yield chunk
        except httpx2.HTTPError:
            self._check()
            raise
        finally:
            self._timer.cancel()
            open_streams.discard(self)

    def set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        left = min(self._ends, stop_at) - time.monotonic()
        self._timer = asyncio.get_running_loop().call_later(left, self._close_connection)

    def _close_connection(self) -> None:
        if self._connection is not None:
            self._closing = asyncio.ensure_future(self._connection.aclose())

    def _check(self) -> None:
        # The timer may ring a moment before the clock.
        if self._closing is not None or time.monotonic() >= min(self._ends, stop_at):
            raise too_late(self._ends) from None

    async def aclose(self) -> None:
        await self._stream.aclose()


class Watchdog:
    """One thread that wakes those whose time is up: who waits for a silent socket cannot look at a clock."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._watched: list[tuple[float, int, list[socket.socket]]] = []
        self._number = itertools.count()
        self._thread: threading.Thread | None = None

    def watch(self, connection: socket.socket, ends: float) -> list[socket.socket]:
        """Shuts the connection down at `ends`, unless `leave` has been told what this returns by then."""
        watched = [connection]
        with self._changed:
            heapq.heappush(self._watched, (ends, next(self._number), watched))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="claude-deadline", daemon=True)
                self._thread.start()
            self._changed.notify()
        return watched

    def leave(self, watched: list[socket.socket]) -> None:
        """From here on the connection may serve another call."""
        with self._changed:
            watched.clear()

    def hurry(self) -> None:
        with self._changed:
            self._watched = [(min(ends, stop_at), number, watched) for ends, number, watched in self._watched]
            heapq.heapify(self._watched)
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._watched:
                    self._changed.wait()
                ends, _, watched = self._watched[0]
                if watched and ends > time.monotonic():
                    self._changed.wait(ends - time.monotonic())
                    continue
                heapq.heappop(self._watched)
                for connection in watched:
                    # Closing it would wake nobody. The base class's method leaves the state of TLS alone.
                    with contextlib.suppress(OSError):
                        socket.socket.shutdown(connection, socket.SHUT_RDWR)


watchdog = Watchdog()
open_streams: weakref.WeakSet[AsyncLimitedStream] = weakref.WeakSet()
# When the server ends what is still under way, on the monotonic clock, in seconds.
stop_at = math.inf


def hurry(seconds: float) -> None:
    """Streams that are open in `seconds` from now end then, with the sentence that the server is restarting.

    For a server that was told to stop. Call it from the event loop, or where there is none.
    """
    global stop_at
    stop_at = time.monotonic() + seconds
    watchdog.hurry()
    for stream in open_streams:
        stream.set_timer()


def too_late(ends: float) -> Exception:
    """What to raise when the time is up: of the call's own end and the server's, the earlier one is the reason.

    The clock would not tell which: a timer may ring a moment before it.
    """
    if stop_at < ends:
        return failures.Failure("restarting", "the server was told to stop")
    return TimeoutError()


def forget() -> None:
    """In a forked child: the thread and what it watched stayed in the parent."""
    global watchdog
    watchdog = Watchdog()


os.register_at_fork(after_in_child=forget)
