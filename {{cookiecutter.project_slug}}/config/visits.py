"""Each request as its line in the log tells it: its id, how it went, how long it took, what Claude took for it."""

import logging
import re
import time
import uuid
from collections.abc import Mapping
from contextvars import ContextVar
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.dispatch import receiver

from claude.calls import TOKENS, call_ended

logger = logging.getLogger("access")

# Asked every few seconds: a line each would bury the others.
PROBES = ("/healthz", "/readyz")
# The body of a request that is larger than DATA_UPLOAD_MAX_MEMORY_SIZE is not read: this is the answer to it.
TOO_LARGE = b'{"error": "Your question is too long: please shorten it.", "status": 413}'


class Visit:
    """A request under way. `status` is 0 until an answer begins."""

    def __init__(self, method: str, path: str, claimed_id: str = "") -> None:
        self.request_id = claimed_id if is_believed(claimed_id) else uuid.uuid4().hex
        self.status = 0
        self.calls = 0
        self.tokens = dict.fromkeys(TOKENS, 0)
        self._method, self._path = method, path
        self._started = time.monotonic()
        self._first_byte_after: float | None = None

    def first_byte(self) -> None:
        """Notes that the answer has begun; only the first time counts."""
        if self._first_byte_after is None:
            self._first_byte_after = time.monotonic() - self._started

    def add(self, told: Mapping[str, Any]) -> None:
        """Takes in a call to Claude that was made for it."""
        self.calls += 1
        for name in TOKENS:
            self.tokens[name] += told[name]

    def end(self) -> None:
        """Writes its line. The path has no query: what people type does not belong in a log."""
        seconds = round(time.monotonic() - self._started, 3)
        first = self._first_byte_after
        line = "%s %s %d, %.3f s"
        told = {
            "method": self._method,
            "path": self._path,
            "status": self.status,
            "seconds": seconds,
            "seconds_to_first_byte": None if first is None else round(first, 3),
        }
        of_claude = {"calls": self.calls, **self.tokens} if self.calls else {}
        level = logging.DEBUG if self._path in PROBES and self.status == HTTPStatus.OK else logging.INFO
        logger.log(level, line, self._method, self._path, self.status, seconds, extra=told | of_claude)


current: ContextVar[Visit | None] = ContextVar("current_visit", default=None)


def is_believed(claimed_id: str) -> bool:
    """Whether an X-Request-ID is taken over: from a proxy that sets it, and when it looks like one."""
    return settings.TRUST_PROXY and re.fullmatch(r"[\w-]{8,64}", claimed_id) is not None


@receiver(call_ended)
def add_call(*, signal: object, sender: object, **told: Any) -> None:
    visit = current.get()
    if visit is not None:
        visit.add(told)
