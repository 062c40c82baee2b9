"""Says what is wrong with a cell of the matrix: what the table promises, compared with what was heard."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from claude_server.client import KEY
from claude_server.script import UPSTREAM_MESSAGE

from .asking import Heard
from .causes import PROMPT, ROWS, SAID, Cause, Refusal, Retried

SECRETS = {
    "the key": KEY,
    "the prompt": PROMPT,
    "the API's words": UPSTREAM_MESSAGE,
    "a proxy's words": "Words of a proxy",
    "a portal's words": "Sign in to the network",
    **{f"the API's words about {name}": message for name, (message, _) in SAID.items()},
}
INTERNALS = {"a stack trace": "Traceback", "the model": "claude-sonnet", "the SDK": "anthropic"}


class Cell(NamedTuple):
    """What one cause came to in one variant, as JSON or as events."""

    cause: str
    variant: str
    surface: str
    shown: str
    """What the user read, in short."""
    problems: tuple[str, ...] = ()
    leaks: tuple[str, ...] = ()

    @property
    def good(self) -> bool:
        return not self.problems and not self.leaks

    @property
    def name(self) -> str:
        return f"{self.cause} [{self.variant}, {self.surface}]"


def leaks(place: str, text: str, secrets: dict[str, str] = SECRETS) -> list[str]:
    return [f"{what} is in {place}" for what, secret in secrets.items() if secret in text]


def leaks_of(heard: Heard) -> tuple[str, ...]:
    return (
        *leaks("the response", heard.text, SECRETS | INTERNALS),
        *leaks("the log", heard.log),
    )


def short(heard: Heard) -> str:
    """The status that the user was told; "…" says that text came before it."""
    try:
        *before, last = heard.events
    except ValueError:
        return "?"
    status = last.get("status", heard.status) if isinstance(last, dict) else heard.status
    return f"{'…' if before else ''}{status}"


def judge(cause: Cause, variant: str, surface: str, heard: Heard, exchanges: list[Any] | None = None) -> Cell:
    """The cell of a call that failed. `exchanges` are the requests that reached the API, None where nobody counts."""
    problems = [*wrong_reply(cause, surface, heard), *wrong_log(cause, heard, exchanges)]
    if exchanges is not None and len(exchanges) != 1:
        problems.append(f"expected 1 request at the API, got {len(exchanges)}")
    return Cell(cause.name, variant, surface, short(heard), tuple(problems), leaks_of(heard))


def wrong_reply(cause: Cause, surface: str, heard: Heard) -> Iterator[str]:
    row = ROWS[cause.row]
    streamed = surface == "events" and (cause.arrives or cause.thinks)
    end = {"error": row.sentence, "status": row.status}
    if heard.cut:
        yield f"expected a whole response, got {heard.cut}"
        return
    yield from differs("type", "text/event-stream" if streamed else "application/json", heard.kind)
    yield from differs("status", 200 if streamed else row.status, heard.status)
    try:
        *before, last = heard.events
    except ValueError as error:
        yield f"expected JSON, got {error}"
        return
    yield from differs("end", end, last)
    others = [event for event in before if not isinstance(event, dict) or set(event) != {"delta"}]
    expected = [{"status": "thinking"}] if streamed and cause.thinks else []
    yield from differs("events other than text before the end", expected, others)
    arrived = "".join(event["delta"] for event in before if event not in others)
    yield from differs("text before the end", cause.arrives if streamed else "", arrived)
    yield from wrong_retry_after(cause, heard)


def wrong_retry_after(cause: Cause, heard: Heard) -> Iterator[str]:
    found = heard.headers.get("Retry-After")
    if cause.retry_after is None:
        yield from differs("Retry-After", None, found)
    elif found is None or not found.isdigit() or int(found) not in cause.retry_after:
        yield f"Retry-After: expected {cause.retry_after}, got {found}"


def wrong_log(cause: Cause, heard: Heard, exchanges: list[Any] | None) -> Iterator[str]:
    """One line, at its level, that finds the cause; nothing else is an error."""
    lines = [record for record in heard.records if record.logger == "claude" or record.level == "ERROR"]
    yield from differs("lines in the log", ["claude"], [record.logger for record in lines])
    if len(lines) != 1:
        return
    record = lines[0]
    yield from differs("level", ROWS[cause.row].level, record.level)
    request_id = exchanges[-1].request_id if exchanges and cause.identified else None
    for words in (f"Claude call failed: {cause.row}, ", cause.log, f"request id {request_id}"):
        if words not in record.message:
            yield f"log: expected {words!r} in {record.message!r}"


def judge_refusal(refusal: Refusal, variant: str, surface: str, heard: Heard, exchanges: list[Any]) -> Cell:
    """The cell of a request that never got as far as Claude."""
    expected = {
        "status": refusal.status,
        "type": "application/json",
        "end": [{"error": refusal.sentence, "status": refusal.status}],
        "requests at the API": 0,
    }
    events = heard.events if heard.kind == "application/json" else heard.body
    got = {"status": heard.status, "type": heard.kind, "end": events, "requests at the API": len(exchanges)}
    problems = [problem for name in expected for problem in differs(name, expected[name], got[name])]
    lines = [record for record in heard.records if refusal.log in record.message]
    problems += differs("lines in the log", ["INFO"], [record.level for record in lines])
    problems += differs("loud lines", [], [record for record in heard.records if record.level == "ERROR"])
    return Cell(refusal.name, variant, surface, short(heard), tuple(problems), leaks_of(heard))


def judge_attempts(retried: Retried, variant: str, surface: str, heard: Heard, exchanges: list[Any]) -> Cell:
    """The cell of a call that may be tried again: how often, always under one idempotency key, and one line."""
    problems = [
        *differs("requests at the API", retried.attempts, len(exchanges)),
        *differs("idempotency keys", 1, len({exchange.idempotency_key for exchange in exchanges})),
        *differs("lines in the log", 1, len([record for record in heard.records if record.logger == "claude"])),
    ]
    return Cell(again(retried.name), variant, surface, f"{len(exchanges)}×", tuple(problems), leaks_of(heard))


def again(name: str) -> str:
    """What a cause is called where calls may be made again."""
    return f"{name}, again"


def differs(what: str, expected: Any, got: Any) -> list[str]:
    return [] if expected == got else [f"{what}: expected {expected!r}, got {got!r}"]
