"""Renders the template for the tests: which answers there are, and one project per set of answers."""

import hashlib
import json
import os
import shutil
import tempfile
from contextlib import contextmanager
from itertools import product
from pathlib import Path

from allpairspy import AllPairs
from cookiecutter.generate import generate_context
from cookiecutter.main import cookiecutter
from cookiecutter.prompt import prompt_for_config
from filelock import FileLock

TEMPLATE = Path(__file__).resolve().parents[2]
PROJECT_SOURCE = TEMPLATE / "{{cookiecutter.project_slug}}"
CONFIG = json.loads((TEMPLATE / "cookiecutter.json").read_text(encoding="utf-8"))

OPTIONS = {name: value for name, value in CONFIG.items() if not name.startswith("_")}
"""The questions with their default answer, or with all the answers there are."""


def choices(option):
    """Every answer that a question takes, the default first. Empty for free text."""
    value = OPTIONS[option]
    if isinstance(value, bool):
        return [value, not value]
    return list(value) if isinstance(value, list) else []


MAIN_OPTIONS = ["view_style", "client_wrapper", "env_file", "nginx"]
OTHER_OPTIONS = [option for option in OPTIONS if choices(option) and option not in MAIN_OPTIONS]


def name_of(answers):
    """A short name for a test report: what was chosen, options that are off left out."""
    words = [option if value is True else str(value) for option, value in answers.items() if value is not False]
    return "+".join(words).replace("client_", "").replace("env_file", "env")


VARIANTS = [
    dict(zip(MAIN_OPTIONS, values, strict=True)) for values in product(*(choices(option) for option in MAIN_OPTIONS))
]
"""All combinations of the four options that shape the code."""

PAIRS = [
    dict(zip([*MAIN_OPTIONS, *OTHER_OPTIONS], values, strict=True))
    for values in AllPairs([choices(option) for option in [*MAIN_OPTIONS, *OTHER_OPTIONS]])
]
"""Few sets of answers in which every two answers to any two questions meet."""


def rendering_context(answers):
    """What the template's files see for these answers."""
    refuse_unknown(answers)
    context = generate_context(str(TEMPLATE / "cookiecutter.json"), extra_context=answers)
    context["cookiecutter"].update(prompt_for_config(context, no_input=True))
    return context


def refuse_unknown(answers):
    """Cookiecutter ignores an option that it does not know, and a test would then prove something else."""
    unknown = answers.keys() - OPTIONS.keys()
    if unknown:
        raise ValueError(f"no such option: {', '.join(sorted(unknown))}")


def render(answers, output_dir):
    """Render a project below `output_dir`, hooks included, and return its folder. The hook finds no uv to lock with."""
    refuse_unknown(answers)
    output_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, environ(PATH=scratch), temporary_files_in(scratch):
        project = cookiecutter(
            str(TEMPLATE),
            no_input=True,
            extra_context=answers,
            output_dir=str(output_dir),
            default_config={"replay_dir": scratch, "cookiecutters_dir": scratch},
        )
    return Path(project)


class Bakery:
    """Renders each set of answers once, for all test processes that share a folder."""

    def __init__(self, folder):
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)

    def __call__(self, **answers):
        """The folder of the project with these answers. Tests only read it; `bake_copy` is for those that write."""
        key = hashlib.sha256(json.dumps(answers, sort_keys=True).encode()).hexdigest()[:12]
        shelf = self.folder / key
        with FileLock(f"{shelf}.lock"):
            if not shelf.exists():
                unfinished = self.folder / f"{key}.unfinished"
                shutil.rmtree(unfinished, ignore_errors=True)
                render(answers, unfinished)
                unfinished.rename(shelf)
        (project,) = shelf.iterdir()
        return project


def files_of(project):
    """The relative paths of all files of a project, as text."""
    return {path.relative_to(project).as_posix() for path in project.rglob("*") if path.is_file()}


@contextmanager
def environ(**changes):
    """Environment variables that hold inside the block."""
    before = dict(os.environ)
    os.environ.update(changes)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def temporary_files_in(folder):
    """Cookiecutter leaves every rendered hook among the temporary files; inside the block they go to `folder`."""
    before = tempfile.tempdir
    tempfile.tempdir = str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = before
