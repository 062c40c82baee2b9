"""HTTP/1.1 on a socket: reads requests, writes answers, and knows who closed the connection and when.

A server framework would hide what this one exists for: half a chunk, a reset, the moment at which a client leaves.
"""

import asyncio
import itertools
import json
import re
import socket
import struct
import sys
import time
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import parse_qsl, unquote, urlsplit

from .record import Socket

HEAD_LIMIT = 64 * 1024  # bytes of request line and headers
BODY_LIMIT = (
    32 * 1024 * 1024
)  # bytes; the API's own: https://platform.claude.com/docs/en/api/errors#request-size-limits
REASONS = {status.value: status.phrase for status in HTTPStatus} | {499: "Client Closed Request", 529: "Overloaded"}


@dataclass
class Request:
    """One request, whole. Header names are in lower case."""

    method: str
    path: str
    parameters: list[tuple[str, str]]
    headers: dict[str, str]
    body: bytes
    version: str = "1.1"
    too_large: bool = False
    arrived_at: float = field(default_factory=time.monotonic)

    @property
    def query(self) -> dict[str, str]:
        return dict(self.parameters)

    def json(self):
        """The body as JSON; raises ValueError when it is none."""
        return json.loads(self.body.decode("utf-8"))


class Malformed(Exception):
    """What arrived is not a request that this server can read."""


def parse_head(head: bytes) -> Request:
    """The request line and headers of a request, its body still empty."""
    line, *lines = head.decode("latin-1").split("\r\n")
    match = re.fullmatch(r"([A-Z]+) (\S+) HTTP/(1\.[01])", line)
    if not match:
        raise Malformed(f"not a request line: {line[:80]!r}")
    url = urlsplit(match[2])
    headers: dict[str, str] = {}
    for text in lines:
        name, colon, value = text.partition(":")
        if not colon:
            raise Malformed(f"not a header: {text[:80]!r}")
        headers[name.strip().lower()] = value.strip()
    if "transfer-encoding" in headers:
        raise Malformed("send a Content-Length; chunked requests are not read")
    parameters = parse_qsl(url.query, keep_blank_values=True)
    return Request(match[1], unquote(url.path), parameters, headers, b"", match[3])


def head(status: int, headers: dict[str, str]) -> bytes:
    """The status line and headers of an answer."""
    lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'Unknown')}", *(f"{k}: {v}" for k, v in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


def chunk(data: bytes) -> bytes:
    """`data` as one chunk of a body of unknown length; the empty chunk ends that body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


Handler = Callable[["Connection", Request], Awaitable[None]]


class Connection(asyncio.Protocol):
    """One client's socket. `handle` gets its requests one after the other, and is cancelled when the client leaves."""

    numbers = itertools.count(1)

    def __init__(self, handle: Handler) -> None:
        self.handle = handle
        self.socket = Socket(next(self.numbers), time.monotonic())
        self.on_close: set[Callable[[], None]] = set()
        self.buffer = bytearray()
        self.request: Request | None = None  # whose body is still arriving
        self.missing = 0  # bytes of that body
        self.task: asyncio.Task[None] | None = None
        self.writable = asyncio.Event()
        self.writable.set()

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if self.task is None:
            self._read()

    def eof_received(self) -> bool:
        self._closed("client", "fin")
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self._closed("client", "reset" if error else "fin")
        self.writable.set()

    def pause_writing(self) -> None:
        self.writable.clear()

    def resume_writing(self) -> None:
        self.writable.set()

    # Reading.

    def _read(self) -> None:
        try:
            request = self._whole_request()
        except Malformed as error:
            self.transport.write(head(400, {"content-length": "0", "connection": "close", "x-reason": str(error)}))
            self.close()
            return
        if request:
            self.task = asyncio.get_running_loop().create_task(self._answer(request))

    def _whole_request(self) -> Request | None:
        """The next request, once all of it is here."""
        if self.request is None:
            end = self.buffer.find(b"\r\n\r\n")
            if end < 0:
                if len(self.buffer) > HEAD_LIMIT:
                    raise Malformed("the headers are too long")
                return None
            self.request = parse_head(bytes(self.buffer[:end]))
            del self.buffer[: end + 4]
            length = self.request.headers.get("content-length", "0")
            if not length.isascii() or not length.isdigit():
                raise Malformed(f"not a Content-Length: {length[:80]!r}")
            self.missing = int(length)
            self.request.too_large = self.missing > BODY_LIMIT
            if self.request.headers.get("expect", "").lower() == "100-continue":
                self.transport.write(head(100, {}))
        if self.request.too_large:  # what nobody will read is not kept
            dropped = min(self.missing, len(self.buffer))
            del self.buffer[:dropped]
            self.missing -= dropped
            if self.missing:
                return None
        elif len(self.buffer) < self.missing:
            return None
        request, self.request = self.request, None
        request.body = bytes(self.buffer[: self.missing])
        request.arrived_at = time.monotonic()
        del self.buffer[: self.missing]
        return request

    async def _answer(self, request: Request) -> None:
        try:
            await self.handle(self, request)
            if request.headers.get("connection", "").lower() == "close" or request.version == "1.0":
                self.close()
        except Exception:  # a fault of this server: nobody may wait for an answer that never comes
            traceback.print_exc(file=sys.stderr)
            self.reset()
        finally:
            self.task = None
        if not self.is_closed and self.buffer:
            self._read()

    # Writing.

    def write(self, data: bytes) -> None:
        """Hand `data` to the kernel."""
        self.transport.write(data)

    async def drain(self) -> None:
        """Wait while a slow client lets what was written pile up."""
        if not self.writable.is_set():
            await self.writable.wait()

    async def send(self, data: bytes) -> None:
        self.write(data)
        await self.drain()

    # Closing.

    @property
    def is_closed(self) -> bool:
        return self.socket.closed_at is not None

    def close(self) -> None:
        """End the connection the polite way (FIN), after what was written."""
        self._closed("server", "fin", cancel=False)
        self.transport.close()

    def reset(self) -> None:
        """End the connection the rude way (RST): linger for no time at all."""
        sock = self.transport.get_extra_info("socket")
        if sock is not None and sock.fileno() >= 0:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._closed("server", "reset", cancel=False)
        self.transport.abort()

    def cut(self, how: str) -> None:
        """End the connection under the answer that is on its way: "close" or "reset"."""
        if not self.is_closed:
            self.reset() if how == "reset" else self.close()
        if self.task:
            self.task.cancel()

    def _closed(self, by: str, how: str, *, cancel: bool = True) -> None:
        if self.is_closed:
            return
        self.socket.closed_at = time.monotonic()
        self.socket.closed_by = by
        self.socket.closed_how = how
        if cancel and self.task:
            self.task.cancel()
        for tell in self.on_close:
            tell()
