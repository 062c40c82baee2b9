"""What a user gets for one request through nginx, in a word: for benchmarks that ask by the thousand and count."""

import http.client
import time
from typing import NamedTuple

ASK, STREAM = "/chat/ask/", "/chat/stream/"
WHOLE, LEFT, CUT, NOTHING = "whole answer", "left", "stream cut without an end", "connection closed without an answer"
LATE = "nothing for 30 s"


class Heard(NamedTuple):
    """What came back. There is an answer only when it was acknowledged: by status 200, or by the event `done`."""

    outcome: str
    answer: str | None = None
    read: str = ""
    """The text that had arrived, whether or not its end did."""
    times: tuple = ()
    """When each piece of a stream arrived, and how long the text then was."""


def ask(user, path, fields, leave_after=None):
    """Ask over a connection of its own, and read to the end; or leave after so many deltas."""
    try:
        with user.start_post(path, fields) as reply:
            if reply.headers.get_content_type() == "text/event-stream":
                return stream(reply, leave_after)
            return whole(reply)
    except TimeoutError:
        return Heard(LATE)
    except (OSError, http.client.HTTPException):
        return Heard(NOTHING)


def whole(reply):
    """An answer in one piece, or a refusal."""
    kind = reply.whole().headers.get_content_type()
    if kind != "application/json":
        return Heard(f"{kind} {reply.status}")
    if reply.status != 200:
        return Heard(f"JSON {reply.status}")
    answer = reply.json["answer"]
    return Heard(WHOLE, answer, answer)


def stream(reply, leave_after):
    """An answer piece by piece."""
    read, times = "", []
    try:
        for event in reply.events():
            if "delta" in event:
                read += event["delta"]
                times.append((time.monotonic(), len(read)))
            elif "done" in event:
                return Heard(WHOLE, read, read, times)
            else:
                return Heard(f"error event {event['status']}", None, read, times)
            if len(times) == leave_after:
                return Heard(LEFT, None, read, times)
    except TimeoutError:
        return Heard(LATE, None, read, times)
    except (OSError, http.client.HTTPException, ValueError):  # half an event is no JSON
        pass
    return Heard(CUT, None, read, times)
