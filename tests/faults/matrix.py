"""Fills in the matrix: serves each variant by its production server and has every cause happen to it, over HTTP."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from bakery import name_of
from claude_server.client import ClaudeServer
from production import Production, variants

from .causes import DEADLINE, LONGEST, RETRIES, TIMEOUT
from .judging import Cell, leaks
from .keeping import kept
from .starting import without_key
from .trials import Trial

VARIANTS = variants("sync", "streaming", "async")
AT_ONCE = 3  # variants under way

HASTY = {
    "CLAUDE_TIMEOUT": str(TIMEOUT),
    "CLAUDE_DEADLINE": str(DEADLINE),
    "CLAUDE_MAX_RETRIES": "0",
    "CHAT_MAX_PROMPT_CHARS": str(LONGEST),
}
PATIENT = HASTY | {
    "CLAUDE_DEADLINE": "30",
    "CLAUDE_MAX_RETRIES": str(RETRIES),
    "CLAUDE_RETRY_AFTER_CAP": "1",
    "WEB_GRACE": "6",
}


class Outcome(NamedTuple):
    """The cells of one variant, and what of its run was searched for leaks."""

    variant: str
    cells: list[Cell]
    kept: list[Cell]
    """The same causes, as a queue or an error report keeps them."""
    logged: int
    """Bytes of log."""


def run_all(production: Production, folder: Path, said: Callable[[str], None]) -> list[Outcome]:
    """All variants, some at once. Tells `said` about each that is done."""
    for answers in VARIANTS:  # one after the other, as Cookiecutter changes the whole process while it renders
        production.bake(**answers)

    def one(answers: dict[str, Any]) -> Outcome:
        outcome = run_variant(production, answers, folder)
        said(f"{outcome.variant}: {len(outcome.cells)} cells")
        return outcome

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(one, VARIANTS))


def run_variant(production: Production, answers: dict[str, Any], folder: Path) -> Outcome:
    """Every cell of a variant. Four things go on side by side, each with an API of its own."""
    variant = name_of(answers)
    with ExitStack() as stack:
        claude = stack.enter_context(ClaudeServer.start())
        pool = stack.enter_context(ThreadPoolExecutor())

        def trial(name: str, settings: dict[str, str]) -> Trial:
            lane = claude.lane(name)
            home = folder / variant / name
            home.mkdir(parents=True)
            served = production.serve(answers, home, lane.base_url, **settings)
            return Trial(variant, stack.enter_context(served), lane)

        hasty, patient = trial("hasty", HASTY), trial("patient", PATIENT)
        keeping = pool.submit(kept, hasty.served, claude.lane("kept"), variant)
        keyless = pool.submit(without_key, production, answers, folder / variant / "keyless")
        waiting = pool.submit(lambda: [*patient.attempts(), *patient.restart()])
        cells = [*hasty.failures(), *hasty.refusals(), *waiting.result(), *keyless.result()]
        pickled = keeping.result()
        claude.stop()
        cells += hasty.refused_port()
        logs = [trial.served.server.printed() for trial in (hasty, patient)]
    cells += [
        Cell("anywhere", variant, "log", "leak", leaks=tuple(found)) for log in logs if (found := leaks("the log", log))
    ]
    return Outcome(variant, cells, pickled, sum(map(len, logs)))
