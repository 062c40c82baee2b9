"""Builds a project's image without an engine: the steps of its Dockerfile, as they stand there, in a plain folder.

The file system of a stage is `root` below the folder of the build, and every absolute path of the Dockerfile means one
there. A finished stage is moved aside, so that all stages see themselves at the same place, as they do in an engine.
What a machine without an engine cannot do is in BASES and NOT_RUN, and nowhere else.
"""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

from uv import find_uv_bin

from dockerfile import copy_context, dockerfile_of, stages_of
from environments import variables_for

NOT_RUN = [
    # It would install into this machine.
    "RUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates"
    " && rm -rf /var/lib/apt/lists/*",
]
"""The steps that are left out, word for word."""

ACCOUNT = "10001"
"""Only root may give files away: the account that runs the tests stands in for the account of the image."""


class Base(NamedTuple):
    """An image from a registry, which is not fetched: what of it the machine stands in for."""

    pattern: str
    provide: object


def provide_python(root, python):
    """The interpreter of this machine where the image has its own: in /usr/local, first on PATH."""
    question = "import json, sys, sysconfig; print(json.dumps([sys.executable, sysconfig.get_path('stdlib')]))"
    done = subprocess.run([python, "-c", question], capture_output=True, text=True, check=True)
    executable, library = (Path(path) for path in json.loads(done.stdout))
    for name in ("bin", "lib"):
        (root / "usr/local" / name).mkdir(parents=True)
    for name in ("python", "python3", library.name):
        (root / "usr/local/bin" / name).symlink_to(executable)
    (root / "usr/local/lib" / library.name).symlink_to(library)


def provide_nginx(root, python):
    """The folder that nginx reads; tests/support/nginx_server.py runs one."""
    (root / "etc/nginx").mkdir(parents=True)


def provide_uv(root, python):
    shutil.copy2(find_uv_bin(), root / "uv")


BASES = [
    Base(r"python:3\.\d\d-slim-trixie", provide_python),
    Base(r"nginx:1\.\d\d", provide_nginx),
    Base(r"ghcr\.io/astral-sh/uv:\d+\.\d+", provide_uv),
]


class Image(NamedTuple):
    """What a build has made: the file system, and what the engine would start in it."""

    root: Path
    home: Path
    variables: dict
    command: list
    healthcheck: list
    not_run: list


class Build:
    """One build of one project."""

    def __init__(self, project, folder, python):
        self.folder = folder
        self.python = python
        self.root = folder / "root"
        self.context = folder / "context"
        self.stages = stages_of(dockerfile_of(project))
        self.not_run = []
        copy_context(project, self.context)

    def run(self):
        """Build every stage. Gives the last one, whose file system stays at `root`."""
        for stage in self.stages:
            self.start(stage)
            for instruction in stage.instructions:
                getattr(self, f"do_{instruction.name.lower()}")(instruction)
            if stage is not self.stages[-1]:
                self.root.rename(self.folder / stage.name)
        return Image(self.root, self.workdir, self.variables, self.command, self.healthcheck, self.not_run)

    def start(self, stage):
        self.root.mkdir()
        (base,) = [base for base in BASES if re.fullmatch(base.pattern, stage.base)]
        base.provide(self.root, self.python)
        self.workdir = self.root
        path = self.mapped("/usr/local/bin") + os.pathsep + "/usr/sbin:/usr/bin:/sbin:/bin"
        self.variables = {"PATH": path}
        self.command = self.healthcheck = None

    def mapped(self, text):
        """The text with its absolute paths below `root`, and with the account that runs the tests."""
        text = re.sub(r"(?<![^\s=:])/(?=\w)", lambda _: f"{self.root}/", text)
        return re.sub(rf"\b{ACCOUNT}\b", str(os.getuid()), text)

    def do_workdir(self, instruction):
        self.workdir = Path(self.mapped(instruction.text))
        self.workdir.mkdir(parents=True, exist_ok=True)

    def do_env(self, instruction):
        for word in instruction.words:
            name, value = word.split("=", 1)
            value = self.mapped(value)
            self.variables[name] = re.sub(r"\$(\w+)", lambda found: self.variables[found[1]], value)

    def do_copy(self, instruction):
        *sources, target = instruction.words
        origin = self.origin(instruction.flags.pop("from", None))
        assert not instruction.flags, f"an option that is not understood here: {instruction}"
        into_folder = target.endswith("/") or target in (".", "./")
        target = self.workdir / self.mapped(target)
        for source in sources:
            source = origin / source.lstrip("/")
            if source.is_dir():
                shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
            else:
                assert into_folder, f"the target is no folder: {instruction}"
                target.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target)

    def origin(self, name):
        """The folder that COPY takes from: the context, or a stage that is finished."""
        return self.folder / name if name else self.context

    def do_run(self, instruction):
        assert not instruction.flags, f"an option that is not understood here: {instruction}"
        if str(instruction) in NOT_RUN:
            self.not_run.append(str(instruction))
            return
        done = subprocess.run(
            ["/bin/sh", "-c", self.mapped(instruction.text)],
            cwd=self.workdir,
            env={**variables_for(None), **self.variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{instruction}\n{done.stdout}"

    def do_user(self, instruction):
        assert instruction.text == f"{ACCOUNT}:{ACCOUNT}", "Kubernetes wants numbers, to see that it is not root"

    def do_expose(self, instruction):
        assert instruction.text == self.variables["PORT"]

    def do_healthcheck(self, instruction):
        kind, command = instruction.text.split(maxsplit=1)
        assert kind == "CMD"
        self.healthcheck = json.loads(command)

    def do_cmd(self, instruction):
        self.command = json.loads(instruction.text)
