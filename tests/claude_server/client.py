"""How a test starts the server and talks to its control API. Standard library only."""

import json
import os
import socket
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, Request, build_opener

from .record import Exchange
from .script import Step

KEY = "sk-ant-stand-in-0123456789abcdef"
"""A key for tests: it looks like one and opens nothing."""

PATIENCE = 10.0  # seconds that a wait may take before it fails


class Lane:
    """One API of its own on a server: point a client at `base_url`, tell it what to do, ask it what happened."""

    def __init__(self, server: "ClaudeServer", name: str) -> None:
        self.server = server
        self.name = name
        self.base_url = f"{server.url}/lane/{name}"

    def script(self, *steps: Step, **more: Any) -> None:
        """The next requests meet these steps, one each; every later one meets `otherwise`, or gets its answer.

        With `endpoint="count_tokens"`, `"models"`, `"cost"`, `"batches"` or `"batch_results"`, requests to that; with
        `model`, those to that model.
        """
        self._call("PUT", "script", _rule("", *steps, **more))

    def rule(self, marker: str, *steps: Step, **more: Any) -> None:
        """The same for requests with `marker` in their prompt only. Rules add up; the newest is asked first."""
        self._call("POST", "script", _rule(marker, *steps, **more))

    def settings(self, **settings: Any) -> None:
        """Set `key`, `cache_minimum` (tokens), `requests_per_minute`, `costs_known_until`, `batch_looks` or `keep`."""
        self._call("PATCH", "settings", settings)

    def charge(self, *charges: dict[str, Any]) -> None:
        """What the cost report says from now on: see `costs.report`."""
        self._call("PUT", "charges", list(charges))

    def release(self, deltas: int = 1, *, request: int | None = None) -> None:
        """Let gated streams send so many deltas more: all of this lane, those to come too, or that of one request."""
        self._call("POST", "release", {"deltas": deltas, "request": request})

    def advance(self, seconds: float) -> None:
        """Put the clock of the prompt cache forward."""
        self._call("POST", "clock", {"advance": seconds})

    def cut(self, how: str = "reset") -> int:
        """End the connection of every open request at this moment: "reset" or "close". Says how many there were."""
        return self._call("POST", "cut", {"how": how})["cut"]

    def reset(self) -> None:
        """Forget script, records, cache and settings; close what is open."""
        self._call("DELETE")

    def state(self, *, since: int = 0) -> dict[str, Any]:
        """All that the control API shows, as it is now."""
        return self._call("GET", query={"since": since})

    def requests(self, *, since: int = 0) -> list[Exchange]:
        """The requests that arrived, in order."""
        return [Exchange.from_json(item) for item in self.state(since=since)["requests"]]

    def wait(self, *, timeout: float = PATIENCE, **counts: int) -> list[Exchange]:
        """The requests, once there are so many: wait(arrived=2), or of ended, left, closed, deltas.

        Raises AssertionError, with what did happen, when they do not come in time.
        """
        query = {f"wait_{name}": count for name, count in counts.items()} | {"timeout": timeout}
        state = self._call("GET", query=query, timeout=timeout + PATIENCE)
        assert state["met"], f"after {timeout} s there were not {counts}, but {json.dumps(state, indent=2)}"
        return [Exchange.from_json(item) for item in state["requests"]]

    def wait_closed(self, sockets: int = 1, *, timeout: float = PATIENCE) -> list[Exchange]:
        """The requests, once so many sockets were closed, by whomever."""
        return self.wait(closed=sockets, timeout=timeout)

    def _call(
        self,
        method: str,
        what: str = "",
        value: Any = None,
        query: dict[str, Any] | None = None,
        timeout: float = PATIENCE,
    ) -> Any:
        path = f"/_control/lanes/{self.name}" + (f"/{what}" if what else "")
        return self.server.call(method, path + (f"?{urlencode(query)}" if query else ""), value, timeout)


def _rule(
    marker: str, *steps: Step, otherwise: Step | None = None, endpoint: str = "messages", model: str = ""
) -> dict[str, Any]:
    return {
        "steps": [step.to_json() for step in steps],
        "otherwise": otherwise.to_json() if otherwise else None,
        "marker": marker,
        "endpoint": endpoint,
        "model": model,
    }


class ClaudeServer:
    """A running server. `ClaudeServer.start()` is a context manager; one server is enough for a whole test run."""

    def __init__(self, url: str, process: "subprocess.Popen[str] | None" = None) -> None:
        self.url = url
        self.process = process
        self._opener = build_opener(ProxyHandler({}))

    @classmethod
    def start(cls, *, python: str = sys.executable, port: int = 0) -> "ClaudeServer":
        """Start a server in its own process, and return once it listens."""
        package = Path(__file__).resolve().parent
        process = subprocess.Popen(
            [python, "-P", "-m", package.name, "--port", str(port)],
            env=os.environ | {"PYTHONPATH": str(package.parent)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        watchdog = threading.Timer(60, process.kill)
        watchdog.start()
        line = process.stdout.readline() if process.stdout else ""
        watchdog.cancel()
        if not line:
            raise RuntimeError(f"the stand-in server did not start (exit {process.wait()}); see its error above")
        return cls(f"http://127.0.0.1:{json.loads(line)['port']}", process)

    def stop(self) -> None:
        """End the process; open streams are cut."""
        if not self.process:
            return
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()

    def __enter__(self) -> "ClaudeServer":
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def lane(self, name: str = "") -> Lane:
        """The lane of that name, or a new one that nobody else uses."""
        return Lane(self, name or uuid.uuid4().hex[:12])

    def call(self, method: str, path: str, value: Any = None, timeout: float = PATIENCE) -> Any:
        """One request to the control API; raises ValueError with its words when it refuses."""
        data = None if value is None else json.dumps(value).encode()
        request = Request(self.url + path, data, {"content-type": "application/json"}, method=method)
        try:
            with self._opener.open(request, timeout=timeout) as response:
                return json.load(response)
        except HTTPError as error:
            with error:
                raise ValueError(json.load(error)["error"]) from None


@contextmanager
def refused_url() -> Iterator[str]:
    """A base URL at which connections are refused: the port is taken, and nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"
