"""`make mutants`: breaks claude/failures.py of a rendered project in every small way, and counts who notices.

First the project's own tests are asked; of what they let pass, the matrix. Fails when fewer than 90 % are noticed.
"""

import ast
import json
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import Any

from bakery import name_of
from claude_server.client import ClaudeServer
from environments import variables_for
from production import Production
from workplace import workplace

from .keeping import kept
from .matrix import HASTY, PATIENT
from .mutants import Mutant, mutants
from .trials import Trial

ANSWERS = {"view_style": "streaming", "client_wrapper": True}
ENOUGH = 0.9
AT_ONCE = os.cpu_count() or 1
OWN_TESTS = Path(__file__).with_name("own_tests.py")
MODULE = Path("claude", "failures.py")


def main() -> int:
    started = time.monotonic()
    with workplace(Path(sys.argv[1])) as (production, folder), ThreadPoolExecutor(AT_ONCE) as pool:
        project, environment = production.prepared(ANSWERS)
        source = (project / MODULE).read_text(encoding="utf-8")
        every = list(mutants(source))
        parts = [every[number::AT_ONCE] for number in range(AT_ONCE)]
        intact = ast.unparse(ast.parse(source))

        def left_by_own_tests(number: int) -> list[Mutant]:
            sources = [intact, *(mutant.source for mutant in parts[number])]
            intact_is_wrong, *noticed = ask_own_tests(project, environment, folder / f"tests-{number}", sources)
            assert not intact_is_wrong, "the project's own tests fail before anything is broken"
            return [mutant for mutant, seen in zip(parts[number], noticed, strict=True) if not seen]

        left = list(chain.from_iterable(pool.map(left_by_own_tests, range(AT_ONCE))))
        print(f"the project's own tests let {len(left)} of {len(every)} pass", file=sys.stderr, flush=True)
        wrong = pool.map(
            lambda number: wrong_cell(production, left[number], folder / f"left-{number}"), range(len(left))
        )
        cells = list(zip(left, wrong, strict=True))
    survivors = [mutant for mutant, cell in cells if cell is None]
    for mutant, cell in cells:
        print(f"{cell or 'NOBODY'}: {mutant.what}")
    noticed = 1 - len(survivors) / len(every)
    print(
        f"{len(every)} mutants of {MODULE.as_posix()}: {len(every) - len(left)} noticed by the project's own tests, "
        f"{len(left) - len(survivors)} more by the matrix, {len(survivors)} by nobody: "
        f"{noticed:.1%}; {time.monotonic() - started:.0f} s"
    )
    return 0 if noticed >= ENOUGH else 1


def ask_own_tests(project: Path, environment: Path, copy: Path, sources: list[str]) -> list[bool]:
    """Which of these versions of the module the tests of the project notice."""
    shutil.copytree(project, copy)
    done = subprocess.run(
        ["python", OWN_TESTS],
        cwd=copy,
        env=variables_for(environment),
        input="".join(json.dumps(source) + "\n" for source in sources),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


class Broken(Production):
    """Serves projects with another version of the module."""

    def __init__(self, production: Production, source: str, folder: Path) -> None:
        super().__init__(folder, production.bake, production.environment)
        self.whole = production
        self.source = source

    def prepared(self, answers: dict[str, Any], python: str = "oldest") -> tuple[Path, Path]:
        project, environment = self.whole.prepared(answers, python)
        copy = self.folder / "broken" / project.name
        if not copy.exists():
            shutil.copytree(project, copy)
            (copy / MODULE).write_text(self.source, encoding="utf-8")
        return copy, environment


def wrong_cell(production: Production, mutant: Mutant, folder: Path) -> str | None:
    """The first cell of the matrix that is wrong with a mutant, by name."""
    broken = Broken(production, mutant.source, folder)
    with ClaudeServer.start() as claude:
        for name, settings in {"hasty": HASTY, "patient": PATIENT}.items():
            lane = claude.lane(name)
            (folder / name).mkdir()
            try:
                with broken.serve(ANSWERS, folder / name, lane.base_url, **settings) as served:
                    trial = Trial(name_of(ANSWERS), served, lane)
                    if name == "hasty":
                        cells = chain(trial.failures(), kept(served, claude.lane("kept"), "kept"), trial.refusals())
                    else:
                        cells = trial.attempts()
                    if bad := next((cell.name for cell in cells if not cell.good), None):
                        return bad
            except AssertionError as error:
                return f"the server: {str(error)[:80]!r}"
    return None


if __name__ == "__main__":
    sys.exit(main())
