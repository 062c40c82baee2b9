"""What a run has shown: a table, JSON, and the difference to the last run, which .evals.json has."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from django.conf import settings

from claude import prompts
from evals import costs
from evals.cases import Case
from evals.results import Result

COMPARED = ("passed", "failed")
# Two answers to one question never cost the same: a smaller change says nothing.
WORTH_SAYING = 0.1


class Report:
    """`rows` has a row for each of the `cases`, also for those that were not asked."""

    def __init__(self, cases: Sequence[Case], results: Sequence[Result], judge: str) -> None:
        self.judge = judge
        self.last = last_run()
        by_name = {str(result.case): result for result in results}
        self.rows = [row(case, by_name.get(str(case)), self.last.get(str(case), {})) for case in cases]
        self.outcomes = Counter(row["outcome"] for row in self.rows)
        self.cost = sum((result.cost for result in results), costs.NOTHING)

    @property
    def all_passed(self) -> bool:
        return self.outcomes.keys() <= {"asked" if settings.CLAUDE_OFFLINE else "passed"}

    def lines(self) -> Iterator[str]:
        """The table. An answer stands there as Python writes it: a terminal obeys control characters."""
        width = max(len(row["case"]) for row in self.rows)
        yield f"{'case':{width}}  {'outcome':9}  {costs.UNIT:>10}  seconds  since the last run"
        for row in self.rows:
            cost, seconds = (costs.shown(row["cost"]), f"{row['seconds']:.1f}") if row["seconds"] else ("", "")
            line = f"{row['case']:{width}}  {row['outcome']:9}  {cost:>10}  {seconds:>7}  {row['change']}"
            yield line.rstrip()
            yield from (f"    {problem}" for problem in row["problems"])
            if row["problems"] and row["answer"]:
                yield f"    the answer: {row['answer'][:300]!r}{'…' if len(row['answer']) > 300 else ''}"
        counts = ", ".join(f"{number} {outcome}" for outcome, number in self.outcomes.items())
        both = [row for row in self.rows if row["case"] in self.last and row["outcome"] in COMPARED]
        change = change_of(sum(row["cost"] for row in both), sum(self.last[row["case"]]["cost"] for row in both))
        yield f"{counts}; {costs.shown(self.cost)} {costs.UNIT}{change and f' ({change})'}, by {settings.ANTHROPIC_MODEL}."

    def as_dict(self) -> dict[str, Any]:
        return {
            "model": settings.ANTHROPIC_MODEL,
            "judge": self.judge,
            "offline": settings.CLAUDE_OFFLINE,
            "passed": self.all_passed and not settings.CLAUDE_OFFLINE,
            "outcomes": self.outcomes,
            "unit": costs.UNIT,
            "cost": float(self.cost),
            "cases": self.rows,
        }

    def keep(self, cases: Sequence[Case]) -> None:
        """For the next run. Of a case that was not compared now, what it was before is kept."""
        compared = {row["case"]: row for row in self.rows if row["outcome"] in COMPARED}
        entries = {str(case): compared.get(str(case)) or self.last.get(str(case)) for case in cases}
        kept = {name: {k: e[k] for k in ("outcome", "cost")} for name, e in entries.items() if e}
        text = json.dumps({"unit": costs.UNIT, "cases": kept}, indent=1)
        (settings.BASE_DIR / ".evals.json").write_text(text, encoding="utf-8")


def last_run() -> dict[str, Any]:
    """The outcome and the cost of each case, when it was last compared."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        kept = json.loads((settings.BASE_DIR / ".evals.json").read_text(encoding="utf-8"))
        return dict(kept["cases"]) if kept["unit"] == costs.UNIT else {}
    return {}


def row(case: Case, result: Result | None, before: Mapping[str, Any]) -> dict[str, Any]:
    outcome = result.outcome if result else "not asked"
    cost = float(result.cost) if result else 0.0
    changes = {("passed", "failed"): "new failure", ("failed", "passed"): "fixed"}
    said = [changes.get((before.get("outcome", ""), outcome), "")]
    if before and outcome in COMPARED:
        said.append(change_of(cost, before["cost"]))
    return {
        "case": str(case),
        "outcome": outcome,
        "change": ", ".join(filter(None, said)),
        "problems": result.problems if result else [],
        "prompt_version": prompts.version_of(case.request()),
        "answer": result.answer if result else "",
        "cost": cost,
        "seconds": round(result.seconds, 3) if result else 0.0,
    }


def change_of(cost: float, before: float) -> str:
    """How much more or less was paid, where that is worth saying."""
    change = cost / before - 1 if before else 0
    return f"{change * 100:+.0f}%" if abs(change) >= WORTH_SAYING else ""
