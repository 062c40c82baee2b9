"""Has each cause happen to one served project, one after the other, and judges what came of it."""

import threading
from collections.abc import Iterator
from typing import Any

from claude_server.client import KEY, Lane
from production import Served

from .asking import PATHS, Heard, Log, ask
from .causes import ATTEMPTS, CAUSES, PROMPT, REFUSALS, REFUSED_PORT, RESTART, WRONG_KEY
from .judging import Cell, judge, judge_attempts, judge_refusal


class Trial:
    """A served project and an API of its own.

    Questions are asked one at a time, so that each line of the log and each request at the API belongs to one of them.
    """

    def __init__(self, variant: str, served: Served, lane: Lane) -> None:
        self.variant = variant
        self.served = served
        self.lane = lane
        self.log = Log(served.server)
        self.reached = 0  # requests that have reached the API
        self.ask("json", "nothing yet: the first question loads the SDK")

    @property
    def surfaces(self) -> list[str]:
        return surfaces(self.served.view_style)

    def failures(self) -> Iterator[Cell]:
        """One attempt each."""
        for cause in CAUSES:
            if cause == REFUSED_PORT:
                continue
            if cause.step:
                self.lane.rule(marker(cause.name), otherwise=cause.step)
            self.lane.settings(key="sk-ant-another" if cause == WRONG_KEY else KEY)
            for surface in self.surfaces if not cause.schema else ():
                heard, exchanges = self.ask(surface, cause.name)
                yield judge(cause, self.variant, surface, heard, exchanges)

    def refused_port(self) -> Iterator[Cell]:
        """For when the API is gone."""
        for surface in self.surfaces:
            yield judge(REFUSED_PORT, self.variant, surface, ask(self.served, self.log, surface, PROMPT))

    def refusals(self) -> Iterator[Cell]:
        """What never gets as far as the API."""
        for refusal in REFUSALS:
            for surface in self.surfaces:
                heard = ask(self.served, self.log, surface, refusal.prompt, refusal.method, refusal.without)
                yield judge_refusal(refusal, self.variant, surface, heard, self.news())

    def attempts(self) -> Iterator[Cell]:
        """How often a call is made, where it may be made again."""
        for retried in ATTEMPTS:
            self.lane.rule(marker(retried.name), otherwise=retried.step)
            for surface in self.surfaces:
                heard, exchanges = self.ask(surface, retried.name)
                yield judge_attempts(retried, self.variant, surface, heard, exchanges)

    def restart(self) -> Iterator[Cell]:
        """The server is told to stop while a stream is open, and waits for it as long as it is ready to."""
        if "events" not in self.surfaces:
            return

        def stop() -> None:
            self.lane.wait(arrived=self.reached + 1)
            self.served.server.process.terminate()

        self.lane.rule(marker(RESTART.name), otherwise=RESTART.step)
        self.lane.release(1)
        stopping = threading.Thread(target=stop)
        stopping.start()
        heard, exchanges = self.ask("events", RESTART.name)
        stopping.join()
        yield judge(RESTART, self.variant, "events", heard, exchanges)

    def ask(self, surface: str, name: str) -> tuple[Heard, list[Any]]:
        """What came of a question that meets the rule of that name, and the requests that reached the API for it."""
        heard = ask(self.served, self.log, surface, f"{PROMPT} {marker(name)} as {surface}")
        return heard, self.news()

    def news(self) -> list[Any]:
        """The requests that have reached the API since this was last asked."""
        exchanges = self.lane.requests(since=self.reached)
        self.reached += len(exchanges)
        return exchanges


def surfaces(view_style: str) -> list[str]:
    return ["json"] if view_style == "sync" else list(PATHS)


def marker(name: str) -> str:
    """What stands in a prompt so that it meets the rule of that name."""
    return f"<{name}>"
