"""One line in the log for each request: its id, how it went, how long it took, what Claude took for it."""

import logging
import re
import time
import uuid
from contextvars import ContextVar
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.dispatch import receiver

from claude.answers import Usage
from claude.calls import Call, call_ended

logger = logging.getLogger("access")

# Asked every few seconds: a line each would bury the others.
PROBES = ("/healthz", "/readyz")


class RequestRecord:
    """A request under way. `status` is 0 until a response begins."""

    def __init__(self, method: str, path: str, claimed_id: str = "") -> None:
        self.request_id = claimed_id if is_trusted(claimed_id) else uuid.uuid4().hex
        self.status = 0
        self._method, self._path = method, path
        self._calls = 0
        self._usage = Usage()
        self._started = time.monotonic()
        self._first_byte_after: float | None = None

    def first_byte(self) -> None:
        """Notes that the response has begun; only the first time counts."""
        if self._first_byte_after is None:
            self._first_byte_after = round(time.monotonic() - self._started, 3)

    def add_call(self, call: Call) -> None:
        """Counts a call to Claude that was made for it."""
        self._calls += 1
        self._usage += call.usage

    def end(self) -> None:
        """Writes its line. The path has no query: what people type does not belong in a log."""
        seconds = round(time.monotonic() - self._started, 3)
        log_fields: dict[str, Any] = {
            "method": self._method,
            "path": self._path,
            "status": self.status,
            "seconds": seconds,
            "seconds_to_first_byte": self._first_byte_after,
        }
        if self._calls:
            log_fields |= {"calls": self._calls, **self._usage.as_dict()}
        level = logging.DEBUG if self._path in PROBES and self.status == HTTPStatus.OK else logging.INFO
        logger.log(level, "%s %s %d, %.3f s", self._method, self._path, self.status, seconds, extra=log_fields)


current: ContextVar[RequestRecord | None] = ContextVar("current_request", default=None)


def is_trusted(claimed_id: str) -> bool:
    """Whether an X-Request-ID is taken over: from a proxy that sets it, and when it looks like one."""
    return settings.TRUST_PROXY and re.fullmatch(r"[\w-]{8,64}", claimed_id) is not None


@receiver(call_ended)
def count_call(*, call: Call, **kwargs: Any) -> None:
    record = current.get()
    if record is not None:
        record.add_call(call)
