"""What goes to Claude and what comes back, as pure functions: sync and async calls share all of it.

https://platform.claude.com/docs/en/api/messages
"""

import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, TypedDict

from django.conf import settings
from django.utils.crypto import salted_hmac

from claude.failures import Failure, reported, text_at


@dataclass(frozen=True)
class Usage:
    """What a call is charged for, in tokens. `input_tokens` leaves out what the cache took in or gave back.

    https://platform.claude.com/docs/en/build-with-claude/prompt-caching#tracking-cache-performance
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cache_creation_input_tokens: int = 0
    cache_read_input_tokens: int = 0

    @property
    def all_input_tokens(self) -> int:
        return self.input_tokens + self.cache_creation_input_tokens + self.cache_read_input_tokens

    def as_dict(self) -> dict[str, int]:
        return asdict(self)

    def updated(self, counts: object) -> "Usage":
        """With newer counts of the API, a mapping or an object. What is no count is ignored: it costs no answer."""
        read = counts.get if isinstance(counts, Mapping) else lambda name: getattr(counts, name, None)
        newer = {field.name: read(field.name) for field in fields(self)}
        # JSON and databases hold no larger numbers.
        return replace(self, **{name: n for name, n in newer.items() if type(n) is int and 0 <= n < 2**53})

    def __add__(self, other: "Usage") -> "Usage":
        mine = self.as_dict()
        return Usage(**{name: mine[name] + count for name, count in other.as_dict().items()})


class Answer(str):
    """The text of an answer, which also knows what it took.

    `stop_reason` says why it ended: "end_turn" is a whole answer, "max_tokens" one cut off at its longest,
    "refusal" none. https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons
    """

    usage: Usage = Usage()
    stop_reason: str | None = None
    model: str | None = None
    anthropic_request_id: str | None = None

    def __new__(cls, text: str, **attributes: Any) -> "Answer":
        answer = super().__new__(cls, text)
        vars(answer).update(attributes)
        return answer

    def as_dict(self) -> dict[str, Any]:
        """The answer as JSON: `{"answer": text, "stop_reason": …, "usage": {…}}`."""
        return {"answer": str(self), "stop_reason": self.stop_reason, "usage": self.usage.as_dict()}


class Details(TypedDict, total=False):
    """What may be said of a request besides its two prompts; `build_request` says what each means."""

    history: Iterable[Mapping[str, str]]
    max_tokens: int | None
    idempotency_key: str | None
    user: Any


def build_request(
    user_prompt: str,
    system_prompt: str | None = None,
    *,
    history: Iterable[Mapping[str, str]] = (),
    max_tokens: int | None = None,
    idempotency_key: str | None = None,
    user: Any = None,
) -> dict[str, Any]:
    """The arguments of `messages.create`.

    `system_prompt` is CLAUDE_SYSTEM_PROMPT unless given, and is marked for the API's cache. `history` is the
    turns before this one, oldest first, each `{"role": "user" | "assistant", "content": text}`; any other role
    raises ValueError, as one that a client sent could speak for us. `max_tokens` is CLAUDE_MAX_TOKENS unless
    given. `idempotency_key` stays the same through every retry; each call gets its own unless one is given.
    The API gets an opaque name for `user`, never who they are.
    """
    turns = [{"role": turn["role"], "content": turn["content"]} for turn in history]
    if any(turn["role"] not in ("user", "assistant") for turn in turns):
        raise ValueError("A turn of the history has a role other than user and assistant.")
    system_prompt = settings.CLAUDE_SYSTEM_PROMPT if system_prompt is None else system_prompt
    request: dict[str, Any] = {
        "model": settings.ANTHROPIC_MODEL,
        "max_tokens": max_tokens or settings.CLAUDE_MAX_TOKENS,
        "messages": [*turns, {"role": "user", "content": user_prompt}],
        "extra_headers": {"anthropic-idempotency-key": idempotency_key or str(uuid.uuid4())},
    }
    if system_prompt:
        # https://platform.claude.com/docs/en/build-with-claude/prompt-caching
        request["system"] = [{"type": "text", "text": system_prompt, "cache_control": {"type": "ephemeral"}}]
    if user is not None:
        request["metadata"] = {"user_id": salted_hmac("claude.user", str(user.pk), algorithm="sha256").hexdigest()}
    return request


class AnswerReader:
    """Reads what comes back, as a whole message or event by event, and knows at each moment what has come.

    `model` is the one that answers; until that is known, the one that was asked. `is_whole` says whether the answer has
    come to its end.
    """

    def __init__(self, model: str | None = None) -> None:
        self.model = model
        self.anthropic_request_id: str | None = None
        self.stop_reason: str | None = None
        self.usage = Usage()
        self.is_whole = False
        self._pieces: list[str] = []

    @property
    def answer(self) -> Answer:
        """The whole answer. Raises `Failure` where there is none, as when a stream broke off."""
        if not self.is_whole:
            raise Failure("unavailable", "the stream ended before message_stop")
        return Answer(
            "".join(self._pieces),
            usage=self.usage,
            stop_reason=self.stop_reason,
            model=self.model,
            anthropic_request_id=self.anthropic_request_id,
        )

    def read(self, message: Any) -> Answer:
        """The answer in what `messages.create` returned. Raises `Failure` where that is no message, as a proxy's page."""
        content = getattr(message, "content", None)
        self._pieces = [block.text for block in content if is_text(block)] if isinstance(content, list) else []
        if not isinstance(content, list) or (not self._pieces and message.stop_reason is None):
            raise Failure("unavailable", "the response is not a message")
        self.model = text_or(message.model, self.model)
        self.stop_reason = text_or(message.stop_reason, None)
        self.usage = self.usage.updated(message.usage)
        self.is_whole = True
        return self.answer

    def feed(self, event: str | None, data: str) -> str:
        """The text in one event of a stream, empty where there is none. Raises `Failure` for an error or a broken event.

        https://platform.claude.com/docs/en/build-with-claude/streaming
        """
        try:
            text = self._feed(event, data)
        except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
            raise Failure("unavailable", f"a broken {event} event") from None
        if text:
            self._pieces.append(text)
        return text

    def _feed(self, event: str | None, data: str) -> str:
        if event == "content_block_delta":
            delta = json.loads(data)["delta"]
            return text_at(delta, "text") if delta["type"] == "text_delta" else ""
        if event == "content_block_start":
            block = json.loads(data)["content_block"]
            return text_at(block, "text") if block["type"] == "text" else ""
        if event == "message_start":
            message = mapping(json.loads(data)).get("message")
            self.model = text_at(message, "model") or self.model
            self._pieces.clear()
            self.usage = self.usage.updated(mapping(message).get("usage"))
        elif event == "message_delta":
            content = mapping(json.loads(data))
            self.stop_reason = text_at(content, "delta", "stop_reason") or self.stop_reason
            self.usage = self.usage.updated(content.get("usage"))
        elif event == "message_stop":
            self.is_whole = True
        elif event == "error":
            raise reported(json.loads(data))
        return ""


def mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def text_or(value: object, other: str | None) -> str | None:
    return value if isinstance(value, str) else other


def is_text(block: Any) -> bool:
    """Whether a content block has text to show: thinking, tools and blocks of a kind to come have none."""
    return getattr(block, "type", None) == "text" and isinstance(getattr(block, "text", None), str)
