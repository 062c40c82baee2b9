"""Prints the matrix: rows are causes, columns are variants, each cell is what the user read."""

from collections.abc import Iterator
from itertools import groupby

from .causes import ATTEMPTS, CAUSES, REFUSALS, RESTART, RETRIES, ROWS
from .judging import Cell, again
from .matrix import Outcome
from .starting import NO_KEY

SECTIONS = {
    "A call fails": [(cause.name, cause.row) for cause in [*CAUSES, RESTART]],
    "The project refuses": [(refusal.name, "") for refusal in REFUSALS],
    f"Requests that reach the API, with {RETRIES} retries": [(again(retried.name), "") for retried in ATTEMPTS],
    "The server does not start": [(NO_KEY, "")],
}
"""The rows: each the name of a cause, and of the row of the table that it belongs to."""

NAME, KIND, CELL = 42, 15, 8  # characters


def report(outcomes: list[Outcome], seconds: float) -> Iterator[str]:
    """The lines of the whole report."""
    cells = [cell for outcome in outcomes for cell in outcome.cells]
    found = {(cell.cause, cell.variant, cell.surface): cell for cell in cells}
    columns = list(dict.fromkeys((cell.variant, cell.surface) for cell in cells if cell.surface in ("json", "events")))
    for title, rows in SECTIONS.items():
        yield ""
        yield from heads(title, columns)
        for name, row in rows:
            shown = "".join(show(found.get((name, *column))) for column in columns)
            yield f"{name:<{NAME}}{row:<{KIND}}{shown}".rstrip()
    yield ""
    yield "✓ as the table says   ✗ not   … as an event, after the text that had arrived   · cannot happen there"
    for name, row in ROWS.items():
        yield f"{name:<{KIND}}{row.status} {row.sentence} (log: {row.level.lower()})"
    yield ""
    everything = [*cells, *(cell for outcome in outcomes for cell in outcome.kept)]
    yield from wrong(everything)
    yield summary(outcomes, everything, seconds)


def heads(title: str, columns: list[tuple[str, str]]) -> Iterator[str]:
    """The title, and above the columns the view style, whether there is the wrapper, and how the answer is read."""
    parts = [
        (variant.partition("+")[0], "wrapper" if "+wrapper" in variant else "no wrapper", surface)
        for variant, surface in columns
    ]
    for depth, left in enumerate((title, "", "")):
        labels = groupby(parts, key=lambda part: part[: depth + 1])
        yield f"{left:<{NAME + KIND}}" + "".join(label(path[-1], len(list(group))) for path, group in labels).rstrip()


def label(text: str, columns: int) -> str:
    width = CELL * columns
    return f"{text[: width - 1]:<{width}}"


def show(cell: Cell | None) -> str:
    text = "·" if cell is None else f"{cell.shown} {'✓' if cell.good else '✗'}"
    return f"{text:<{CELL}}"


def wrong(cells: list[Cell]) -> Iterator[str]:
    """Each cell that is not as it should be, with what was expected and what was got."""
    for cell in cells:
        for problem in (*cell.problems, *cell.leaks):
            yield f"✗ {cell.name}: {problem}"


def summary(outcomes: list[Outcome], cells: list[Cell], seconds: float) -> str:
    kept = sum(len(outcome.kept) for outcome in outcomes)
    logged = sum(outcome.logged for outcome in outcomes)
    bad = sum(not cell.good for cell in cells)
    leaks = sum(len(cell.leaks) for cell in cells)
    return (
        f"{len(cells) - kept:,} cells and {kept:,} pickled failures in {len(outcomes)} variants, {bad} wrong; "
        f"{leaks} leaks in all their responses, pickles, tracebacks and {logged:,} bytes of log; {seconds:.0f} s"
    )
