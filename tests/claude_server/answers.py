"""Puts an answer together from the step and the request, and into events."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from . import messages, script
from .actions import Action, Begin, Deltas, End, Gate, Send, Wait
from .messages import encode


@dataclass
class Call:
    """What a plan has to know about the request."""

    request_id: str
    headers: dict[str, str]
    """That every answer to it has."""
    body: dict[str, Any]
    usage: dict[str, Any]
    """The input side."""
    payload: dict[str, Any] | None = None
    """The answer of an endpoint that has no messages."""


@dataclass
class Whole:
    """A complete answer: the message, and the text deltas that make its text."""

    message: dict[str, Any]
    before: list[dict[str, Any]]
    deltas: list[str]
    after: list[dict[str, Any]]


def compose(answer: script.Answer, call: Call) -> Whole:
    """The answer to a request, as long as its limits let it be."""
    body = call.body
    reason, stop = "end_turn", None
    if answer.length or answer.deltas is not None:
        deltas = answer.deltas if answer.deltas is not None else ["word "] * answer.length
    else:
        text = messages.echo(messages.prompt_of(body)) if answer.text is None else answer.text
        deltas, reason, stop = messages.cut(
            messages.pieces(text), body.get("max_tokens", 0), body.get("stop_sequences") or []
        )
    before = []
    if answer.thinking:
        before.append({"type": "thinking", "thinking": answer.thinking, "signature": "c2lnbmF0dXJl"})
    if answer.unknown:
        before.append({"type": "new_block", "novelty": 1})
    text_block = [{"type": "text", "text": "".join(deltas)}] if deltas else []
    usage = call.usage | {
        "output_tokens": len(deltas) + len(messages.pieces(answer.thinking)),
        "service_tier": "standard",
        **answer.usage,
    }
    message = messages.message(
        body.get("model", ""),
        [*before, *text_block, *answer.blocks],
        usage,
        stop_reason=answer.stop_reason or reason,
        stop_sequence=stop,
        stop_details=answer.stop_details,
    )
    return Whole(message, before, deltas, answer.blocks)


def frame(kind: str, data: Any, answer: script.Answer = script.NORMAL) -> bytes:
    """One server-sent event."""
    text = b"event: %b\ndata: %b\n\n" % (kind.encode(), data if isinstance(data, bytes) else encode(data))
    if not answer.event_names:
        text = text[text.index(b"\n") + 1 :]
    return b": a comment\r\nid: 1\r\n" + text.replace(b"\n", b"\r\n") if answer.crlf else text


PING = frame("ping", {"type": "ping"})


def stream(answer: script.Answer, whole: Whole, call: Call) -> Iterator[Action]:
    """An answer in events."""

    def send(events: Iterable[tuple[str, dict[str, Any]]]) -> Iterator[Send]:
        for kind, data in events:
            yield Send(frame(kind, data, answer), last=kind == "message_stop")

    if answer.held:
        yield Gate(1)
    if answer.delay:
        yield Wait(answer.delay)
    yield Begin(200, call.headers | {"content-type": "text/event-stream; charset=utf-8"}, None)
    yield from send([messages.opening(whole.message)])
    if answer.unknown:
        yield from send([messages.event("new_event", novelty=1)])
    for index, block in enumerate(whole.before):
        yield from send(messages.block_events(block, index))
    index = len(whole.before)
    if whole.deltas:
        start = messages.event("content_block_start", index=index, content_block={"type": "text", "text": ""})
        yield from send([start, messages.event("ping")])
    if answer.unknown:
        yield from send([messages.event("content_block_delta", index=index, delta={"type": "new_delta"})])
    yield Deltas()
    if answer.first_after:
        yield Wait(answer.first_after, answer.pings)
    frames: dict[str, bytes] = {}
    for number, text in enumerate(whole.deltas, 1):
        if answer.gated:
            yield Gate(number + answer.held, answer.pings)
        elif answer.pause and number > 1:
            yield Wait(answer.pause, answer.pings, paced=True)
        if text not in frames:
            frames[text] = frame(*messages.delta(text, index), answer)
        yield Send(frames[text], number)
    if whole.deltas:
        yield from send([messages.event("content_block_stop", index=index)])
        index += 1
    for further, block in enumerate(whole.after, index):
        yield from send(messages.block_events(block, further))
    yield from send(messages.closing(whole.message))
    yield End()
