"""What is kept of a failure elsewhere: the pickle that a queue stores, the traceback that an error report shows."""

import base64
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from claude_server.client import KEY, Lane, refused_url
from environments import variables_for
from production import Served

from .causes import CAUSES, PROMPT, REFUSED_PORT, WRONG_KEY
from .judging import Cell, differs, leaks
from .trials import marker, surfaces

PROBE = Path(__file__).with_name("probe.py")


def kept(served: Served, lane: Lane, variant: str) -> list[Cell]:
    """The cells of all causes, as the project's own code raises them outside of a server."""
    lane.settings(key=KEY)
    for cause in CAUSES:
        if cause.step:
            lane.rule(marker(cause.name), otherwise=cause.step)
    with refused_url() as refused:
        return [judged(answer, variant) for answer in probed(served, lane, list(questions(served, refused)))]


def questions(served: Served, refused: str) -> Iterator[dict[str, Any]]:
    for cause in CAUSES:
        for surface in ["schema"] if cause.schema else surfaces(served.view_style):
            question = {"cause": cause.name, "row": cause.row, "surface": surface}
            question["prompt"] = f"{PROMPT} {marker(cause.name)}"
            if cause == REFUSED_PORT:
                question["settings"] = {"ANTHROPIC_BASE_URL": refused}
            if cause == WRONG_KEY:
                question["settings"] = {"ANTHROPIC_API_KEY": "sk-ant-another"}
            yield question


def probed(served: Served, lane: Lane, asked: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What probe.py makes of the questions, in the environment and with the settings of the server."""
    settings = served.settings | {
        "ANTHROPIC_BASE_URL": lane.base_url,
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "PYTHONPATH": str(served.project),
    }
    done = subprocess.run(
        ["python", PROBE],
        cwd=served.project,
        env=variables_for(served.environment, **settings),
        input="".join(json.dumps(question) + "\n" for question in asked),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def judged(answer: dict[str, Any], variant: str) -> Cell:
    pickled = base64.b64decode(answer["pickle"]).decode("latin-1")
    return Cell(
        answer["cause"],
        variant,
        f"{answer['surface']}, kept",
        answer["kind"],
        (*differs("kind", answer["row"], answer["kind"]), *differs("the same after pickling", True, answer["same"])),
        (*leaks("the pickle", pickled), *leaks("the traceback", answer["traceback"])),
    )
