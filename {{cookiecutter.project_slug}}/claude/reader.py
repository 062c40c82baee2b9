"""Reads what comes back from Claude.

https://platform.claude.com/docs/en/build-with-claude/streaming
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from jiter import from_json

from claude.answers import Answer, Cost, Iteration, Usage, mapping
from claude.event_stream import EventSplitter
from claude.failures import Failure, reported, text_at

if TYPE_CHECKING:
    from pydantic import BaseModel


class Sign(str):
    """A piece of an answer without text, which says how the answer is getting on."""

    meaning: str

    def __new__(cls, meaning: str) -> Sign:
        sign = super().__new__(cls)
        sign.meaning = meaning
        return sign


# Claude is at work.
WAITING = Sign("waiting")
# Claude has begun to think.
THINKING = Sign("thinking")
# All text so far is taken back: the model declined after it. What follows, of another model, is whole.
RESTART = Sign("restart")


# The events that are more than a sign of life.
READ = {b"message_start", b"content_block_start", b"content_block_delta", b"message_delta", b"error"}
# The member of a content block that each kind of delta adds to.
DELTAS = {"text_delta": "text", "thinking_delta": "thinking", "signature_delta": "signature"}


class AnswerReader:
    """Reads what comes back, as a stream or as a whole message, and knows at each moment what has come.

    `model` is the one that answers; until that is known, the one that was asked. `is_whole` says whether the answer has
    come to its end. `cache_miss` is why the API's cache did not serve, where that was asked for and is known. `cost` is what
    a receiver of `claude.calls.call_ended` says that it cost.
    """

    def __init__(self, model: str | None = None) -> None:
        self.iterations = [Iteration(model)]
        self.message_id: str | None = None
        self.anthropic_request_id: str | None = None
        self.cache_miss: str | None = None
        self.cost: Cost | None = None
        self.is_whole = False
        self.schema: type[BaseModel] | None = None
        self._events = EventSplitter()
        self._first_iteration: int | None = None  # of the message being read
        self._blocks: list[tuple[Mapping[str, Any], dict[str, list[str]]]] = []
        self._take_back()

    def _take_back(self) -> Sign:
        """Forgets all text so far, and says so where there was some."""
        sign = RESTART if self.text else WAITING
        self._blocks = []
        self._open_block({"type": "text"})
        return sign

    def _open_block(self, block: Mapping[str, Any]) -> None:
        self._parts: dict[str, list[str]] = {name: [] for name in DELTAS.values()}
        self._blocks.append((block, self._parts))
        if block.get("type") == "text":
            self._texts = self._parts["text"]
        else:  # text that comes in a block of another kind is text all the same
            self._texts = []
            self._blocks.append(({"type": "text"}, {"text": self._texts}))

    @property
    def model(self) -> str | None:
        return self.iterations[-1].model

    @property
    def stop_reason(self) -> str | None:
        return self.iterations[-1].stop_reason

    @property
    def refusal_category(self) -> str | None:
        return self.iterations[-1].refusal_category

    @property
    def usage(self) -> Usage:
        return sum((iteration.usage for iteration in self.iterations), Usage())

    @property
    def content(self) -> list[dict[str, Any]]:
        """The API's content blocks as far as they have come, those that hold no text unchanged."""
        blocks = []
        for block, parts in self._blocks:
            grown = {name: text_at(block, name) + "".join(new) for name, new in parts.items() if new}
            if block != {"type": "text"} or grown:
                blocks.append({**block, **grown})
        return blocks

    @property
    def text(self) -> str:
        return text_of(self.content)

    @property
    def answer(self) -> Answer:
        """The whole answer, `parsed` where a `schema` is set. Raises `Failure` where there is none, as when a stream broke
        off, or none that fits."""
        self.check_whole()
        content = self.content
        text = text_of(content)
        thought = any("thinking" in str(block.get("type")) for block in content)
        if self.stop_reason == "max_tokens" and thought and not text.strip():
            raise Failure("all_thinking", "raise CLAUDE_MAX_TOKENS or lower CLAUDE_EFFORT")
        answer = Answer(
            text,
            usage=self.usage,
            iterations=self.iterations,
            stop_reason=self.stop_reason,
            refusal_category=self.refusal_category,
            model=self.model,
            message_id=self.message_id,
            anthropic_request_id=self.anthropic_request_id,
            content=content,
            cost=self.cost,
        )
        if self.schema is None:
            return answer
        if self.stop_reason == "refusal":
            raise Failure("declined", f"category {self.refusal_category}")
        if self.stop_reason == "max_tokens":
            raise Failure("cut_off", "raise CLAUDE_MAX_TOKENS, or ask for less at once")
        if self.stop_reason == "model_context_window_exceeded":
            raise Failure("cut_off", "the question leaves no room in the model: ask for less at once")
        with suppress(ValueError):  # its words would quote the answer
            answer.parsed = self.schema.model_validate_json(text)
        if answer.parsed is None:
            raise Failure("misfit", f"the answer does not fit {self.schema.__name__}")
        return answer

    def check_whole(self) -> None:
        if not self.is_whole:
            raise Failure("unavailable", "the stream ended before message_stop")
        if self.stop_reason is None and not self.text:
            raise Failure("unavailable", "the stream holds no message")

    def read(self, message: Any) -> Answer:
        """The answer in a whole message, as the SDK's `messages.create` returns it, or as JSON. Raises `Failure` for what is
        none."""
        whole = message.to_dict(warnings=False) if hasattr(message, "to_dict") else mapping(message)
        blocks = whole.get("content")
        if not isinstance(blocks, list):
            raise Failure("unavailable", "the response is not a message")
        self._begin(whole)
        for block in filter(mapping, blocks):
            self._start_block(block)
        if not self.text and whole.get("stop_reason") is None:
            raise Failure("unavailable", "the response is not a message")
        self._finish({"delta": whole, "usage": whole.get("usage")})
        self.is_whole = True
        return self.answer

    def feed(self, chunk: bytes) -> Iterator[str]:
        """The pieces in some bytes of a stream: what has come together is one text, with each other `Sign` in its place.

        Where there is neither, it is WAITING. Raises `Failure` for an error or a broken event, after the text before it.
        What follows the end of the answer is not read.
        """
        texts: list[str] = []
        try:
            for name, data in self._events.split(chunk):
                piece = self._read_event(name, data)
                if piece:
                    texts.append(piece)
                elif piece is not WAITING:
                    if texts:
                        yield "".join(texts)
                        texts = []
                    yield piece
                if self.is_whole:
                    break
        except Failure:
            if texts:
                yield "".join(texts)
            raise
        yield "".join(texts) or WAITING

    def _read_event(self, name: bytes, data: bytes) -> str:
        """The text in one event, or a `Sign`."""
        if name == b"message_stop":
            self.is_whole = True
        if name not in READ:
            return WAITING
        try:
            content = parsed(data)
            if name == b"content_block_delta":
                return self._grow(content["delta"])
            if name == b"content_block_start":
                return self._start_block(mapping(content["content_block"]))
            if name == b"message_start":
                return self._begin(mapping(content).get("message"))
            if name == b"message_delta":
                return self._finish(mapping(content))
            raise reported(content)
        except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
            raise Failure("unavailable", f"a broken {name.decode()} event") from None

    def _grow(self, delta: Mapping[str, Any]) -> str:
        """More of the last block."""
        kind = delta["type"]
        if kind == "text_delta":
            text = text_at(delta, "text")
            self._texts.append(text)
            return text or WAITING
        if name := DELTAS.get(kind):
            self._parts[name].append(text_at(delta, name))
        return WAITING

    def _begin(self, message: object) -> str:
        """A message begins, perhaps after another, which it takes the place of."""
        sign = WAITING if self._first_iteration is None else self._start_over(self.model)
        self._first_iteration = len(self.iterations) - 1
        self.message_id = text_at(message, "id") or None
        self.cache_miss = text_at(message, "diagnostics", "cache_miss_reason", "type") or None
        now = self.iterations[-1]
        now.model = text_at(message, "model") or now.model
        now.anthropic_request_id = self.anthropic_request_id
        now.usage = now.usage.updated(mapping(message).get("usage"))
        return sign

    def ask_again(self, model: str) -> None:
        """From now on `model` is asked, in a stream of its own, and what was read of another does not count."""
        self._events = EventSplitter()
        self._start_over(model)

    def _start_over(self, model: str | None) -> Sign:
        before = self.iterations[-1]
        before.anthropic_request_id = before.anthropic_request_id or self.anthropic_request_id
        self.iterations.append(Iteration(model))
        self._first_iteration = None
        self.is_whole = False
        return self._take_back()

    def _start_block(self, block: Mapping[str, Any]) -> str:
        kind, sign = text_at(block, "type"), WAITING
        if kind == "fallback":  # the API's own: what another model said before it was refused
            sign = self._take_back()
            self.iterations[-1].model = text_at(block, "to", "model") or self.model
        self._open_block(block)
        if "thinking" in kind:
            sign = THINKING
        return (kind == "text" and text_at(block, "text")) or sign

    def _finish(self, event: Mapping[str, Any]) -> str:
        """How a message ended."""
        now, usage = self.iterations[-1], mapping(event.get("usage"))
        now.stop_reason = text_at(event, "delta", "stop_reason") or now.stop_reason
        now.refusal_category = text_at(event, "delta", "stop_details", "category") or now.refusal_category
        now.usage = now.usage.updated(usage)
        listed = usage.get("iterations")
        listed = list(filter(mapping, listed)) if isinstance(listed, list) else []
        if len(listed) > 1:  # of the API's own fallback: the counts beside the list are the last model's
            declined = replace(now, stop_reason="refusal", refusal_category=None)
            each = [
                replace(declined, model=text_at(one, "model") or None, usage=Usage().updated(one)) for one in listed
            ]
            beside = {name: getattr(now.usage, name) for name in ("thinking_tokens", "web_search_requests")}
            each[-1] = replace(now, usage=replace(each[-1].usage, **beside))
            self.iterations[self._first_iteration or 0 :] = each
        return self._take_back() if now.stop_reason == "refusal" else WAITING


def parsed(data: bytes) -> Any:
    """What some JSON says. Raises `ValueError` or `RecursionError` where it is none."""
    try:
        return from_json(data)  # in a fifth of the time
    except ValueError:
        return json.loads(data.decode())  # takes half a character, too, as at the end of a delta


def text_of(content: list[dict[str, Any]]) -> str:
    return "".join(text_at(block, "text") for block in content if block.get("type") == "text")
