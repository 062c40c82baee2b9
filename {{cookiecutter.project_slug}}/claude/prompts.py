"""What Claude is told, by the names of the files in prompts/, each with its version for the log."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent.parent / "prompts"


class Prompt(str):
    """The text of a file. Its `version`, such as "system@3f2a9c1d04", is the file's name and git's own id of its content.

    Nobody has to count it up, and it cannot be wrong: `git show 3f2a9c1d04` prints that very text, once it is committed.
    """

    version: str | None = None

    def __new__(cls, text: str, version: str | None = None) -> Prompt:
        prompt = super().__new__(cls, text)
        prompt.version = version
        return prompt

    def format(self, *args: object, **kwargs: object) -> Prompt:
        """The text with its `{fields}` filled in, of the same version."""
        return Prompt(super().format(*args, **kwargs), self.version)


@functools.cache
def read(name: str) -> Prompt:
    """The text of prompts/NAME.md, read once in a process. Raises ValueError for a name that no file has."""
    files = {path.stem: path for path in sorted(FOLDER.glob("*.md"))}
    if name not in files:
        raise ValueError(f"There is no prompts/{name}.md. There are: {', '.join(files) or 'none'}.")
    content = files[name].read_bytes().replace(b"\r\n", b"\n")
    # https://git-scm.com/book/en/v2/Git-Internals-Git-Objects
    blob = hashlib.sha1(b"blob %d\0%s" % (len(content), content), usedforsecurity=False).hexdigest()
    return Prompt(content.decode().strip(), f"{name}@{blob[:10]}")


def version_of(request: Mapping[str, Any]) -> str | None:
    """The version of the system prompt in a request, None where it comes from no file."""
    system = request.get("system")
    blocks = system if isinstance(system, list) else [{"text": system}]
    texts = [block.get("text") for block in blocks if isinstance(block, Mapping)]
    return next((text.version for text in texts if isinstance(text, Prompt)), None)
