"""What has become of a case: whether its answer is as expected, and what that took."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from django.conf import settings
from pydantic import BaseModel, Field

from claude import prompts
from claude.answers import Answer
from claude.calls import Call
from claude.failures import Failure
from claude.messages import build_request, request_to
from evals import costs
from evals.cases import Case

logger = logging.getLogger("evals")

# An answer that is not as asked: the prompt's fault. All other failures are those of the API, or of the settings.
UNFIT = ("misfit", "cut_off", "all_thinking")


class Verdict(BaseModel):
    """Whether an answer meets a requirement."""

    reason: str = Field(description="why, in one sentence")
    passes: bool


class Result:
    """`outcome` is "passed", "failed" where the answer is not as expected, "error" where there was none to look at, and
    "asked" where the stand-in answered and nothing was compared. `problems` say why.
    """

    def __init__(self, case: Case) -> None:
        self.case = case
        self.outcome = "asked" if settings.CLAUDE_OFFLINE else "passed"
        self.problems: list[str] = []
        self.answer = ""
        self.calls: list[Call] = []

    @cached_property
    def cost(self) -> Any:
        """What all its calls have cost, once they have ended: each new case is held against the costs of all before it."""
        return sum(map(costs.cost_of, self.calls), costs.NOTHING)

    @property
    def seconds(self) -> float:
        return sum(call.seconds for call in self.calls)

    def note(self, outcome: str, *problems: str) -> None:
        if problems:
            self.outcome = outcome
            self.problems += problems

    @contextmanager
    def noting_failures(self) -> Iterator[None]:
        try:
            yield
        except Failure as failure:
            is_unfit = failure.kind in UNFIT and len(self.calls) == 1  # the second call is the judge's
            self.answer = self.answer or (self.calls[0].text if self.calls else "")
            who = "the judge: " if len(self.calls) > 1 else ""
            words = failure.detail if is_unfit else f"{failure.sentence} ({failure.detail or failure.kind})"
            self.note("failed" if is_unfit else "error", f"{who}{failure.kind}: {words}")
        except Exception as error:  # of a schema, or of a receiver: the results of the other cases are paid for
            logger.exception("A case broke off")
            self.note("error", f"unexpected: {type(error).__name__}")

    def compare(self, answer: Answer) -> None:
        """Raises `Failure` where Claude has declined."""
        # A character may come in halves, which no file takes.
        self.answer = text = answer.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        if answer.refusal:
            raise Failure("declined", answer.refusal_category or "")
        if settings.CLAUDE_OFFLINE:
            return
        expected = self.case.expect
        self.note("failed", *(f"lacks {each!r}" for each in expected.contains if each not in text))
        self.note("failed", *(f"contains {each!r}" for each in expected.not_contains if each in text))
        self.note("failed", *(f"does not match {each.pattern!r}" for each in expected.matches if not each.search(text)))
        if answer.stop_reason not in ("end_turn", "stop_sequence"):
            self.note("failed", f"is not whole: {answer.stop_reason!r}")

    def hear(self, verdict: Verdict) -> None:
        if not (verdict.passes or settings.CLAUDE_OFFLINE):
            self.note("failed", f"the judge: {verdict.reason!r}")


def most(case: Case, judge: str) -> Any:
    """The most that a case costs. Raises `Failure` where that is unknown."""
    if settings.CLAUDE_OFFLINE:
        return costs.NOTHING
    request = case.request()
    cost = costs.most(request)
    if case.expect.judge:
        cost += costs.most(judging(case, "", judge), answer_before=request["max_tokens"])
    return cost


def judging(case: Case, answer: str, judge: str) -> dict[str, Any]:
    """What goes to the judge. As JSON, an answer cannot pass for something else."""
    turns = [*(turn.model_dump() for turn in case.history), {"role": "user", "content": case.prompt}]
    material = {"conversation": turns, "answer": answer, "requirement": case.expect.judge}
    text = json.dumps(material, ensure_ascii=False, indent=1)
    request = build_request(text, prompts.read("judge"), schema=Verdict)
    return request if judge == request["model"] else request_to(judge, request)
