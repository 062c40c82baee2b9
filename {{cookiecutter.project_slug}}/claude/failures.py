"""Every way a call to Claude can fail: what the user reads, the status, the log level.

One table serves JSON, streams and the command line. What the SDK raises never leaves this package: its exceptions carry
the key, the prompt and the API's own words, so `claude.calls.open` raises a `Failure` in their place.

https://platform.claude.com/docs/en/api/errors
"""

import json
import logging
import math
import re
import time
import traceback
from collections.abc import Mapping
from contextlib import suppress
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class Row(NamedTuple):
    """One row of the table: an HTTP status, the public sentence, and the level of the line in the log."""

    status: int
    sentence: Promise
    level: int


TABLE = {
    "misconfigured": Row(500, _("Service misconfigured"), logging.ERROR),
    "not_found": Row(502, _("AI service unavailable"), logging.ERROR),
    "rate_limited": Row(429, _("Too many requests, please try again in a moment"), logging.WARNING),
    "unavailable": Row(502, _("AI service unavailable"), logging.WARNING),
    "timed_out": Row(504, _("The answer took too long"), logging.WARNING),
    "restarting": Row(503, _("The server is restarting, please ask again in a moment"), logging.WARNING),
    "unexpected": Row(500, _("Something went wrong"), logging.ERROR),
    "all_thinking": Row(
        502,
        _("Claude used its whole budget to think, and has no answer: please ask something simpler or more precise"),
        logging.WARNING,
    ),
    # Of an answer that must fit a schema.
    "declined": Row(422, _("Claude declined to answer this question"), logging.INFO),
    "cut_off": Row(502, _("The answer was too long and was cut off"), logging.WARNING),
    "misfit": Row(502, _("AI service unavailable"), logging.WARNING),
}

# Why the API refuses a call: the row of the table, and what the log says about it.
CAUSES = {
    "key": ("misconfigured", "check ANTHROPIC_API_KEY"),
    "permission": (
        "misconfigured",
        "check what the workspace of ANTHROPIC_API_KEY may use and from which region, and ANTHROPIC_MODEL",
    ),
    "credit": ("misconfigured", "check the account's credit, https://platform.claude.com/settings/billing"),
    "limits": ("misconfigured", "check the spend limits, https://platform.claude.com/settings/limits"),
    "organization": ("misconfigured", "check whether the organization of ANTHROPIC_API_KEY is disabled or on hold"),
    "region": ("misconfigured", "check whether the API serves the region of this server"),
    "address": ("misconfigured", "check ANTHROPIC_BASE_URL and the proxy on the way"),
    "system": ("misconfigured", "check CLAUDE_SYSTEM_PROMPT"),
    "max_tokens": ("misconfigured", "check CLAUDE_MAX_TOKENS"),
    "model": ("not_found", "check ANTHROPIC_MODEL and ANTHROPIC_BASE_URL"),
    "rate": ("rate_limited", ""),
    "too_long": ("unavailable", "the question with its history is too long for the model"),
    "filtered": ("unavailable", "the API's content filter blocked the answer"),
    "overloaded": ("unavailable", ""),
    "busy": ("unavailable", ""),
}
# How a cause is known, the surest sign first: patterns that the whole code, type or status matches, and the beginning of
# the message, which counts only where nothing else tells. Gateways have types of their own, and "None" for none.
BY_CODE = {
    r"\w*spend_limit_reached": "limits",
    r"linked_organization_billing_unavailable|user_profile_(not_billable|billing_not_authorized)": "credit",
    r"organization_(on_hold|type_not_supported|not_eligible)|parent_organization_required": "organization",
    r"region_not_supported|unsupported_region": "region",
    r"ramp_limit_exceeded": "rate",
}
BY_TYPE = {
    r"authentication_error|auth_error": "key",
    r"permission_error|forbidden": "permission",
    r"billing_error": "credit",
    r"not_found_error": "model",
    r"rate_limit_error": "rate",
    r"request_too_large": "too_long",
    r"overloaded_error": "overloaded",
    r"timeout_error": "busy",
}
BY_STATUS = {
    r"401": "key",
    r"402": "credit",
    r"403": "permission",
    r"404|410": "model",
    r"413": "too_long",
    r"429": "rate",
    r"529": "overloaded",
    r"3..|405|407|421|426|511": "address",
}
BY_MESSAGE = {
    r"your credit balance is too low": "credit",
    r"you( ha|')ve reached your specified|(exceededbudget: )?budget has been exceeded": "limits",
    r"(this|your) (organization|account|workspace) (has been|is) (disabled|suspended|on hold)": "organization",
    r"system[.:]": "system",
    r"`?max_tokens\b": "max_tokens",
    r"model\b|the (\w+ )?model\b|(/\S+: )?(invalid|unknown) model|\S+ is not a valid model|claude .{1,40} is not": "model",
    r"prompt is too long|input (is too long|length and)": "too_long",
    r"output blocked by content filter": "filtered",
}
# A gateway quotes the API's whole answer after words of its own.
QUOTED = r'(?is)(.{0,500}"message": ?")?'


class Failure(Exception):
    """A call that gave no whole answer. Safe to show, to log and to pickle.

    `kind` names the row of `TABLE`; `status` and `sentence` are what the user gets; `detail` is for the log;
    `anthropic_request_id` is Anthropic's id of the call, or None; `retry_after` is in seconds, or None; `usage` is what
    the call is charged for all the same, a `claude.answers.Usage`, or None; `cause` names the one of CAUSES, or is empty.
    """

    anthropic_request_id: str | None = None
    usage: Any = None
    cause = ""

    def __init__(self, kind: str, detail: str = "", *, retry_after: float | None = None) -> None:
        super().__init__(kind, detail)
        self.kind = kind
        self.detail = detail
        self.status, sentence, self.level = TABLE[kind]
        self.sentence = str(sentence)  # in the language of the request: it may be sent after that has ended
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
        return reported(error.body, status=error.status_code, retry_after=retry_after(error.response.headers))
    if isinstance(error, anthropic.APITimeoutError | httpx2.TimeoutException | TimeoutError):
        return Failure("timed_out", name)
    if isinstance(error, anthropic.APIConnectionError):
        cause = error.__cause__
        if isinstance(cause, Failure):
            return cause
        if isinstance(cause, httpx2.HTTPError):
            return classify(cause)
        return Failure("unavailable", type(cause or error).__name__)
    if isinstance(error, anthropic.CredentialsError | httpx2.LocalProtocolError | httpx2.UnsupportedProtocol):
        return Failure("misconfigured", f"{name}: check ANTHROPIC_API_KEY and ANTHROPIC_BASE_URL")
    if isinstance(error, httpx2.HTTPError | httpx2.StreamError | UnicodeDecodeError | RecursionError) or is_json(error):
        return Failure("unavailable", name)
    return Failure("unexpected", name)


def is_json(error: Exception) -> bool:
    """Whether an error comes of reading JSON, as of a number of thousands of digits."""
    return isinstance(error, json.JSONDecodeError) or "json.decoder" in modules_of(error)


def modules_of(error: BaseException) -> list[str]:
    """The modules that an error passed through; the last one raised it."""
    return [frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_tb(error.__traceback__)]


def reported(body: object, *, status: int = 200, retry_after: float | None = None) -> Failure:
    """The `Failure` for an error that the API itself reports, as a status or as an event inside a stream.

    `body` is what it sent, whatever that is. An error inside a stream has the status 200.
    """
    code, error_type = text_at(body, "error", "details", "error_code"), text_at(body, "error", "type")
    message = text_at(body, "error", "message") or text_at(body, "message") or text_at(body, "error")
    signs = [
        *((pattern, code, cause) for pattern, cause in BY_CODE.items()),
        *((pattern, error_type, cause) for pattern, cause in BY_TYPE.items()),
        *((pattern, str(status), cause) for pattern, cause in BY_STATUS.items()),
        *((f"{QUOTED}({pattern}).*", message[:2000], cause) for pattern, cause in BY_MESSAGE.items()),
    ]
    cause = next((cause for pattern, text, cause in signs if re.fullmatch(pattern, text)), "busy")
    kind, hint = CAUSES[cause]
    # A name may stand in the log, and no other words of the API.
    name = next((text for text in (code, error_type) if re.fullmatch("[a-z_]{1,60}", text)), "")
    detail = f"{status} {name}".strip() + (hint and f": {hint}")
    failure = Failure(kind, detail, retry_after=retry_after if kind == "rate_limited" else None)
    failure.cause = cause
    return failure


def value_at(value: Any, *path: str) -> Any:
    """What stands at a place of some JSON, None where nothing does."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None  # the type that JSON gives: once for each token
    return value


def text_at(value: object, *path: str) -> str:
    """The text at a place of what the API sent, empty where there is none."""
    text = value_at(value, *path)
    return text if isinstance(text, str) else ""


def will_last(body: bytes, status: int) -> bool:
    """Whether another attempt would be refused, too, until somebody acts."""
    content = None
    with suppress(ValueError, RecursionError):
        content = json.loads(body)
    return reported(content, status=status).level >= logging.ERROR


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
