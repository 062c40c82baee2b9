"""Puts an answer together from the step and the request, and into events."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from . import messages, script, structured
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
    payload: dict[str, Any] | bytes | None = None
    """The answer of an endpoint that has no messages; the lines of a batch's results."""


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
    thought = messages.pieces(answer.thinking)[: body.get("max_tokens", 0)]
    reason, stop = "end_turn", None
    if answer.length or answer.deltas is not None:
        deltas = answer.deltas if answer.deltas is not None else ["word "] * answer.length
    else:
        deltas, reason, stop = messages.cut(
            messages.pieces(usual_text(body) if answer.text is None else answer.text),
            body.get("max_tokens", 0) - len(thought),
            body.get("stop_sequences") or [],
        )
    before = messages.thinking(thought, answer.display) if thought else []
    if answer.unknown:
        before.append({"type": "new_block", "novelty": 1})
    first = deltas[: answer.fallback_after] if answer.fallback else []
    deltas = deltas[: answer.stops_after]
    usage = call.usage | {"output_tokens": len(deltas) + len(thought)}
    model = body.get("model", "")
    if answer.fallback:
        declined = usage | {"type": "message", "model": model, "output_tokens": len(first)}
        usage["iterations"] = [declined, usage | {"type": "fallback_message", "model": answer.fallback}]
        before = [*messages.with_text(first), messages.handover(model, answer.fallback), *before]
    message = messages.message(
        answer.fallback or model,
        [*before, *messages.with_text(deltas), *answer.blocks],
        usage | {"output_tokens_details": {"thinking_tokens": len(thought)}, "service_tier": "standard"} | answer.usage,
        stop_reason=answer.stop_reason or reason,
        stop_sequence=stop,
        stop_details=answer.stop_details,
        diagnostics=messages.cache_miss(answer.cache_miss) if body.get("diagnostics") and answer.cache_miss else None,
    )
    return Whole(message, before, deltas, answer.blocks)


def usual_text(body: dict[str, Any]) -> str:
    """What names the question, as JSON where the request has a schema for it."""
    text = messages.echo(messages.prompt_of(body))
    wanted = (body.get("output_config") or {}).get("format")
    return encode(structured.example(wanted["schema"], text)).decode() if wanted else text


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
        start, *rest = messages.block_events(block, index)
        yield from send([start])
        if answer.thinks_for and "thinking" in block["type"]:
            yield Wait(answer.thinks_for, answer.pings)
        yield from send(rest)
    index = len(whole.before)
    first = whole.deltas[0] if whole.deltas and answer.text_at_start else ""
    text_start = messages.event("content_block_start", index=index, content_block={"type": "text", "text": first})
    if whole.deltas and not answer.text_at_start:
        yield from send([text_start, messages.event("ping")])
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
        at_start = answer.text_at_start and number == 1
        yield Send(frame(*text_start, answer) if at_start else frames[text], number)
    if whole.deltas:
        yield from send([messages.event("content_block_stop", index=index)])
        index += 1
    for further, block in enumerate(whole.after, index):
        yield from send(messages.block_events(block, further))
    yield from send(messages.closing(whole.message))
    yield End()
