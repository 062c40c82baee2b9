"""One line in the log for each call to Claude: what it took and how it ended, never what was said.

`call_ended` tells the rest of the project the same, for counts, budgets or bills. What goes wrong there is logged, and
takes nothing from an answer.
"""

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.dispatch import Signal

logger = logging.getLogger("claude")

# What a call is charged for, in tokens. `input_tokens` leaves out what the cache took in or gave back.
# https://platform.claude.com/docs/en/build-with-claude/prompt-caching#tracking-cache-performance
TOKENS = ("input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")

# Sent once for each call, with what `Call.told` says of it. The sender is the class `Call`.
call_ended = Signal()


class Call:
    """A call under way, as far as it is known. A stream that is cut short keeps what had been counted until then."""

    def __init__(self, model: str, request_id: str | None = None) -> None:
        self.model: str | None = model
        self.request_id = request_id  # Anthropic's name for it
        self.stop_reason: str | None = None
        self.tokens = dict.fromkeys(TOKENS, 0)
        self._outcome: str | None = None
        self._started = time.monotonic()
        self._first_token_after: float | None = None

    def count(self, usage: Mapping[str, Any]) -> None:
        """Takes in counts of the API. Each is a total up to now: the latest stands."""
        self.tokens |= {name: usage[name] for name in TOKENS if usage.get(name) is not None}

    def read(self, message: Any) -> None:
        """Takes in what a whole `anthropic.types.Message` says of itself."""
        self.count(message.usage.to_dict() if message.usage else {})
        self.model, self.stop_reason, self.request_id = message.model, message.stop_reason, message._request_id

    def first_token(self) -> None:
        """Notes that text has come; only the first time counts."""
        if self._first_token_after is None:
            self._first_token_after = time.monotonic() - self._started

    def end(self, outcome: str) -> dict[str, Any]:
        """What is told of it, once: the first outcome stands."""
        if self.has_ended:
            return self.told()
        self._outcome = outcome
        told = self.told()
        call_ended.send_robust(Call, **told)
        return told

    @property
    def has_ended(self) -> bool:
        return self._outcome is not None

    def told(self) -> dict[str, Any]:
        """The fields of its line; times are in seconds since the call began, tries included."""
        first = self._first_token_after
        return {
            "outcome": self._outcome,
            "model": self.model,
            "anthropic_request_id": self.request_id,
            "stop_reason": self.stop_reason,
            **self.tokens,
            "seconds": round(time.monotonic() - self._started, 3),
            "seconds_to_first_token": None if first is None else round(first, 3),
        }


@contextmanager
def recorded(model: str) -> Iterator[Call]:
    """The call that is made inside, whose line is written when the block ends.

    A call that failed has its line from `claude.failures.translated`; one that is left before its stop reason is
    known has the outcome "left".
    """
    call = Call(model)
    try:
        yield call
    finally:
        if not call.has_ended:
            told = call.end("answered" if call.stop_reason else "left")
            line = "Claude call %s: %d tokens in, %d out, %.1f s, request id %s"
            values = (told["outcome"], tokens_in(told), told["output_tokens"], told["seconds"], call.request_id)
            logger.info(line, *values, extra=told)


def tokens_in(told: Mapping[str, Any]) -> int:
    return sum(told[name] for name in TOKENS if name != "output_tokens")
