"""Turns a step and a request into what is done on the wire, one action after the other. Decides all, does nothing."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

from . import script
from .actions import Action, Deltas, Send
from .answers import Call, compose, stream
from .faults import spoiled_json, spoiled_stream, status, whole_body


class Plan(NamedTuple):
    """What is done for one request, and what is known of it before."""

    actions: Iterator[Action]
    usage: dict[str, Any] | None = None
    """Of the whole answer, should all of it arrive."""
    error: str | None = None
    """The type of the error that is answered."""


def plan(step: script.Step, call: Call) -> Plan:
    """What a step means for a request."""
    if isinstance(step, script.Status):
        return Plan(status(step, call), error=step.kind)
    if isinstance(step, script.Body):
        headers = call.headers | {"content-type": step.content_type}
        return Plan(whole_body(200, headers, step.body.encode()))
    if isinstance(step, script.Refusal):
        details = {"type": "refusal", "category": step.category, "explanation": None}
        step = replace(step.answer, stop_reason="refusal", stop_details=details, stops_after=step.after)
    error = step.type if isinstance(step, script.ErrorEvent) else None
    answer: script.Answer = step if isinstance(step, script.Answer) else step.answer  # type: ignore[attr-defined]
    fault = None if step is answer else step
    call = replace(call, headers=call.headers | answer.headers)
    if call.payload is not None:
        return Plan(spoiled_json(fault, answer, call, call.payload), error=error)
    whole = compose(answer, call)
    usage = whole.message["usage"]
    if not call.body.get("stream"):
        return Plan(spoiled_json(fault, answer, call, whole.message), usage, error)
    actions = stream(answer, whole, call)
    if fault:
        actions = spoiled_stream(fault, actions, whole, call)
    if answer.fragment:
        actions = fragmented(actions, answer.fragment)
    elif answer.blob:
        actions = joined(actions)
    return Plan(actions, usage, error)


def fragmented(actions: Iterator[Action], size: int) -> Iterator[Action]:
    """The same bytes in writes of at most `size`."""
    for action in actions:
        if isinstance(action, Send):
            parts = [action.data[at : at + size] for at in range(0, len(action.data), size)]
            yield from (Send(part) for part in parts[:-1])
            yield action._replace(data=parts[-1])
        else:
            yield action


def joined(actions: Iterator[Action]) -> Iterator[Action]:
    """The same bytes in one write for all that comes without a wait."""
    kept: list[Send] = []
    for action in actions:
        if isinstance(action, Send):
            kept.append(action)
        elif not isinstance(action, Deltas):
            if kept:
                data = b"".join(part.data for part in kept)
                yield Send(data, max(part.delta for part in kept), any(part.last for part in kept))
                kept.clear()
            yield action
