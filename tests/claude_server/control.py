"""The control API: how a test tells the server what to do, and asks it what happened."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from . import wire
from .lanes import COUNTS, Lane, Rule, Settings
from .script import BadScript
from .wire import Connection, Request

if TYPE_CHECKING:
    from .server import Server

LONGEST_WAIT = 60.0  # seconds


class Control:
    """Answers requests below /_control."""

    def __init__(self, server: Server) -> None:
        self.server = server

    async def handle(self, connection: Connection, request: Request) -> None:
        try:
            status, value = 200, await self.do(request)
        except (ValueError, TypeError, KeyError) as error:
            status, value = 400, {"error": str(error) or repr(error)}
        except LookupError as error:
            status, value = 404, {"error": str(error)}
        body = json.dumps(value).encode("ascii")
        headers = {"content-type": "application/json", "content-length": str(len(body))}
        await connection.send(wire.head(status, headers) + body)

    async def do(self, request: Request) -> Any:
        """The answer to one command."""
        if request.path == "/_control":
            return {"lanes": {name: lane.counts for name, lane in self.server.lanes.items()}}
        match = re.fullmatch(r"/_control/lanes/([\w.~-]+)(?:/(\w+))?", request.path)
        if not match:
            raise NotHere("the control API is /_control/lanes/<name>[/script|/settings|/charges|/release|/clock|/cut]")
        lane = self.server.lane(match[1])
        value = request.json() if request.body else {}
        match request.method, match[2]:
            case "GET", None:
                return await self.show(lane, request.query)
            case "DELETE", None:
                lane.cut("close")
                self.server.lanes.pop(lane.name)
            case "PUT", "script":
                lane.rules = rules(value)
            case "POST", "script":
                lane.rules = rules(value) + lane.rules
            case "PATCH", "settings":
                change(lane, value)
                return asdict(lane.settings) | {"key": None}
            case "PUT", "charges":
                lane.charges = list(value)
            case "POST", "release":
                lane.release(int(value.get("deltas", 1)), value.get("request"))
            case "POST", "clock":
                lane.cache.offset += float(value["advance"])
            case "POST", "cut":
                return {"cut": lane.cut(str(value.get("how", "close")))}
            case method, what:
                raise NotHere(f"no {method} for {what or 'a lane'}")
        return {}

    async def show(self, lane: Lane, query: dict[str, str]) -> dict[str, Any]:
        """What happened on a lane; with `wait_<count>=n`, once that count is n or more."""
        wanted = {name.removeprefix("wait_"): int(value) for name, value in query.items() if name.startswith("wait_")}
        if unknown := wanted.keys() - set(COUNTS):
            raise ValueError(f"wait for {', '.join(COUNTS)}; not {', '.join(unknown)}")
        timeout = min(float(query.get("timeout", "5")), LONGEST_WAIT)
        met = await lane.wait_until(lambda: all(lane.counts[name] >= n for name, n in wanted.items()), timeout)
        since = int(query.get("since", "0"))
        return {
            "name": lane.name,
            "met": met,
            "counts": lane.counts,
            "open": len(lane.open),
            "steps_left": sum(len(rule.steps) for rule in lane.rules),
            "requests": [item.to_json() for item in lane.exchanges if item.index >= since],
        }


class NotHere(LookupError):
    """There is nothing at that address."""


def rules(value: Any) -> list[Rule]:
    """The rules of a script: a list of rules, or a single one, or a list of steps."""
    if isinstance(value, dict):
        value = value.get("rules", [value])
    if not isinstance(value, list):
        raise BadScript("a script is a rule or a list of rules")
    if value and all(isinstance(item, dict) and "step" in item for item in value):
        value = [{"steps": value}]
    return [Rule.from_json(item) for item in value]


def change(lane: Lane, value: dict[str, Any]) -> None:
    """Set some of a lane's settings."""
    if unknown := value.keys() - {item.name for item in fields(Settings)}:
        raise ValueError(f"no setting {', '.join(unknown)}")
    for name, setting in value.items():
        setattr(lane.settings, name, setting)
    lane.cache.minimum = lane.settings.cache_minimum
    if lane.exchanges.maxlen != lane.settings.keep:
        lane.exchanges = type(lane.exchanges)(lane.exchanges, maxlen=lane.settings.keep)
