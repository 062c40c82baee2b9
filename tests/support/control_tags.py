"""Counts the control tags of the template: what a reader of an unrendered file has to think away."""

import re
from typing import NamedTuple

from bakery import PROJECT_SOURCE, TEMPLATE

TAG = re.compile(r"^\s*# %|\{%", re.MULTILINE)
RAW = re.compile(r"(\{% raw %\}).*?(\{% endraw %\})", re.DOTALL)
"""What Jinja passes on as it is: pages of Django in an app that an answer leaves out."""
WITHOUT_TAGS = {".html", ".css", ".js", ".svg"}
"""These belong to Django and to browsers, and are copied as they are."""


class Counted(NamedTuple):
    """One file of the template."""

    name: str
    tags: int
    lines: int


def counted():
    """Every file that Jinja reads, the fragments that several files share included."""
    for folder in (PROJECT_SOURCE, TEMPLATE / "templates"):
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.suffix not in WITHOUT_TAGS:
                text = path.read_text(encoding="utf-8")
                tags = TAG.findall(RAW.sub(r"\1\2", text))
                yield Counted(path.relative_to(TEMPLATE).as_posix(), len(tags), text.count("\n"))


def per_thousand_lines(files):
    files = list(files)
    return 1000 * sum(file.tags for file in files) / sum(file.lines for file in files)
