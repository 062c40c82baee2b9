"""Reads a Dockerfile and what it may copy: stages, instructions, and the files that .dockerignore lets through."""

import io
import json
import re
import shlex
import shutil
from typing import NamedTuple

from docker.utils.build import PatternMatcher
from dockerfile_parse import DockerfileParser


class Instruction(NamedTuple):
    """One instruction: COPY --from=build /a /b is ("COPY", {"from": "build"}, "/a /b")."""

    name: str
    flags: dict
    text: str

    def __str__(self):
        return f"{self.name} {self.text}"

    @property
    def words(self):
        """The text as a list: a JSON array, or words of a shell."""
        return json.loads(self.text) if self.text.startswith("[") else shlex.split(self.text)


class Stage(NamedTuple):
    """What follows a FROM: the image that it starts from, its own name, and its instructions."""

    base: str
    name: str
    instructions: list

    def only(self, name):
        """The one instruction of this name."""
        (found,) = [instruction for instruction in self.instructions if instruction.name == name]
        return found


def stages_of(text):
    """The stages of a Dockerfile in their order. A stage without a name is called by its number."""
    stages = []
    parser = DockerfileParser(fileobj=io.BytesIO(text.encode()), env_replace=False)
    for line in parser.structure:
        if line["instruction"] == "COMMENT":
            continue
        flags, rest = flags_and_text(line["value"])
        if line["instruction"] == "FROM":
            base, *name = re.split(r"\s+AS\s+", rest, flags=re.IGNORECASE)
            stages.append(Stage(base, name[0] if name else str(len(stages)), []))
        else:
            stages[-1].instructions.append(Instruction(line["instruction"], flags, rest))
    return stages


def flags_and_text(value):
    """({"from": "build"}, "/a /b") of "--from=build /a /b"."""
    flags = {}
    while found := re.match(r"--([a-z-]+)(?:=(\S+))?\s+", value):
        flags[found[1]] = found[2]
        value = value[found.end() :]
    return flags, value


def dockerfile_of(project):
    return (project / "deploy/Dockerfile").read_text(encoding="utf-8")


def context_of(project):
    """The relative paths of the files that a build in this folder sees."""
    lines = (project / ".dockerignore").read_text(encoding="utf-8").splitlines()
    patterns = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    seen = {path for path in PatternMatcher(patterns).walk(project) if (project / path).is_file()}
    return seen - {".dockerignore"}  # the library adds it for old engines


def copy_context(project, folder):
    """Copy what a build sees to a folder, times and modes included."""
    for path in context_of(project):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(project / path, folder / path)
