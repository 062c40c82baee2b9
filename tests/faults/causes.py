"""What can go wrong, and what the user and the log then get. Data only, in the words of the design."""

from collections.abc import Iterator
from dataclasses import replace
from http import HTTPStatus
from typing import NamedTuple

from claude_server.messages import STATUS_OF
from claude_server.script import (
    UPSTREAM_MESSAGE,
    Answer,
    BadJson,
    BadUtf8,
    Body,
    BrokenJson,
    Close,
    EmptyObject,
    ErrorEvent,
    HalfEvent,
    Html,
    NoMessageStop,
    Pings,
    Reset,
    Silence,
    Status,
    Step,
)
from claude_server.script import Refusal as Declined

TIMEOUT = 1.0  # seconds of silence
DEADLINE = 4.0  # seconds for a whole call
LONGEST = 400  # characters of a question

PROMPT = "The question that no log may hold"


class Row(NamedTuple):
    """What a user gets, and how loud the log is."""

    status: int
    sentence: str
    level: str


ROWS = {
    "misconfigured": Row(500, "Service misconfigured", "ERROR"),
    "rate_limited": Row(429, "Too many requests, please try again in a moment", "WARNING"),
    "not_found": Row(502, "AI service unavailable", "ERROR"),
    "unavailable": Row(502, "AI service unavailable", "WARNING"),
    "timed_out": Row(504, "The answer took too long", "WARNING"),
    "restarting": Row(503, "The server is restarting, please ask again in a moment", "WARNING"),
    "unexpected": Row(500, "Something went wrong", "ERROR"),
    "all_thinking": Row(
        502,
        "Claude used its whole budget to think, and has no answer: please ask something simpler or more precise",
        "WARNING",
    ),
    "declined": Row(422, "Claude declined to answer this question", "INFO"),
    "cut_off": Row(502, "The answer was too long and was cut off", "WARNING"),
    "misfit": Row(502, "AI service unavailable", "WARNING"),
}


class Cause(NamedTuple):
    """Something that goes wrong with one call, and the row of the table that it belongs to."""

    name: str
    row: str
    step: Step | None = None
    schema: bool = False
    """Whether it can happen only to a question that asks for a schema, as no view does."""
    arrives: str = ""
    """The text that reads as events before the failure."""
    thinks: bool = False
    """Whether these events say that Claude thinks. Without any event, the failure is plain JSON with its status."""
    log: str = ""
    """Words of the log's line, besides its level and the request id."""
    retry_after: range | None = None
    """What the header may say, in seconds; None when it must not be there."""
    identified: bool = True
    """Whether the API gets as far as to name the call."""


WORDS = Answer(deltas=["The ", "sky ", "is ", "blue."])
THOUGHTS = replace(WORDS, thinking=UPSTREAM_MESSAGE)
SILENT, TOO_LATE = "timed_out, ReadTimeout", "timed_out, TimeoutError"
"""What the log says where Claude was silent, and where its time was up."""
PAGE = "<html><title>Bad gateway</title>Words of a proxy</html>"
DEEP = "[" * 100_000
NUMBER = "1" * 9_999
ODD_ERRORS = [
    '{"error": {"type": ["Words of a proxy"], "message": {}, "details": 5}}',
    '{"error": {"type": "Words of a proxy", "details": {"error_code": ["Words of a proxy"]}}}',
    '"Words of a proxy"',
    '[{"error": 5}]',
    '{"error": {"type": "\\ud800", "message": "\\ud800 Words of a proxy"}}',
    '{"error": %s}' % ("[" * 5_000),
]
"""What an error's body may hold where a proxy made it."""
EVENTS = "text/event-stream"
JSON = "application/json"
INVALID = "invalid_request_error"


def exactly(seconds: int) -> range:
    return range(seconds, seconds + 1)


# The API's own words, as people report them, and what the log then says to check.
SAID = {
    "no credit": (
        "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade.",
        "check the account's credit",
    ),
    "usage limit": (
        "You have reached your specified API usage limits. You will regain access on 2030-01-01 at 00:00 UTC.",
        "check the spend limits",
    ),
    "usage limit of a workspace": (
        "You have reached your specified workspace API usage limits. You will regain access on 2030-01-01.",
        "check the spend limits",
    ),
    "disabled": ("This organization has been disabled.", "check whether the organization"),
    "blank system prompt": (
        "system: text content blocks must contain non-whitespace text",
        "check CLAUDE_SYSTEM_PROMPT",
    ),
    "max_tokens": ("max_tokens: 1000000 > 64000, which is the maximum of output tokens", "check CLAUDE_MAX_TOKENS"),
}


def misconfigured() -> list[Cause]:
    spending = "check the spend limits"
    return [
        Cause("401", "misconfigured", Status(401), log="401 authentication_error: check ANTHROPIC_API_KEY"),
        Cause("401 of a proxy", "misconfigured", Status(401, body=PAGE), log="check ANTHROPIC_API_KEY"),
        Cause("402", "misconfigured", Status(402), log="402 billing_error: check the account's credit"),
        Cause("402 of a proxy", "misconfigured", Status(402, body=PAGE), log="check the account's credit"),
        Cause("403", "misconfigured", Status(403), log="403 permission_error: check what the workspace"),
        Cause("403 of a proxy", "misconfigured", Status(403, body=PAGE), log="check what the workspace"),
        *(
            Cause(f"429 {code}", "misconfigured", Status(429, error_code=code), log=f"429 {code}: {spending}")
            for code in ("enforced_spend_limit_reached", "contract_spend_limit_reached")
        ),
        *said(),
        Cause(
            "403 forbidden", "misconfigured", Status(403, "forbidden"), log="403 forbidden: check what the workspace"
        ),
        Cause("401 auth_error", "misconfigured", Status(401, "auth_error"), log="check ANTHROPIC_API_KEY"),
        Cause("400 on hold", "misconfigured", Status(400, error_code="organization_on_hold"), log="organization"),
        *(
            Cause(str(code), "misconfigured", Status(code), log="check ANTHROPIC_BASE_URL and the proxy")
            for code in (405, 407, 511)
        ),
        Cause(
            "307", "misconfigured", Status(307, headers={"location": "/elsewhere"}), log="307: check ANTHROPIC_BASE_URL"
        ),
        Cause("308", "misconfigured", Status(308), log="308: check ANTHROPIC_BASE_URL"),
    ]


def said() -> Iterator[Cause]:
    """What only words tell apart, as a status and inside a stream. LiteLLM gives the type "None"."""
    for name, (message, words) in SAID.items():
        yield Cause(f"400, {name}", "misconfigured", Status(400, message=message), log=f"400 {INVALID}: {words}")
        yield Cause(f"400, {name}, type None", "misconfigured", Status(400, "None", message), log=f"400: {words}")
        step = ErrorEvent(INVALID, 2, message, answer=WORDS)
        yield Cause(f"{name} in the middle", "misconfigured", step, arrives="The sky ", log=f"200 {INVALID}: {words}")


def limited() -> list[Cause]:
    """Every form of Retry-After, and what of it is passed on."""
    forms: list[tuple[str, Status, range | None]] = [
        ("429", Status(429), None),
        ("429 of a proxy", Status(429, body=PAGE), None),
        ("429 budget_exceeded", Status(429, "budget_exceeded", retry_after=7), exactly(7)),
        ("429 ramp_limit_exceeded", Status(429, error_code="ramp_limit_exceeded", retry_after=7), exactly(7)),
        ("429 of Bedrock", Status(429, body='{"message": "Too many tokens"}'), None),
        ("429 of Vertex", Status(429, body='[{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED"}}]'), None),
        ("429, after 7", Status(429, retry_after=7), exactly(7)),
        ("429, after 0.2", Status(429, retry_after=0.2), exactly(1)),
        ("429, after 2500 ms", Status(429, retry_after_ms=2500), exactly(3)),
        ("429, after an hour", Status(429, retry_after=3600), exactly(3600)),
        ("429, after a date", Status(429, retry_after_date=90), range(60, 91)),
        ("429, after 0", Status(429, retry_after=0), None),
        ("429, after -5", Status(429, retry_after=-5), None),
        ("429, after soon", Status(429, retry_after="soon"), None),
        ("429, after inf", Status(429, retry_after="inf"), None),
        ("429, after nan", Status(429, retry_after="nan"), None),
        ("429, after a date gone by", Status(429, retry_after_date=-90), None),
        ("429, after no such date", Status(429, retry_after="Wed, 99 Oct 2099 25:61:00 GMT"), None),
        ("429, after soon ms and 7", Status(429, retry_after=7, headers={"retry-after-ms": "soon"}), exactly(7)),
    ]
    return [Cause(name, "rate_limited", step, log="429", retry_after=after) for name, step, after in forms]


def refused_by_the_api() -> list[Cause]:
    return [
        Cause("404", "not_found", Status(404), log="404 not_found_error: check ANTHROPIC_MODEL"),
        Cause(
            "404 of a proxy", "not_found", Status(404, body=PAGE), log="check ANTHROPIC_MODEL and ANTHROPIC_BASE_URL"
        ),
        Cause(
            "400, empty model",
            "not_found",
            Status(400, message="model: String should have at least 1 character"),
            log="check ANTHROPIC_MODEL",
        ),
        Cause(
            "400, model of a gateway",
            "not_found",
            Status(400, "None", "/v1/messages: Invalid model name passed in"),
            log="check ANTHROPIC_MODEL",
        ),
        Cause("400, too long", "unavailable", Status(400, message="prompt is too long: 2 > 1"), log="is too long"),
        Cause(
            "400, filter",
            "unavailable",
            Status(400, message="Output blocked by content filtering policy"),
            log="filter",
        ),
        *(
            Cause(str(code), "unavailable", Status(code), log=str(code))
            for code in (400, 408, 409, 413, 418, 422, 500, 501, 503, 504, 529)
        ),
        Cause("502 of a proxy", "unavailable", Status(502, body=PAGE), log="502"),
        Cause("503 without a type", "unavailable", Status(503, body="{}"), log="503"),
        Cause("503 that breaks off", "unavailable", Status(503, breaks=True)),
    ]


def error_events() -> list[Cause]:
    """Errors of every type inside a stream with status 200: as its first event, and in the middle."""
    rows = {"authentication_error": "misconfigured", "permission_error": "misconfigured"}
    rows |= {"billing_error": "misconfigured", "rate_limit_error": "rate_limited", "not_found_error": "not_found"}
    return [
        Cause(
            f"{kind} {'in the middle' if after else 'first'}",
            rows.get(kind, "unavailable"),
            ErrorEvent(kind, after, answer=WORDS),
            arrives="The sky " if after else "",
            log=f"200 {kind}",
        )
        for kind in STATUS_OF
        for after in (None, 2)
    ]


def broken_answers() -> list[Cause]:
    """What the network, a proxy or a fault of the API makes of an answer. `after` counts the pieces that arrive."""
    return [
        Cause("reset before headers", "unavailable", Reset(), identified=False),
        Cause("closed before headers", "unavailable", Close(), identified=False),
        Cause("reset before text", "unavailable", Reset(0)),
        Cause("closed before text", "unavailable", Close(0)),
        Cause("reset in the middle", "unavailable", Reset(2, WORDS), arrives="The sky "),
        Cause("closed in the middle", "unavailable", Close(2, WORDS), arrives="The sky "),
        *(
            Cause(f"half an event, {then}", "unavailable", HalfEvent(2, then, WORDS), arrives="The sky ")
            for then in ("end", "close", "reset")
        ),
        Cause("bad JSON first", "unavailable", BadJson(0)),
        Cause("bad JSON", "unavailable", BadJson(2, WORDS), arrives="The sky "),
        Cause("bad UTF-8", "unavailable", BadUtf8(2, WORDS), arrives="The sky "),
        Cause("HTML, 200", "unavailable", Html()),
        Cause("broken JSON, 200", "unavailable", BrokenJson()),
        Cause("{}, 200", "unavailable", EmptyObject()),
        Cause("null, 200", "unavailable", Body("null", JSON)),
        Cause("nothing, 200", "unavailable", Body("", JSON)),
        Cause("no text, no stop", "unavailable", NoMessageStop(0)),
        Cause("no message_stop", "unavailable", NoMessageStop(None, WORDS), arrives="The sky is blue."),
        Cause("cut without a word", "unavailable", NoMessageStop(2, WORDS), arrives="The sky "),
        Cause("events without names", "unavailable", Answer(event_names=False)),
        Cause("nested too deep, JSON", "unavailable", Body(DEEP, JSON)),
        Cause("a number of 9,999 digits, JSON", "unavailable", Body(f'{{"id": {NUMBER}}}', JSON)),
        Cause(
            "a number of 9,999 digits, event",
            "unavailable",
            Body(f'event: content_block_delta\ndata: {{"index": {NUMBER}}}\n\n', EVENTS),
        ),
        *(
            Cause(f"{status} of an odd shape {number}", "unavailable", Status(status, body=body))
            for number, body in enumerate(ODD_ERRORS)
            for status in (400, 529)
        ),
        *(
            Cause(f"an odd error event {number}", "unavailable", Body(f"event: error\ndata: {body}\n\n", EVENTS))
            for number, body in enumerate(ODD_ERRORS)
        ),
        Cause("content a string, JSON", "unavailable", Body('{"content": "Words of a proxy"}', JSON)),
        Cause(
            "nested too deep, event",
            "unavailable",
            Body(f"event: content_block_delta\ndata: {DEEP}\n\n", EVENTS),
        ),
    ]


def silences() -> list[Cause]:
    """Silence ends a call after TIMEOUT, and says so in the log; pings keep it alive until its DEADLINE."""
    return [
        Cause("silence before headers", "timed_out", Silence(), log="timed_out, APITimeoutError", identified=False),
        Cause("silence before text", "timed_out", Silence(after=0), log=SILENT),
        Cause("silence in the middle", "timed_out", Silence(after=2, answer=WORDS), arrives="The sky ", log=SILENT),
        Cause("silence while thinking", "timed_out", Silence(after=0, answer=THOUGHTS), thinks=True, log=SILENT),
        Cause("pings before text", "timed_out", Pings(0.2), log=TOO_LATE),
        Cause("pings in the middle", "timed_out", Pings(0.2, after=2, answer=WORDS), arrives="The sky ", log=TOO_LATE),
        Cause("pings while thinking", "timed_out", Pings(0.2, answer=THOUGHTS), thinks=True, log=TOO_LATE),
    ]


def thinking() -> list[Cause]:
    """What can go wrong while Claude thinks, and what is left when it has thought for too long."""
    overloaded = ErrorEvent("overloaded_error", 0, answer=THOUGHTS)
    all_of_it = Answer(thinking=UPSTREAM_MESSAGE, deltas=[], stop_reason="max_tokens")
    hidden = replace(all_of_it, display="omitted")
    return [
        Cause("all thinking", "all_thinking", all_of_it, thinks=True, log="raise CLAUDE_MAX_TOKENS"),
        Cause("all thinking, hidden", "all_thinking", hidden, thinks=True, log="lower CLAUDE_EFFORT"),
        Cause("reset while thinking", "unavailable", Reset(0, THOUGHTS), thinks=True),
        Cause("overloaded while thinking", "unavailable", overloaded, thinks=True, log="200 overloaded_error"),
    ]


def no_answer_to_a_schema() -> list[Cause]:
    """What is an answer to a question in words, and none to one that asks for a schema."""
    cut = Answer(text='{"answer": "The sk', stop_reason="max_tokens")
    full = Answer(text='{"answer": "The sk', stop_reason="model_context_window_exceeded")
    other = Answer(text=f'{{"{UPSTREAM_MESSAGE}": 1}}')
    return [
        Cause("declined, for a schema", "declined", Declined("cyber"), schema=True),
        Cause("cut off, for a schema", "cut_off", cut, schema=True),
        Cause("cut off at the window, for a schema", "cut_off", full, schema=True),
        Cause("another shape, for a schema", "misfit", other, schema=True),
        Cause("words, for a schema", "misfit", Answer(text=UPSTREAM_MESSAGE), schema=True),
        Cause("no text, for a schema", "misfit", Answer(deltas=[]), schema=True),
    ]


WRONG_KEY = Cause("a wrong key", "misconfigured", log="check ANTHROPIC_API_KEY")
REFUSED_PORT = Cause("a refused port", "unavailable", log="ConnectError", identified=False)
RESTART = Cause(
    "the server stops", "restarting", Answer(deltas=["The ", "sky "], gated=True, pings=0.2), arrives="The "
)

CAUSES = [
    *misconfigured(),
    WRONG_KEY,
    *limited(),
    *refused_by_the_api(),
    *error_events(),
    REFUSED_PORT,
    *broken_answers(),
    *silences(),
    *thinking(),
    *no_answer_to_a_schema(),
]


class Refusal(NamedTuple):
    """A request that the project refuses by itself: Claude is not asked, and the log says so quietly."""

    name: str
    status: int
    sentence: str
    prompt: str = PROMPT
    method: str = "POST"
    without: tuple[str, ...] = ()
    """The cookies that are missing."""

    @property
    def log(self) -> str:
        return f"refused: {self.status} {HTTPStatus(self.status).phrase}"


REFUSALS = [
    Refusal("an empty question", 400, "Please type a question first.", prompt=" \r\n"),
    Refusal(
        "a question too long",
        413,
        f"Your question has {LONGEST + 1} characters and {LONGEST} fit: please shorten it.",
        prompt=PROMPT.ljust(LONGEST + 1, "?"),
    ),
    Refusal("signed out", 401, "Please sign in again, then ask once more.", without=("my_claude_app_sessionid",)),
    Refusal("no CSRF token", 403, "Please reload the page, then ask once more.", without=("my_claude_app_csrftoken",)),
    Refusal("not a POST", 405, "This address answers to POST only.", method="GET"),
]


class Retried(NamedTuple):
    """How many requests reach the API for one question when a failed one may be tried again RETRIES times.

    None is once headers are there: every answer is a stream underneath, and the user may have read the beginning.
    """

    name: str
    step: Step
    attempts: int


RETRIES = 2

ATTEMPTS = [
    *(Retried(f"{code}", Status(code, retry_after_ms=1), 1) for code in (400, 401, 402, 403, 404, 413, 422)),
    *(Retried(f"{code}", Status(code, retry_after_ms=1), 3) for code in (408, 409, 429, 500, 501, 503, 504)),
    Retried("529 with pauses", Status(529), 3),
    Retried("529 not to be retried", Status(529, should_retry=False), 1),
    Retried("429 at a spend limit", Status(429, error_code="enforced_spend_limit_reached"), 1),
    Retried("429, after an hour", Status(429, retry_after=3600), 1),
    Retried("429, after an hour, by date", Status(429, retry_after_date=3600), 1),
    Retried("429, after inf", Status(429, retry_after="inf"), 3),
    Retried("429, after no such date", Status(429, retry_after="Wed, 99 Oct 2099 25:61:00 GMT"), 3),
    Retried("429, after soon ms and an hour", Status(429, retry_after=3600, headers={"retry-after-ms": "soon"}), 1),
    Retried("reset before headers", Reset(), 3),
    Retried("silence before headers", Silence(), 3),
    Retried("reset in the middle", Reset(2, WORDS), 1),
    Retried("overloaded_error first", ErrorEvent(), 1),
    Retried("HTML, 200", Html(), 1),
    Retried("{}, 200", EmptyObject(), 1),
]
