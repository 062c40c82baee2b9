"""The steps that a test can script: what the server does with one request, each with a name.

A step is data. Python tests make it from these classes, others from the JSON that `to_json` shows. `plan.py` says
what each means on the wire, and README.md has the table.

`after` counts text deltas: the fault follows the delta of that number at once, so `after=0` comes before the first
of them. `after=None` comes before anything is sent, headers included. `answer` is the answer that goes wrong, with
its own pace and gate.
"""

import re
from dataclasses import MISSING, dataclass, field, fields
from types import UnionType
from typing import Any, ClassVar, get_args, get_origin, get_type_hints

from .messages import STATUS_OF, type_of

UPSTREAM_MESSAGE = "Words of the API that no user may see"
"""The message of every error, unless a step says otherwise; a test can look for it where it must not be."""

FOREVER = 3600.0  # seconds; longer than any test

STEPS: dict[str, type["Step"]] = {}


@dataclass(frozen=True)
class Step:
    """What happens to one request."""

    name: ClassVar[str]

    def __init_subclass__(cls) -> None:
        cls.name = re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()
        STEPS[cls.name] = cls

    def to_json(self) -> dict[str, Any]:
        """This step as JSON, without what is as usual."""
        found: dict[str, Any] = {"step": self.name}
        for item in fields(self):
            value = getattr(self, item.name)
            default = item.default_factory() if item.default_factory is not MISSING else item.default
            if value != default:
                found[item.name] = value.to_json() if isinstance(value, Step) else value
        return found


@dataclass(frozen=True, kw_only=True)
class Answer(Step):
    """An answer with nothing wrong. Times are in seconds; without any, all is sent at once."""

    text: str | None = None
    """What it says; None names the question."""
    deltas: list[str] | None = None
    """The exact deltas, in place of `text`."""
    length: int = 0
    """So many deltas, in place of `text`; each is "word ", and costs next to nothing to send."""
    thinking: str = ""
    """Thought before the text, a token a word; takes its part of `max_tokens` and may leave nothing of it."""
    display: str = "summarized"
    """How the thinking shows: "summarized", "omitted" (a signature alone) or "redacted"."""
    thinks_for: float = 0
    """Between the beginning of a thinking block and the rest of it."""
    blocks: list[dict[str, Any]] = field(default_factory=list)
    """Further content blocks after the text, of any type."""
    stop_reason: str = ""
    """In place of the one that `max_tokens` and `stop_sequences` give."""
    stop_details: dict[str, Any] | None = None
    stops_after: int | None = None
    """Only so many deltas come, as before a refusal."""
    fallback: str = ""
    """The API's own fallback: the model that was asked declines, and this one gives the answer in the same response."""
    fallback_after: int = 0
    """So many deltas came of the model that declines; they stay in a text block before the `fallback` block."""
    cache_miss: str = ""
    """The reason in `diagnostics`, where the request asks for them: "system_changed" and so on."""
    text_at_start: bool = False
    """The first delta comes inside `content_block_start`."""
    usage: dict[str, Any] = field(default_factory=dict)
    """Overrides single counts."""
    headers: dict[str, str] = field(default_factory=dict)
    """Further headers, or others in place of the server's."""
    held: bool = False
    """Nothing at all is sent before the test releases something."""
    gated: bool = False
    """Each delta waits until the test has released as many. (An answer in JSON waits for one.)"""
    delay: float = 0
    """Before the headers."""
    first_after: float = 0
    """Between the headers and the first delta."""
    pause: float = 0
    """Between deltas: 0.02 is 50 a second, kept on schedule."""
    pings: float = 0
    """While nothing else is sent in a stream, a ping this often."""
    unknown: bool = False
    """With an event, a content block and a delta of types that nobody knows yet."""
    crlf: bool = False
    """Lines end in CR LF, with comments and ids between events."""
    event_names: bool = True
    """False leaves out the `event:` lines."""
    fragment: int = 0
    """Sends the stream in writes of so many bytes, cutting events and characters."""
    blob: bool = False
    """Sends the whole stream in one write."""


NORMAL = Answer()


@dataclass(frozen=True)
class Refusal(Step):
    """The model refuses, after so many deltas: status 200 and stop reason "refusal"."""

    category: str | None = "general_harms"
    after: int = 0
    answer: Answer = field(default=NORMAL, kw_only=True)


@dataclass(frozen=True)
class Status(Step):
    """An error with its envelope, or a redirect. Exactly one `retry_after…` is sent, in the form that was given."""

    status: int
    type: str = ""
    """Of the error; by the status, unless given."""
    message: str = UPSTREAM_MESSAGE
    error_code: str = ""
    """In `error.details`, as with "enforced_spend_limit_reached"."""
    retry_after: float | str | None = field(default=None, kw_only=True)
    """A number of seconds, or any text."""
    retry_after_date: float | None = field(default=None, kw_only=True)
    """As an HTTP date, so many seconds from now."""
    retry_after_ms: float | str | None = field(default=None, kw_only=True)
    should_retry: bool | None = field(default=None, kw_only=True)
    """The header `x-should-retry`."""
    headers: dict[str, str] = field(default_factory=dict, kw_only=True)
    body: str | None = field(default=None, kw_only=True)
    """In place of the envelope; sent as HTML when it begins with "<"."""
    breaks: bool = field(default=False, kw_only=True)
    """The connection is reset in the middle of the body."""

    @property
    def kind(self) -> str:
        """The type of the error."""
        return self.type or type_of(self.status)


@dataclass(frozen=True)
class Reset(Step):
    """The connection is reset (RST). JSON breaks after half of the body when `after` is a number."""

    after: int | None = None
    answer: Answer = NORMAL


@dataclass(frozen=True)
class Close(Step):
    """The connection is closed (FIN) in the middle of the answer. `after` as with Reset."""

    after: int | None = None
    answer: Answer = NORMAL


@dataclass(frozen=True)
class Silence(Step):
    """Nothing is sent for so many seconds; then the answer goes on."""

    seconds: float = FOREVER
    after: int | None = None
    answer: Answer = NORMAL


@dataclass(frozen=True)
class Pings(Step):
    """Nothing but a ping every so many seconds. JSON has no pings: it is silent after its headers."""

    every: float
    seconds: float = FOREVER
    after: int = 0
    answer: Answer = NORMAL


@dataclass(frozen=True)
class HalfEvent(Step):
    """Half of an event (JSON: half of the body), then the "end" of the answer, a "close" or a "reset"."""

    after: int = 1
    then: str = "end"
    answer: Answer = NORMAL


@dataclass(frozen=True)
class BadJson(Step):
    """An event whose data is not JSON (JSON: such a body), and the rest of the answer."""

    after: int = 1
    answer: Answer = NORMAL


@dataclass(frozen=True)
class BadUtf8(Step):
    """A text delta whose bytes are not UTF-8 (JSON: such a text), and the rest of the answer."""

    after: int = 1
    answer: Answer = NORMAL


@dataclass(frozen=True)
class ErrorEvent(Step):
    """An `error` event inside a 200 stream, its first event when `after` is None. JSON gets the error's own status."""

    type: str = "overloaded_error"
    after: int | None = None
    message: str = UPSTREAM_MESSAGE
    answer: Answer = NORMAL


@dataclass(frozen=True)
class NoMessageStop(Step):
    """The stream ends well-formed, but without `message_stop`; after None it lacks only that. JSON is whole."""

    after: int | None = None
    answer: Answer = NORMAL


@dataclass(frozen=True)
class Body(Step):
    """Status 200 and a body that is no answer."""

    body: str = ""
    content_type: str = "text/plain"


@dataclass(frozen=True)
class Html(Body):
    """What a captive portal or a proxy answers in place of the API."""

    body: str = "<!doctype html><html><title>Sign in to the network</title><p>Welcome.</html>"
    content_type: str = "text/html; charset=utf-8"


@dataclass(frozen=True)
class BrokenJson(Body):
    body: str = '{"id": "msg_01", "type": "mess'
    content_type: str = "application/json"


@dataclass(frozen=True)
class EmptyObject(Body):
    body: str = "{}"
    content_type: str = "application/json"


@dataclass(frozen=True)
class Expired(Step):
    """Of an item of a batch: its day is over."""


@dataclass(frozen=True)
class Canceled(Step):
    """Of an item of a batch: it was canceled before its turn."""


class BadScript(ValueError):
    """A script that cannot be followed; says why."""


def from_json(data: Any) -> Step:
    """The step that JSON describes; raises BadScript."""
    if not isinstance(data, dict) or data.get("step") not in STEPS:
        raise BadScript(f"a step is an object whose `step` is one of {', '.join(STEPS)}; not {data!r:.200}")
    kind = STEPS[data["step"]]
    values = {name: value for name, value in data.items() if name != "step"}
    hints = {item.name: get_type_hints(kind)[item.name] for item in fields(kind)}
    if isinstance(values.get("answer"), dict):
        values["answer"] = from_json(values["answer"] | {"step": "answer"})
    for name, value in values.items():
        if name not in hints:
            raise BadScript(f"step {kind.name} has no field {name}; it has {', '.join(hints)}")
        if not _fits(value, hints[name]):
            raise BadScript(f"step {kind.name}: {name} cannot be {value!r:.200}")
    try:
        step = kind(**values)
    except TypeError as error:
        raise BadScript(f"step {kind.name}: {error}") from None
    if isinstance(step, ErrorEvent) and step.type not in STATUS_OF:
        raise BadScript(f"the type of an error event is one of {', '.join(STATUS_OF)}; not {step.type}")
    answer = getattr(step, "answer", step)
    if isinstance(answer, Answer) and answer.display not in ("summarized", "omitted", "redacted"):
        raise BadScript(f"thinking is summarized, omitted or redacted; not {answer.display}")
    if isinstance(step, HalfEvent) and step.then not in ("end", "close", "reset"):
        raise BadScript(f"after half an event comes end, close or reset; not {step.then}")
    return step


def _fits(value: Any, hint: Any) -> bool:
    """Whether JSON gave the type that a field has; a whole number is also a float, true is no number."""
    allowed = {get_origin(option) or option for option in (get_args(hint) if isinstance(hint, UnionType) else [hint])}
    if float in allowed:
        allowed.add(int)
    return type(value) in allowed
