"""`manage.py evals`: whether Claude, with the prompts of this project, answers as the cases in evals/*.yaml expect."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from claude.failures import Failure
from evals import costs

if TYPE_CHECKING:
    from evals.results import Result

OFFLINE = (
    "There is no ANTHROPIC_API_KEY: the offline stand-in answered. That tests the files and the requests, "
    "and no answer was compared."
)


class Command(BaseCommand):
    help = (
        "Asks Claude the cases in evals/*.yaml and compares the answers with what they expect. "
        "Ends with 1 where a case has not passed, with 2 where it could not begin."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("words", nargs="*", help="ask only the cases with one of these words in their file or name")
        parser.add_argument("--at-once", type=int, default=4, help="how many cases are asked at once")
        budget = f"ask no more than so many {costs.UNIT} are sure to pay for, or none for no limit"
        parser.add_argument("--budget", type=costs.amount, default=costs.DEFAULT_BUDGET, help=budget)
        parser.add_argument("--judge", metavar="MODEL", default="", help="the model that judges; else ANTHROPIC_MODEL")
        parser.add_argument("--json", metavar="FILE", help="write the results there, too")

    def handle(self, *args: Any, **options: Any) -> None:
        if not find_spec("yaml"):
            raise CommandError("Install PyYAML, which is a tool for development: make setup", returncode=2)
        if options["at_once"] < 1:
            raise CommandError("--at-once must be 1 or more.", returncode=2)
        from evals import cases, report, runner  # they need PyYAML

        try:
            every = cases.read()
            if options["json"]:
                Path(options["json"]).write_text("", encoding="utf-8")  # or else it fails after all is paid for
        except cases.Broken as error:
            raise CommandError(f"Nothing was asked. Mend this first:\n{error}", returncode=2) from None
        except OSError as error:
            raise CommandError(f"--json {options['json']}: {error.strerror}", returncode=2) from None
        chosen = [case for case in every if not options["words"] or any(word in str(case) for word in options["words"])]
        if not chosen:
            raise CommandError("No case has such a word in its file or name.", returncode=2)
        judge = options["judge"] or settings.ANTHROPIC_MODEL
        results: list[Result] = []
        is_stopped = False
        try:
            runner.run(chosen, judge, options["at_once"], options["budget"], results)
        except KeyboardInterrupt:
            is_stopped = True
        except Failure as failure:  # of no case: those are in the results
            raise CommandError(f"{failure.sentence} ({failure.detail}).", returncode=2) from None
        found = report.Report(chosen, results, judge)
        for line in found.lines():
            self.say(line)
        if options["json"]:
            Path(options["json"]).write_text(json.dumps(found.as_dict(), indent=1), encoding="utf-8")
        if settings.CLAUDE_OFFLINE:
            self.say(OFFLINE)
        else:
            found.keep(every)
        if is_stopped:
            raise CommandError("Stopped.", returncode=130)
        if found.outcomes["not asked"]:
            raise CommandError(f"The budget of {options['budget']} {costs.UNIT} has no room for more: see --budget.")
        if not found.all_passed:
            raise CommandError("Not every case has passed.")

    def say(self, line: str) -> None:
        """With a question mark for each character that the terminal lacks."""
        encoding = getattr(self.stdout, "encoding", None) or "utf-8"
        self.stdout.write(line.encode(encoding, "replace").decode(encoding))
