"""Asks one question of a served project, and takes down all there is to judge: the reply, the log, the requests."""

import http.client
import json
from typing import Any, NamedTuple

from http_client import HttpClient

PATHS = {"json": "/chat/ask/", "events": "/chat/stream/"}


class Record(NamedTuple):
    """A line of the log."""

    level: str
    logger: str
    message: str


class Heard(NamedTuple):
    """What came back for a question, and what the log said of it."""

    status: int
    headers: Any
    body: str
    log: str
    cut: str = ""
    """How the connection broke, when it did."""

    @property
    def text(self) -> str:
        """All that the user got, headers included."""
        return f"{self.headers}\n{self.body}\n{self.cut}"

    @property
    def kind(self) -> str:
        return str(self.headers.get("Content-Type", "")).partition(";")[0]

    @property
    def events(self) -> list[Any]:
        """The events of a stream, or the one thing that JSON says. What is neither stands as its text."""
        if self.kind == "application/json":
            return [json.loads(self.body)]
        if self.kind == "text/event-stream":
            blocks = [block for block in self.body.split("\n\n") if block and not block.startswith(":")]
            return [json.loads(b.removeprefix("data: ")) if b.startswith("data: ") else b for b in blocks]
        return [self.body]

    @property
    def records(self) -> list[Record]:
        lines = map(json.loads, self.log.splitlines())
        return [Record(line["level"], line["logger"], line["message"]) for line in lines]


class Log:
    """What a server has written since it was last looked at."""

    def __init__(self, server: Any) -> None:
        self.server = server
        self.seen = 0

    def news(self) -> str:
        """Whole lines; one that is being written is for the next time."""
        text = self.server.log.read_bytes()[self.seen :]
        text = text[: text.rfind(b"\n") + 1]
        self.seen += len(text)
        return text.decode("utf-8", "replace")


def ask(served: Any, log: Log, surface: str, prompt: str, method: str = "POST", without: tuple[str, ...] = ()) -> Heard:
    """Ask as a user does who has signed in, minus some cookies, and read until the end."""
    cookies = {name: value for name, value in served.cookies().items() if name not in without}
    path = PATHS.get(surface, surface)
    user = HttpClient.in_place_of_proxy(served.url, cookies)
    try:
        reply = user.get(path) if method == "GET" else user.post(path, {"prompt": prompt})
    except (OSError, http.client.HTTPException) as error:
        return Heard(0, {}, "", log.news(), cut=repr(error))
    body, cut = b"", ""
    try:
        body = reply.body
    except http.client.IncompleteRead as error:
        body, cut = error.partial, repr(error)
    except OSError as error:
        cut = repr(error)
    return Heard(reply.status, reply.headers, body.decode("utf-8", "replace"), log.news(), cut)
