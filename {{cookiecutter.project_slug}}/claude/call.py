"""A call to Claude under way: what is known of it, and how it ended.

`claude.calls.open` is the one way to make one.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from typing import Any

from django.conf import settings
from django.db import connections
from django.dispatch import Signal

from claude import failures, prompts
from claude.deadline import Deadline
from claude.failures import Failure
from claude.messages import request_to
from claude.reader import AnswerReader

logger = logging.getLogger("claude")

# Sent before each call, with `call`. A receiver that raises `claude.failures.Refused` keeps it from being made.
call_starting = Signal()
# Sent after each call that `call_starting` was sent for, with `call`, however it ended. What a receiver raises is logged.
call_ended = Signal()


class Call(AnswerReader):
    """A call under way: who asked, what for, and what is known of the answer so far.

    `outcome` is None until the call has ended. Then it is "answered", "declined" by Claude, "left" when nobody waited for
    the end, "refused" when a receiver of `call_starting` refused it, or else the kind of a `Failure`. `was_sent` says whether
    the API may be at work: its last request is on its way, in one of its attempts. `is_batch` says whether it is an
    item of a batch, at half the price; its outcome may also be "expired", "canceled" or "missing" (`claude.batches`).
    """

    is_batch = False

    def __init__(
        self,
        request: Mapping[str, Any],
        *,
        user: Any = None,
        purpose: str = "",
        conversation: uuid.UUID | None = None,
        deadline: Deadline | None = None,
    ) -> None:
        super().__init__(request.get("model"))
        self.id = uuid.uuid4()
        self.request = request
        self.user = user
        self.purpose = purpose
        self.conversation = conversation
        self.deadline = deadline or Deadline()
        self.outcome: str | None = None
        self.was_sent = False
        self._started = time.monotonic()
        self._seconds: float | None = None
        self.seconds_to_first_token: float | None = None
        self.unexpected: Exception | None = None  # for the traceback in the log

    @property
    def seconds(self) -> float:
        """How long the call took, or has taken so far, attempts and pauses included."""
        return time.monotonic() - self._started if self._seconds is None else self._seconds

    def feed(self, chunk: bytes) -> Iterator[str]:
        for piece in super().feed(chunk):
            if piece and self.seconds_to_first_token is None:
                self.seconds_to_first_token = round(self.seconds, 3)
            yield piece

    def fall_back(self, asked: Mapping[str, Any], error: Exception | None = None) -> dict[str, Any] | None:
        """The request to CLAUDE_FALLBACK_MODEL, where the model that was `asked` has declined or is down, else None.

        No model takes over what another has begun to say, except where that was taken back.
        """
        model = settings.CLAUDE_FALLBACK_MODEL
        if not model or model in (asked.get("model"), self.model):
            return None
        if error is None:
            if self.stop_reason != "refusal":
                return None
            logger.info("%s declined, category %s: %s is asked", self.model, self.refusal_category, model)
        else:
            failure = as_failure(error)
            if not settings.CLAUDE_FALLBACK_WHEN_DOWN or self.text or failure.cause not in ("overloaded", "model"):
                return None
            logger.log(failure.level, "%s is down, %s: %s is asked", self.model, failure.detail, model)
        self.ask_again(model)
        return request_to(model, self.request)

    def log_fields(self) -> dict[str, Any]:
        """What the log says of the call, never what was said in it. Times are in seconds."""
        return {
            "call_id": str(self.id),
            "outcome": self.outcome,
            "purpose": self.purpose,
            "user_id": getattr(self.user, "pk", None),
            "conversation": self.conversation and str(self.conversation),
            "prompt_version": prompts.version_of(self.request),
            "model": self.model,
            "anthropic_request_id": self.anthropic_request_id,
            "stop_reason": self.stop_reason,
            "refusal_category": self.refusal_category,
            **self.usage.as_dict(),
            "iterations": [iteration.as_dict() for iteration in self.iterations] if self.iterations[1:] else None,
            "cache_miss": self.cache_miss,
            "seconds": round(self.seconds, 3),
            "seconds_to_first_token": self.seconds_to_first_token,
        }

    def failure_for(self, error: Exception) -> Failure | None:
        """The `Failure` to raise in place of an error; None for one of the block's own code, which passes as it is."""
        if isinstance(error, ExceptionGroup):  # of a TaskGroup in the block
            error = next(filter(is_of_the_call, error.exceptions), error)
        if isinstance(error, Failure):
            failure = error
        elif is_of_the_call(error):
            failure = as_failure(error)
            # What came before an error may quote the prompt.
            error.__cause__, error.__suppress_context__ = None, True
            if failure.kind == "unexpected" and not type(error).__module__.startswith("anthropic"):
                self.unexpected = error
        else:
            cut_off(error)
            return None
        failure.anthropic_request_id = self.anthropic_request_id
        failure.usage = self.usage
        return failure

    def end(self, failure: Failure | None = None) -> None:
        """Says how the call ended, in its one line of the log."""
        self._seconds = self.seconds
        if failure is None:
            declined = self.stop_reason == "refusal"
            self.outcome = "left" if not self.is_whole else "declined" if declined else "answered"
            line = "Claude call %s: %d tokens in, %d out, %.1f s, request id %s"
            counts = (self.usage.all_input_tokens, self.usage.output_tokens, self.seconds)
            logger.info(line, self.outcome, *counts, self.anthropic_request_id, extra=self.log_fields())
        else:
            self.outcome = failure.kind
            values = (failure.kind, failure.detail, self.anthropic_request_id)
            line = "Claude call failed: %s, %s, request id %s"
            logger.log(failure.level, line, *values, exc_info=self.unexpected, extra=self.log_fields())
            self.unexpected = None


# The call that this thread or task is making.
current: ContextVar[Call | None] = ContextVar("current_call", default=None)


def call_of(attempt: Any) -> Call:
    """The call that an attempt of the SDK belongs to.

    What is asked outside of `open`, such as the list of models, has no line in the log, but a deadline all the same.
    """
    call = current.get()
    if call is None or (call.outcome is not None and attempt.retries_taken == 0):
        call = Call({})
        call.outcome = "outside"
        current.set(call)
    return call


def as_failure(error: Exception) -> Failure:
    """What an error stands for, whatever the API has sent."""
    if isinstance(error, Failure):
        return error
    try:
        return failures.classify(error)
    except Exception:
        return Failure("unexpected", type(error).__name__)


def raise_refusal(responses: Sequence[tuple[Any, Any]]) -> None:
    """What the first receiver that refused or broke has raised."""
    for _, raised in responses:
        if isinstance(raised, Exception):
            raise raised if isinstance(raised, Failure) else Failure("unexpected", type(raised).__name__)


def is_of_the_call(error: BaseException) -> bool:
    """Whether the SDK or this package raised an error, and not the code in the block."""
    packages = [module.split(".")[0] for module in failures.modules_of(error)]
    return packages[-1:] == ["claude"] or not {"anthropic", "httpx2"}.isdisjoint(packages)


def cut_off(error: BaseException) -> None:
    """Takes what the SDK raised off an error that came after it: a traceback would show both."""
    while before := error.__cause__ or error.__context__:
        if is_of_the_call(before):
            error.__cause__, error.__suppress_context__ = None, True
            return
        error = before


def release_connections(*, keep_files: bool = False) -> None:
    """Gives the database connections of this thread back, unless a transaction, as in a test, is open on one.

    Claude may take minutes, and a pool has few connections. `keep_files` is for a thread that lives as long as its process:
    of a file of SQLite, whoever closes the last connection waits for the disk, and this one is there for the others.
    https://docs.djangoproject.com/en/stable/ref/databases/#persistent-connections
    """
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block and not (keep_files and connection.vendor == "sqlite"):
            connection.close()
