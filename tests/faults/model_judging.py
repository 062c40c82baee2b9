"""Says what is wrong with what a model's answer came to, and shows it in short."""

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from .asking import Heard
from .judging import INTERNALS, SECRETS, differs, leaks
from .model_cases import Case, Model

TAKES_BACK = "Claude takes back what stands above."


class Cell(NamedTuple):
    """What a user read over one surface, and what the log and the bill said."""

    model: str
    case: str
    surface: str
    read: str
    log: str
    paid: str
    problems: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{self.model}, {self.case}, {self.surface}"


def judge(model: Model, case: Case, surface: str, heard: Heard, exchanges: list[Any]) -> Cell:
    """The cell of one question. `exchanges` are the requests that reached the API for it."""
    lines = [json.loads(line) for line in heard.log.splitlines() if line.startswith("{")]
    calls = [line for line in lines if "outcome" in line]
    problems = [*differs("lines of the call", 1, len(calls))]
    if surface == "terminal":
        problems += wrong_terminal(case, heard)
    else:
        problems += wrong_events(case, heard) if surface == "events" else wrong_json(case, heard)
    problems += wrong_requests(model, case, exchanges)
    # A terminal is its operator's: it names the setting that is wrong.
    secrets = SECRETS if surface == "terminal" else SECRETS | INTERNALS
    problems += [*leaks("what was read", heard.body, secrets), *leaks("the log", heard.log)]
    if len(calls) == 1:
        problems += [*wrong_log(model, case, calls[0]), *wrong_bill(case, surface, heard, calls[0], exchanges)]
    log, paid = (said(calls[0]), bill(calls[0])) if calls else ("?", "?")
    return Cell(model.name, case.name, surface, read(surface, heard), log, paid, tuple(problems))


# --- What the user reads ------------------------------------------------------------------------------


def wrong_json(case: Case, heard: Heard) -> Iterator[str]:
    found = {name: value for name, value in heard.events[0].items() if name not in ("usage", "cost", "parsed")}
    expected = case.reply if case.failure else {"answer": case.text, **case.reply}
    yield from differs("status", case.reply.get("status", 200), heard.status)
    yield from differs("JSON", expected, found)
    if case.schema and not case.failure:
        yield from differs("parsed", json.loads(case.text), heard.events[0]["parsed"])


def wrong_events(case: Case, heard: Heard) -> Iterator[str]:
    end = case.reply if case.failure else {"done": True, **case.reply}
    expected: list[Any] = [case.taken_back, {"status": "restart"}] if case.taken_back else []
    expected += [{"status": "thinking"}] if case.thinks else []
    yield from differs("events", [*expected, *([case.text] if case.text else []), end], joined(heard.events))


def joined(events: list[Any]) -> list[Any]:
    """The events without the counts, and with the deltas in a row as one text."""
    found: list[Any] = []
    for event in events:
        if "delta" not in event:
            found.append({name: value for name, value in event.items() if name not in ("usage", "cost")})
        elif found and isinstance(found[-1], str):
            found[-1] += event["delta"]
        else:
            found.append(event["delta"])
    return found


def wrong_terminal(case: Case, heard: Heard) -> Iterator[str]:
    expected = [case.taken_back.strip(), TAKES_BACK] if case.taken_back else []
    expected += ["Claude is thinking."] if case.thinks else []
    expected += [case.text] if case.text else []
    expected += [] if case.failure else [f"ended with {case.end}."]
    expected += [f"CommandError: {case.sentence}"] if case.sentence else []
    found = [re.sub(r"^\d+ tokens in, \d+ out, ", "", line) for line in printed(heard)]
    if case.failure and found:
        found[-1] = re.sub(r" \(.*\)\.$", "", found[-1])  # what the log says, too
    yield from differs("lines", expected, found)
    yield from differs("exit status", 1 if case.sentence else 0, heard.status)


def printed(heard: Heard) -> list[str]:
    """The lines that say something."""
    return [line.strip() for line in heard.body.splitlines() if line.strip()]


# --- What is asked, logged and paid -------------------------------------------------------------------


def wrong_requests(model: Model, case: Case, exchanges: list[Any]) -> Iterator[str]:
    """The request is one that the model takes, with the settings that fit it."""
    models = [model.name, model.fallback][: len(case.paid)]
    yield from differs("models asked", models, [exchange.body["model"] for exchange in exchanges])
    yield from differs("max_tokens", [model.max_tokens] * len(models), [each.body["max_tokens"] for each in exchanges])
    efforts = [each.body.get("output_config", {}).get("effort", "") for each in exchanges]
    yield from differs("effort", [model.effort] * len(models), efforts)
    yield from differs("thinking", [], [each.body["thinking"] for each in exchanges if "thinking" in each.body])
    yield from differs("streams", [True] * len(models), [exchange.stream for exchange in exchanges])


def wrong_log(model: Model, case: Case, line: dict[str, Any]) -> Iterator[str]:
    expected = {
        "outcome": case.outcome,
        "level": case.level,
        "model": [model.name, model.fallback][len(case.paid) - 1],
        "stop_reason": case.end,
        "refusal_category": case.category,
    }
    yield from differs("log", expected, {name: line[name] for name in expected})


def wrong_bill(case: Case, surface: str, heard: Heard, line: dict[str, Any], exchanges: list[Any]) -> Iterator[str]:
    """What the API counted is what the log says, for each model that ran, and what the user is told."""
    logged = [each["usage"] for each in line["iterations"] or [{"usage": line}]]
    yield from differs("paid", list(case.paid), [(each["output_tokens"], each["thinking_tokens"]) for each in logged])
    counted = [exchange.usage or {} for exchange in exchanges]
    for name in ("input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"):
        expected = [usage.get(name, 0) for usage in counted]
        yield from differs(name, expected, [each[name] for each in logged])
        yield from differs(f"{name} in all", sum(expected), line[name])
    if surface != "terminal" and not case.failure:
        told = heard.events[-1]["usage"]
        yield from differs("usage", {name: line[name] for name in told}, told)


# --- In short -----------------------------------------------------------------------------------------


def read(surface: str, heard: Heard) -> str:
    """What the user read: the text as it was, and signs and ends by their names."""
    if surface == "terminal":
        words = [shortened(line) for line in printed(heard)]
        return " / ".join(word for word in words if word)
    return " / ".join(map(shown, joined(heard.events)))


def shown(event: Any) -> str:
    if isinstance(event, str):
        return f'"{event.strip()}"'
    if "answer" in event:
        text = f'"{event["answer"]}" ' if event["answer"] else ""
        return text + shown({name: value for name, value in event.items() if name != "answer"})
    if "error" in event:
        return f"error {event['status']}"
    return str(event.get("status") or " ".join(filter(None, (event["stop_reason"], event.get("refusal_category")))))


def shortened(line: str) -> str:
    if line == TAKES_BACK:
        return "restart"
    if line == "Claude is thinking.":
        return "thinking"
    if "ended with" in line:
        return line.rpartition(" ")[2].rstrip(".")
    return "error" if line.startswith("CommandError") else f'"{line.strip()}"'


def said(line: dict[str, Any]) -> str:
    return " ".join(filter(None, (line["level"].lower(), line["outcome"], line["refusal_category"])))


def bill(line: dict[str, Any]) -> str:
    """Tokens in and out for each model that ran."""
    models = line["iterations"] or [{"model": line["model"], "usage": line}]
    return ", ".join(f"{each['model'].removeprefix('claude-')} {tokens(each['usage'])}" for each in models)


def tokens(usage: dict[str, Any]) -> str:
    into = sum(usage[name] for name in ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"))
    thought = f" ({usage['thinking_tokens']} thought)" if usage["thinking_tokens"] else ""
    return f"{into}+{usage['output_tokens']}{thought}"
