"""What is written down about each request and its socket. The server fills these in; a test reads them as JSON.

All times are seconds of `time.monotonic()`, which every process of one machine shares, so a test can compare them
with its own clock.
"""

import hashlib
from dataclasses import asdict, dataclass
from typing import Any

SECRET_HEADERS = ("authorization", "x-api-key", "proxy-authorization", "cookie")


@dataclass
class Socket:
    """One connection: which it was, and who closed it, when and how ("fin" or "reset")."""

    number: int
    opened_at: float
    closed_at: float | None = None
    closed_by: str | None = None
    """"client", "server" or None while it is open."""
    closed_how: str | None = None


@dataclass
class Exchange:
    """One request and what became of it."""

    index: int
    """Which request of its lane it was, from 0."""
    request_id: str
    """The `request-id` that it was answered with."""
    method: str
    path: str
    endpoint: str
    """"messages", "count_tokens", "models", "cost" or "unknown"."""
    headers: dict[str, str]
    """Names in lower case; secrets are replaced by their fingerprint."""
    key: str | None
    """The fingerprint of the bearer key: `record.fingerprint(key)`."""
    body: Any
    """Its JSON, or None."""
    prompt: str
    """The text of the last user turn."""
    stream: bool
    retry_count: int
    """The SDK's own count of attempts before this one."""
    idempotency_key: str | None
    arrived_at: float
    socket: Socket
    step: str = "answer"
    """The name of the step that decided the answer; "refused" when the request was at fault."""
    status: int | None = None
    """The HTTP status sent, or None when there was none."""
    error: str | None = None
    """The type of the error that was answered, or sent as an event."""
    usage: dict[str, Any] | None = None
    """The usage of the whole answer, whether or not all of it arrived."""
    answered_at: float | None = None
    """When the headers were sent."""
    first_delta_at: float | None = None
    last_delta_at: float | None = None
    deltas: int = 0
    """Text deltas sent."""
    finished: bool = False
    """Whether the last event of the answer (`message_stop`, or all of its JSON) was sent."""
    ended_at: float | None = None
    """When the server had no more to send, or nobody to send it to."""
    outcome: str = "open"
    """"open", "answered", "client left", "server closed" or "server reset"."""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Exchange":
        return cls(**data | {"socket": Socket(**data["socket"])})


def fingerprint(secret: str) -> str:
    """A name for a secret that does not give it away."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def masked(headers: dict[str, str]) -> dict[str, str]:
    """The headers with the fingerprint in place of each secret."""
    return {
        name: f"sha256:{fingerprint(value)}" if name in SECRET_HEADERS else value for name, value in headers.items()
    }


def bearer(headers: dict[str, str]) -> str | None:
    """The key of an `Authorization: Bearer …` header."""
    kind, _, key = headers.get("authorization", "").partition(" ")
    return key.strip() or None if kind.lower() == "bearer" else None
