"""`make models`: has each model that the template offers answer in each way, and prints what was read, logged and paid.

Fails when a cell is not as model_cases.py says.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path
from typing import Any

from claude_server.client import ClaudeServer, Lane
from environments import variables_for
from production import Production, Served, change_line
from workplace import workplace

from .asking import Heard, Log, ask
from .causes import PROMPT
from .model_cases import CASES, MODELS, Case, Model
from .model_judging import Cell, judge
from .trials import marker

TERMINAL = Path(__file__).with_name("terminal.py")
SURFACES = ["json", "events", "terminal"]
CLASSIFY = "/chat/classify/"
VIEW = """

from chat.forms import read_prompt
from claude import client
from pydantic import BaseModel


class Color(BaseModel):
    answer: str


@endpoint
{def_}classify(request: HttpRequest) -> HttpResponse:
    given = {ask}(read_prompt(request.POST), user=request.user, purpose="chat", schema=Color)
    return JsonResponse(given.as_dict() | {{"parsed": given.parsed.model_dump()}})
"""
"""What a team would write that asks for a schema."""


def main() -> int:
    started = time.monotonic()
    with workplace(Path(sys.argv[1])) as (production, folder):
        cells = [cell for model in MODELS for cell in run_model(production, model, folder, *sys.argv[2:])]
    for line in report(cells):
        print(line)
    print(f"{len(cells)} cells, {sum(bool(cell.problems) for cell in cells)} wrong; {time.monotonic() - started:.0f} s")
    return 1 if any(cell.problems for cell in cells) else 0


def run_model(production: Production, model: Model, folder: Path, view_style: str = "streaming") -> list[Cell]:
    """Every cell of a model. Two servers have the settings that were rendered for it; one has a fallback model, too."""
    answers = {"view_style": view_style, "client_wrapper": True, "claude_model": model.name}
    cells = []
    with ClaudeServer.start() as claude:
        for fallback in ("", model.fallback):
            home = folder / f"{model.name}-{fallback}"
            home.mkdir(parents=True)
            lane = claude.lane()
            settings = {"CLAUDE_MAX_RETRIES": "0", "CLAUDE_FALLBACK_MODEL": fallback}
            settings["CLAUDE_FALLBACK_WHEN_DOWN"] = "true" if fallback else "false"
            with production.serve(answers, home, lane.base_url, change=add_view, **settings) as served:
                cases = [case for case in CASES if (len(case.steps) > 1) == bool(fallback)]
                cells += Trial(model, served, lane).cells(cases)
    return sorted(cells, key=lambda cell: [case.name for case in CASES].index(cell.case))


def add_view(project: Path) -> None:
    views, urls = project / "chat/views.py", project / "chat/urls.py"
    is_async = "async def ask(" in views.read_text(encoding="utf-8")
    code = VIEW.format(def_="async def " if is_async else "def ", ask="await client.aask" if is_async else "client.ask")
    views.write_text(views.read_text(encoding="utf-8") + code, encoding="utf-8")
    change_line(urls, "urlpatterns = [", f'urlpatterns = [\n    path("{CLASSIFY[1:]}", views.classify),')


class Trial:
    """A served project and an API of its own. Questions are asked one at a time."""

    def __init__(self, model: Model, served: Served, lane: Lane) -> None:
        self.model = model
        self.served = served
        self.lane = lane
        self.log = Log(served.server)
        self.reached = 0

    def cells(self, cases: list[Case]) -> Iterator[Cell]:
        for case in cases:
            self.lane.rule(marker(case.name), otherwise=case.steps[0], model=self.model.name)
            if case.steps[1:]:
                self.lane.rule(marker(case.name), otherwise=case.steps[1], model=self.model.fallback)
        with ExitStack() as stack:
            terminal = stack.enter_context(self.terminal())
            for case in cases:
                for surface in ["json"] if case.schema else SURFACES:
                    prompt = f"{PROMPT} {marker(case.name)}"
                    if surface == "terminal":
                        heard = typed(terminal, prompt)
                    else:
                        heard = ask(self.served, self.log, CLASSIFY if case.schema else surface, prompt)
                    exchanges = self.lane.requests(since=self.reached)
                    self.reached += len(exchanges)
                    yield judge(self.model, case, surface, heard, exchanges)

    def terminal(self) -> "subprocess.Popen[str]":
        """A terminal of the machine that the server runs on."""
        variables = self.served.settings | {"DJANGO_SETTINGS_MODULE": "config.settings"}
        return subprocess.Popen(
            ["python", TERMINAL],
            cwd=self.served.project,
            env=variables_for(self.served.environment, **variables, PYTHONPATH=str(self.served.project)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )


def typed(terminal: Any, prompt: str) -> Heard:
    """What came of a question in the terminal."""
    terminal.stdin.write(json.dumps(prompt) + "\n")
    terminal.stdin.flush()
    said = json.loads(terminal.stdout.readline())
    return Heard(said["code"], {}, said["printed"], said["log"])


# --- The report ---------------------------------------------------------------------------------------


def report(cells: list[Cell]) -> Iterator[str]:
    head = ["model", "answer", "JSON", "events", "terminal", "log", "paid: in+out"]
    rows = [head]
    for (model, case), group in groupby(cells, key=lambda cell: (cell.model, cell.case)):
        found = {cell.surface: cell for cell in group}
        shown = [f"{found[s].read} {'✗' if found[s].problems else '✓'}" if s in found else "·" for s in SURFACES]
        first = found["json"]
        rows.append([model, case, *shown, first.log, first.paid])
    widths = [max(len(row[number]) for row in rows) for number in range(len(head))]
    for row in rows:
        yield "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
    yield ""
    yield "✓ as model_cases.py says   ✗ not   · no event stream and no command asks for a schema"
    yield "thinking, restart: events, and lines in the terminal; after restart the text before it is taken back"
    yield from (f"✗ {cell.name}: {problem}" for cell in cells for problem in cell.problems)


if __name__ == "__main__":
    sys.exit(main())
