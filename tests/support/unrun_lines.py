"""Which lines of rendered projects none of their own tests runs, whatever the answers: `make coverage`.

It runs the tests of the projects in own_tests.py, in which every answer is there. What only a server of the template's
tests runs is not counted, so it is listed: config/gunicorn.py and the like.
"""

import json
import os
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from bakery import name_of
from environments import find_python, run
from own_tests import ON_POSTGRESQL, RUNS
from postgres_server import postgresql
from workplace import workplace


class Line(NamedTuple):
    """A line is the same in two projects if function, text and how often that came before are the same in one file."""

    path: str
    function: str
    text: str
    repetition: int


def measure(project: Path, environment: Path, **variables: str) -> str:
    """Runs the tests of a project and leaves a report in its folder. Gives the percentage; its own gate must hold."""
    run(["coverage", "run", "-m", "pytest", "--quiet"], project, environment, **variables)
    run(["coverage", "json", "--fail-under=0"], project, environment)
    return run(["coverage", "report", "--format=total", "--precision=1"], project, environment).strip()


def lines_of(project: Path) -> Iterator[tuple[Line, bool]]:
    """Each line of the code of a measured project, and whether it was run."""
    report = json.loads((project / "coverage.json").read_text(encoding="utf-8"))
    for path, file in report["files"].items():
        source = (project / path).read_text(encoding="utf-8").splitlines()
        for function, found in file["functions"].items():
            ran = set(found["executed_lines"])
            seen: Counter[str] = Counter()
            for number in sorted(ran | set(found["missing_lines"])):
                text = source[number - 1].strip()
                seen[text] += 1
                yield Line(path, function, text, seen[text]), number in ran


def merged(projects: list[Path]) -> dict[Line, bool]:
    """Each line that there is in any of these, and whether it was run in any."""
    lines: dict[Line, bool] = {}
    for project in projects:
        for line, ran in lines_of(project):
            lines[line] = ran or lines.get(line, False)
    return lines


def report(lines: dict[Line, bool]) -> str:
    """The lines that were not run, by file and function, and how many were."""
    files = defaultdict(list)
    for line in sorted(lines, key=lambda line: line.path):
        files[line.path].append(line)
    said = []
    for path, there in files.items():
        unrun = [line for line in there if not lines[line]]
        if len(unrun) == len(there):
            said.append(f"{path}: none of its {len(there)} lines")
        elif unrun:
            said += [path, *(f"    {line.function or '-'}: {line.text}" for line in unrun)]
    return "\n".join([*said, f"{sum(lines.values()) / len(lines):.2%} of {len(lines)} lines were run"])


def main() -> None:
    with workplace(Path("build/coverage")) as (production, _), postgresql() as server:
        projects = [production.bake(**answers) for answers, _ in RUNS]

        def measured(number: int) -> str:
            answers, python = RUNS[number]
            database = {"DATABASE_URL": server.create(f"run_{number}")} if RUNS[number] in ON_POSTGRESQL else {}
            environment = production.environment(projects[number], find_python(python))
            return f"{measure(projects[number], environment, **database)} %  {name_of(answers)}, {python}"

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for said in pool.map(measured, range(len(RUNS))):
                print(said, flush=True)
    print(report(merged(projects)))


if __name__ == "__main__":
    main()
