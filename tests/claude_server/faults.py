"""Where a step makes an answer go wrong: the answer up to there, the fault, and what still comes after it."""

import itertools
from collections.abc import Iterator
from email.utils import formatdate
from time import time
from typing import Any

from . import messages, script
from .actions import Action, Begin, Close, Deltas, End, Gate, Reset, Send, Wait
from .answers import Call, Whole, frame
from .messages import encode

GOES_ON = script.Silence | script.Pings | script.BadJson | script.BadUtf8
"""Faults that the rest of the answer follows."""


def spoiled_stream(step: script.Step, actions: Iterator[Action], whole: Whole, call: Call) -> Iterator[Action]:
    """The answer up to the fault, the fault, and what comes after it, if anything does."""
    for action in actions:
        if comes_before(step, action):
            actions = itertools.chain([action], actions)
            break
        yield action
        if comes_after(step, action, len(whole.deltas)):
            break
    yield from fault(step, call)
    if isinstance(step, GOES_ON):
        yield from actions


def comes_before(step: Any, action: Action) -> bool:
    """Whether a fault without a place among the deltas strikes just before an action."""
    if step.after is not None or isinstance(step, script.ErrorEvent):
        return False
    if isinstance(step, script.NoMessageStop):
        return isinstance(action, Send) and action.last
    return isinstance(action, Begin)


def comes_after(step: Any, action: Action, total: int) -> bool:
    """Whether a fault strikes just after an action. One that counts beyond the last delta follows that."""
    if step.after is None:
        return isinstance(step, script.ErrorEvent) and isinstance(action, Begin)
    if step.after == 0 or total == 0:
        return isinstance(action, Deltas)
    return isinstance(action, Send) and action.delta == min(step.after, total)


def fault(step: script.Step, call: Call) -> Iterator[Action]:
    """What goes wrong in a stream."""
    example = frame(*messages.delta("half a word"))
    match step:
        case script.Reset():
            yield Reset()
        case script.Close():
            yield Close()
        case script.Silence():
            yield Wait(step.seconds)
        case script.Pings():
            yield Wait(step.seconds, step.every)
        case script.HalfEvent():
            yield Send(example[: len(example) * 3 // 4])
            yield {"end": End(), "close": Close(), "reset": Reset()}[step.then]
        case script.BadJson():
            yield Send(frame("content_block_delta", b'{"type":"content_block_delta","index":0,"del'))
        case script.BadUtf8():
            yield Send(example.replace(b"half a word", b"half a \xff\xfe"))
        case script.ErrorEvent():
            yield Send(frame("error", messages.error_envelope(step.type, step.message, call.request_id)))
            yield End()
        case script.NoMessageStop():
            yield End()


def spoiled_json(step: script.Step | None, answer: script.Answer, call: Call, value: Any) -> Iterator[Action]:
    """An answer in one piece of JSON, or in lines of it, and what can go wrong with it."""
    body = value if isinstance(value, bytes) else encode(value)
    half = body[: len(body) // 2]
    headers = call.headers | {"content-type": "application/json"}
    at = getattr(step, "after", None)
    if isinstance(step, script.ErrorEvent):
        code = messages.STATUS_OF[step.type]
        yield from status(script.Status(code, step.type, step.message), call)
        return
    if answer.held or answer.gated:
        yield Gate(1)
    silence = step.seconds if at is None and isinstance(step, script.Silence) else 0
    if wait := answer.delay + answer.thinks_for + answer.first_after + silence:
        yield Wait(wait)
    match step:
        case script.Reset(after=None) | script.Close(after=None):
            yield from fault(step, call)
        case script.BadJson() | script.HalfEvent(then="end"):
            yield from whole_body(200, headers, half)
        case script.BadUtf8():
            yield from whole_body(200, headers, body[:-1] + b',"bad":"\xff\xfe"}')
        case script.Reset() | script.Close() | script.HalfEvent():
            yield Begin(200, headers, len(body))
            yield Send(half)
            yield Close() if isinstance(step, script.Close) or getattr(step, "then", "") == "close" else Reset()
        case script.Silence(after=int()) | script.Pings():
            yield Begin(200, headers, len(body))
            yield Send(half)
            yield Wait(step.seconds)
            yield Send(body[len(half) :], last=True)
            yield End()
        case _:
            yield from whole_body(200, headers, body)


def status(step: script.Status, call: Call) -> Iterator[Action]:
    """An error with its envelope, or a redirect with no body."""
    headers = dict(call.headers)
    if step.retry_after is not None:
        headers["retry-after"] = str(step.retry_after)
    if step.retry_after_date is not None:
        headers["retry-after"] = formatdate(time() + step.retry_after_date, usegmt=True)
    if step.retry_after_ms is not None:
        headers["retry-after-ms"] = str(step.retry_after_ms)
    if step.should_retry is not None:
        headers["x-should-retry"] = str(step.should_retry).lower()
    details = {"error_code": step.error_code} if step.error_code else None
    body = encode(messages.error_envelope(step.kind, step.message, call.request_id, details))
    headers["content-type"] = "application/json"
    if step.body is not None:
        body = step.body.encode()
        headers["content-type"] = "text/html; charset=utf-8" if step.body.startswith("<") else "application/json"
    if step.status < 400:
        body = b""
    headers |= step.headers
    if step.breaks:
        yield Begin(step.status, headers, len(body))
        yield Send(body[: len(body) // 2])
        yield Reset()
    else:
        yield from whole_body(step.status, headers, body)


def whole_body(code: int, headers: dict[str, str], body: bytes) -> Iterator[Action]:
    yield Begin(code, headers, len(body))
    yield Send(body, last=True)
    yield End()
