"""Where commands and benchmarks bake and serve: a folder that keeps its environments from one run to the next."""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bakery import Bakery
from environments import Environments
from production import Production


@contextmanager
def workplace(folder: Path, environments: Path | None = None) -> Iterator[tuple[Production, Path]]:
    """A `Production` of the template as it is now, and an empty folder to serve copies in.

    Environments are kept in the folder of that name, or in another one that several workplaces share.
    """
    folder = folder.resolve()  # programs run in other folders
    for name in ("bakes", "production", "served"):
        shutil.rmtree(folder / name, ignore_errors=True)
    (folder / "served").mkdir(parents=True)
    with output_on_stderr():
        kept = Environments(environments or folder / "environments")
        yield Production(folder / "production", Bakery(folder / "bakes"), kept), folder / "served"


@contextmanager
def output_on_stderr() -> Iterator[None]:
    """What other programs print, such as the hooks of the template, does not come between the lines of a report."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
