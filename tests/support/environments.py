"""Finds the Pythons of this machine, and builds on them the environments that rendered projects declare."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from contextlib import suppress
from functools import cache
from itertools import chain
from pathlib import Path

import pytest
from filelock import FileLock
from uv import find_uv_bin

OLDEST = (3, 11)
PYTHONS = ["oldest", "newest"]
"""The oldest that a project runs on, with Django's LTS release, and the newest found, with the newest Django."""

RESOLUTION = os.environ.get("UV_RESOLUTION", "highest")
"""Which versions a project gets: "highest" for the newest, "lowest-direct" for the lowest ones that it declares."""

ON_CI = bool(os.environ.get("CI"))


def skip_or_fail(reason):
    """A laptop may lack something and skip; the machine that proves a change may not."""
    if ON_CI:
        pytest.fail(f"{reason}, and CI must not skip", pytrace=False)
    pytest.skip(reason)


def find_python(name):
    """The interpreter called "oldest" or "newest". Skips when this machine has none."""
    found = interpreters()
    if name == "oldest":
        return found.get(OLDEST) or skip_or_fail("no Python 3.11 found")
    newest = max(found)
    return found[newest] if newest > OLDEST else skip_or_fail("no Python newer than 3.11 found")


@cache
def interpreters():
    """Every usable CPython from 3.11 on: {(3, 11): path, …}."""
    found = {}
    for candidate in candidates():
        version = version_of(candidate)
        if version and version[:2] >= OLDEST:
            found.setdefault(version[:2], candidate)
    return found


def candidates():
    """Where a Python may be: this one, those on PATH, those that pyenv and uv keep. Some may prove to be none."""
    yield Path(sys._base_executable)
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    for minor in range(20, OLDEST[1] - 1, -1):
        yield from (folder / f"python3.{minor}" for folder in folders)
    for root in kept_by(["pyenv", "root"]):
        yield from sorted(root.glob("versions/3.*/bin/python"), reverse=True)
    for root in kept_by([find_uv_bin(), "python", "dir"]):
        yield from sorted(root.glob("cpython-3.*/bin/python"), reverse=True)


def kept_by(command):
    """The folder that a version manager prints, when there is such a manager."""
    if shutil.which(command[0]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            yield Path(done.stdout.strip())


def version_of(python):
    """(3, 13, 0) for a CPython that can make environments; None for what is none, or a development release."""
    question = "import json, sys, ensurepip; print(json.dumps([sys.implementation.name, *sys.version_info]))"
    if not python.exists():
        return None
    done = subprocess.run([python, "-c", question], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return None
    implementation, *version, level, _ = json.loads(done.stdout)
    return tuple(version) if (implementation, level) == ("cpython", "final") else None


def declared_dependencies(project, groups=("dev",)):
    """What a project asks for, for use and in these groups, from whichever files it keeps that in; sorted."""
    if (project / "requirements.txt").exists():
        lines = [
            line.split(" #")[0].strip()
            for name in ("requirements.txt", *(f"requirements-{group}.txt" for group in groups))
            for line in (project / name).read_text(encoding="utf-8").splitlines()
        ]
        return sorted({line for line in lines if line and not line.startswith(("#", "-r "))})
    declared = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))
    return sorted({*declared["project"]["dependencies"], *chain(*map(declared["dependency-groups"].get, groups))})


class Environments:
    """Builds each set of dependencies once per Python, for all test processes that share a folder."""

    def __init__(self, folder):
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)

    def __call__(self, project, python, resolution=RESOLUTION):
        """The folder of an environment with what the project declares, and nothing else."""
        wanted = declared_dependencies(project)
        key = hashlib.sha256(json.dumps([str(python), wanted, resolution]).encode()).hexdigest()[:12]
        folder = self.folder / key
        with FileLock(f"{folder}.lock"):
            if not (folder / "built").exists():
                build(folder, python, wanted, resolution)
                (folder / "built").touch()
        return folder


def build(folder, python, wanted, resolution):
    """Make an environment with these requirements."""
    uv(["venv", "--clear", "--python", python, folder])
    requirements = folder / "requirements.txt"
    requirements.write_text("\n".join(wanted) + "\n", encoding="utf-8")
    command = ["pip", "install", "--resolution", resolution, "--python", folder / "bin" / "python"]
    uv([*command, "--requirements", requirements])
    take_compiled(folder)


def take_compiled(folder):
    """Have an environment begin with what the first one has compiled by now: that of Django and the SDK takes seconds.

    uv links the files of a package from its cache. Only what was compiled from the very same file is taken.
    """
    (packages,) = folder.glob("lib/python*/site-packages")
    built = sorted(folder.parent.glob(f"*/{packages.parent.relative_to(folder)}/../../built"), key=os.path.getmtime)
    for first in built[:1]:
        others = first.parent / packages.relative_to(folder)
        for compiled in others.rglob("__pycache__/*.pyc"):
            name = compiled.relative_to(others)
            source = name.parent.parent / f"{name.name.split('.')[0]}.py"
            with suppress(OSError):
                if (packages / source).samefile(others / source):
                    (packages / name.parent).mkdir(exist_ok=True)
                    (packages / name).hardlink_to(compiled)


def uv(arguments):
    """Run uv, away from any project whose settings it would take over. Its own words are the error."""
    done = subprocess.run(
        [find_uv_bin(), "--quiet", "--no-config", *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def start(command, cwd, variables, log):
    """Start a command, and have it append what it says to a file."""
    with open(log, "ab") as output:
        words = [str(word) for word in command]
        return subprocess.Popen(words, cwd=cwd, env=variables, stdout=output, stderr=subprocess.STDOUT)


def run(command, cwd, environment=None, start=start, **variables):
    """Run a command as a developer of the project would, with its environment active. Gives what it printed.

    A failure of the command is a failure of the test. `start` is the function above, or its like.
    """
    with tempfile.NamedTemporaryFile() as log:
        code = start(command, cwd, variables_for(environment, **variables), log.name).wait()
        printed = Path(log.name).read_text(encoding="utf-8")
    assert code == 0, f"{' '.join(map(str, command))} ended with {code}:\n{printed}"
    return printed


KEPT = {"HOME", "LANG", "LC_ALL", "TMPDIR", "CI", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"}


def variables_for(environment, **variables):
    """What a rendered project finds in its process environment: nothing that was exported for another project."""
    kept = {name: value for name, value in os.environ.items() if name in KEPT or name.startswith(("UV_", "PIP_"))}
    path = os.environ["PATH"]
    if environment:
        kept["VIRTUAL_ENV"] = str(environment)
        path = f"{environment / 'bin'}{os.pathsep}{path}"
    return {**kept, "PATH": path, **variables}


if __name__ == "__main__":
    # For .ci/run: the versions that the tests want and this machine lacks, as uv names them.
    if OLDEST not in interpreters():
        print("3.11")
    if max(interpreters()) == OLDEST:
        print(">=3.12")
