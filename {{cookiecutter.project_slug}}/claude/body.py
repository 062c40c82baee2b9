"""What the API sends stays small: no body can take the memory of a worker, or its event loop."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx2

from claude.failures import Failure

# Bytes of a whole body. The longest answer, 128,000 tokens with an event of some 130 bytes each, has half of that.
LARGEST = 32 * 1024 * 1024


def limit_body(response: httpx2.Response) -> None:
    """Reads a body as it is, and no more of it than LARGEST.

    We ask for no compression: a few kilobytes could unpack to any size. A codec that comes all the same, as an encoding or
    as a character set, is not applied.
    """
    response.headers.pop("content-encoding", None)
    response.encoding = "utf-8"
    response.stream = LimitedBody(response.stream)


class LimitedBody(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """The body of a response. Raises `Failure` where it is larger than `largest`, in bytes."""

    def __init__(self, stream: Any) -> None:
        self.largest: float = LARGEST
        self._stream = stream
        self._size = 0

    def _counted(self, chunk: bytes) -> bytes:
        self._size += len(chunk)
        if self._size > self.largest:
            raise Failure("unavailable", f"the response is larger than {self.largest:,} bytes")
        return chunk

    def __iter__(self) -> Iterator[bytes]:
        return map(self._counted, self._stream)

    def close(self) -> None:
        self._stream.close()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._stream:
            yield self._counted(chunk)

    async def aclose(self) -> None:
        await self._stream.aclose()
