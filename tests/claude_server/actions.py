"""What can be done on the wire: the words that a plan is written in."""

from typing import NamedTuple


class Begin(NamedTuple):
    """Send the status line and headers."""

    status: int
    headers: dict[str, str]
    length: int | None
    """Bytes of the body, or None when it comes in chunks."""


class Send(NamedTuple):
    """Send a part of the body."""

    data: bytes
    delta: int = 0
    """The number of the text delta that this part ends with, from 1."""
    last: bool = False
    """Whether the answer is whole with it."""


class Wait(NamedTuple):
    """Send nothing for so many seconds, apart from pings."""

    seconds: float
    pings: float = 0
    paced: bool = False
    """Counted from when the wait before it was due to end, so that a rate is kept."""


class Gate(NamedTuple):
    """Wait until the test has released this many deltas."""

    number: int
    pings: float = 0


class Deltas(NamedTuple):
    """Nothing to do: from here on come the text deltas."""


class End(NamedTuple):
    """The body is over; the connection may serve another request."""


class Close(NamedTuple):
    """Close the connection."""


class Reset(NamedTuple):
    """Reset the connection."""


Action = Begin | Send | Wait | Gate | Deltas | End | Close | Reset
