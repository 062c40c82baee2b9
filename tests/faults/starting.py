"""Starts servers that could not answer anybody, to see that they do not stay."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

from bakery import name_of
from production import Production
from project_server import production_server

from .judging import Cell
from .trials import surfaces

PATIENCE = 60  # seconds that a server may take to give up, on a machine busy with other tests
NO_KEY = "no key at all"


def without_key(production: Production, answers: dict[str, Any], folder: Path) -> list[Cell]:
    """The cells of a server in production, with all its workers, that was given no key."""
    problems = []
    prepared, environment = production.prepared(answers)
    project = Path(shutil.copytree(prepared, folder))
    settings = production.settings(ANTHROPIC_API_KEY="", WEB_WORKERS="2")
    try:
        with production_server(project, environment, **settings) as server:
            code = server.process.wait(PATIENCE)
            said = server.printed()
            if code == 0:
                problems.append("expected an exit status that says failure, got 0")
    except subprocess.TimeoutExpired:
        said = ""
        problems.append(f"expected no server, but it is still there after {PATIENCE} s")
    except AssertionError as error:  # it stopped before it listened
        said = str(error)
    if "ANTHROPIC_API_KEY is empty" not in said:
        problems.append(f"expected the setting that is missing, got {said[-200:]!r}")
    view_style = answers["view_style"]
    return [Cell(NO_KEY, name_of(answers), surface, "–", tuple(problems)) for surface in surfaces(view_style)]
