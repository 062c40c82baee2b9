"""Every way a call to Claude can fail: what the user reads, the status, the log level.

One table serves JSON, streams and the command line. What the SDK raises never leaves this package: its exceptions carry
the key, the prompt and the API's own words, so `claude.calls.open` raises a `Failure` in their place.

https://platform.claude.com/docs/en/api/errors
"""

import json
import logging
import math
import time
from collections.abc import Mapping
from contextlib import suppress
from email.utils import parsedate_to_datetime
from typing import NamedTuple


class Row(NamedTuple):
    """One row of the table: an HTTP status, the public sentence, and the level of the line in the log."""

    status: int
    sentence: str
    level: int


TABLE = {
    "misconfigured": Row(500, "Service misconfigured", logging.ERROR),
    "not_found": Row(502, "AI service unavailable", logging.ERROR),
    "rate_limited": Row(429, "Too many requests, please try again in a moment", logging.WARNING),
    "unavailable": Row(502, "AI service unavailable", logging.WARNING),
    "timed_out": Row(504, "The answer took too long", logging.WARNING),
    "restarting": Row(503, "The server is restarting, please ask again in a moment", logging.WARNING),
    "unexpected": Row(500, "Something went wrong", logging.ERROR),
}

# Errors that every call meets until somebody acts: the row of the table, and what to check.
TO_ACT_ON = {
    "authentication_error": ("misconfigured", "ANTHROPIC_API_KEY"),
    "permission_error": ("misconfigured", "what the workspace of ANTHROPIC_API_KEY may use, and ANTHROPIC_MODEL"),
    "billing_error": ("misconfigured", "the account's credit, https://platform.claude.com/settings/billing"),
    "spend_limit": ("misconfigured", "the spend limits, https://platform.claude.com/settings/limits"),
    "not_found_error": ("not_found", "ANTHROPIC_MODEL and ANTHROPIC_BASE_URL"),
}
# The codes of a rate limit that is the account's own ceiling on spending end like this: waiting does not lift it.
SPEND_LIMITS = ("spend_limit_reached", "ramp_limit_exceeded")
# For an error without a type, such as one that a proxy made.
TYPE_OF_STATUS = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}


class Failure(Exception):
    """A call that gave no whole answer. Safe to show, to log and to pickle.

    `kind` names the row of `TABLE`; `status` and `sentence` are what the user gets; `detail` is for the log;
    `anthropic_request_id` is Anthropic's id of the call, or None; `retry_after` is in seconds, or None.
    """

    anthropic_request_id: str | None = None

    def __init__(self, kind: str, detail: str = "", *, retry_after: float | None = None) -> None:
        super().__init__(kind, detail)
        self.kind = kind
        self.detail = detail
        self.status, self.sentence, self.level = TABLE[kind]
        self.retry_after = retry_after

    def __str__(self) -> str:
        return self.sentence


class Refused(Failure):
    """A request that we refuse before Claude is asked. `sentence` tells the user what to do."""

    def __init__(self, status: int, sentence: str, *, retry_after: float | None = None) -> None:
        Exception.__init__(self, status, sentence)
        self.kind = "refused"
        self.detail = f"status {status}"
        self.status, self.sentence, self.level = status, sentence, logging.INFO
        self.retry_after = retry_after


def classify(error: Exception) -> Failure:
    """The `Failure` that stands for what the SDK, the network or our own code raised."""
    import anthropic
    import httpx2

    name = type(error).__name__
    if isinstance(error, anthropic.APIStatusError):
        return reported(
            text_or_none(error.type) or TYPE_OF_STATUS.get(error.status_code),
            error_code=text_or_none(error.error_code),
            status=error.status_code,
            retry_after=retry_after(error.response.headers),
        )
    if isinstance(error, anthropic.APITimeoutError | httpx2.TimeoutException | TimeoutError):
        return Failure("timed_out", name)
    if isinstance(error, anthropic.APIConnectionError):
        cause = error.__cause__
        return classify(cause) if isinstance(cause, httpx2.HTTPError) else Failure("unavailable", name)
    if isinstance(error, anthropic.CredentialsError | httpx2.LocalProtocolError | httpx2.UnsupportedProtocol):
        return Failure("misconfigured", f"{name}: check ANTHROPIC_API_KEY and ANTHROPIC_BASE_URL")
    if isinstance(error, httpx2.HTTPError | httpx2.StreamError | json.JSONDecodeError | UnicodeDecodeError):
        return Failure("unavailable", name)
    return Failure("unexpected", name)


def text_or_none(value: object) -> str | None:
    """What the API sends is used only where it is of the kind that its documentation says."""
    return value if isinstance(value, str) else None


def reported(
    error_type: str | None, *, error_code: str | None = None, status: int = 200, retry_after: float | None = None
) -> Failure:
    """The `Failure` for an error that the API itself reports, as a status or as an event inside a stream.

    The type decides before the status does: an error inside a stream has the status 200.
    """
    detail = f"{status} {error_code or error_type}"
    if (error_code or "").endswith(SPEND_LIMITS):
        error_type = "spend_limit"
    if error_type in TO_ACT_ON:
        kind, what = TO_ACT_ON[error_type]
        return Failure(kind, f"{detail}: check {what}")
    if error_type == "rate_limit_error":
        return Failure("rate_limited", detail, retry_after=retry_after)
    return Failure("unavailable", detail)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """How long the API asks to wait, in seconds, or None where it says nothing that can be read.

    https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Retry-After
    """
    text = headers.get("retry-after", "")
    readings = (
        lambda: float(headers.get("retry-after-ms", "")) / 1000,
        lambda: float(text),
        lambda: parsedate_to_datetime(text).timestamp() - time.time(),
    )
    for reading in readings:
        with suppress(ValueError, OverflowError):
            seconds = reading()
            return seconds if 0 < seconds < math.inf else None
    return None
