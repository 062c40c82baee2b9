"""Splits the bytes of a stream into its events, wherever they were cut on their way.

https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
"""

from collections.abc import Iterator

# What a file of UTF-8 may begin with.
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class EventSplitter:
    """Takes the bytes of one stream as they come. A long event in many pieces costs what its bytes cost, no more."""

    def __init__(self) -> None:
        self._rest = bytearray()  # of an event that is not whole yet
        self._cr = b""  # the last byte, where that is a CR: an LF that follows belongs to it

    def split(self, chunk: bytes) -> Iterator[tuple[bytes, bytes]]:
        """The name and the data of each event that is whole by now. Nothing is decoded yet."""
        chunk = self._cr + chunk
        searched = max(len(self._rest) - 1, 0)
        self._rest += chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")[len(self._cr) :]
        self._cr = b"\r" if chunk.endswith(b"\r") else b""
        end = self._rest.rfind(b"\n\n", searched)
        if end >= 0:
            events = bytes(self._rest[:end]).split(b"\n\n")
            del self._rest[: end + 2]
            yield from map(parse, events)


def parse(event: bytes) -> tuple[bytes, bytes]:
    """The name and the data of an event."""
    name, data = b"", []
    for line in event.removeprefix(BYTE_ORDER_MARK).split(b"\n"):
        field, _, value = line.partition(b":")
        if field == b"data":
            data.append(value.removeprefix(b" "))
        elif field == b"event":
            name = value.removeprefix(b" ")
    return name, b"\n".join(data)
