"""Runs what an image holds as compose.yaml has an engine do it: unprivileged, on a file system to read only."""

import json
import os
import shutil
import subprocess
from pathlib import Path

from filelock import FileLock
from uv import find_uv_bin

from bakery import name_of
from environments import find_python, run, skip_or_fail, variables_for
from image_build import Build, Image
from project_server import Server, free_port

PLANTED = "planted-where-no-image-may-look"
LEFTOVERS = [
    ".env",
    ".env.production",
    ".git/config",
    ".pytest_cache/README.md",
    ".venv/bin/python",
    "chat/.env.local",
    "chat/__pycache__/views.cpython-311.pyc",
    "config/server.key",
    "db.sqlite3",
    "db.sqlite3-wal",
    "deploy/fullchain.pem",
    "staticfiles/old.css",
]
"""What work on a project leaves in its folder, and no image may hold."""


class Images:
    """Builds the image of each set of answers once, for all test processes that share a folder. Tests only read it."""

    def __init__(self, folder, bake):
        self.folder = folder
        self.bake = bake
        self.folder.mkdir(parents=True, exist_ok=True)

    def __call__(self, answers, python):
        """The image, and the folder in which its other stages are."""
        shelf = self.folder / name_of(answers)
        kept = shelf / "image.json"
        with FileLock(f"{shelf}.lock"):
            if not kept.exists():
                shutil.rmtree(shelf, ignore_errors=True)
                image = self.build(answers, shelf, find_python(python))
                kept.write_text(json.dumps(image, default=str), encoding="utf-8")
        root, home, *rest = json.loads(kept.read_text(encoding="utf-8"))
        return Image(Path(root), Path(home), *rest), shelf

    def build(self, answers, shelf, python):
        baked = self.bake(**answers)
        project = Path(shutil.copytree(baked, shelf / "project" / baked.name))
        if not (project / "requirements.txt").exists():
            run([find_uv_bin(), "lock", "--quiet", "--python", python], project)
        plant_leftovers(project)
        # A careful umask, under which nobody but the owner of a clone reads it.
        for path in project.rglob("*"):
            path.chmod(0o700 if path.is_dir() else 0o600)
        image = Build(project, shelf, python).run()
        seal(image.root, image.root / "data")
        return image


def plant_leftovers(project):
    for name in LEFTOVERS:
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(PLANTED, encoding="utf-8")


def seal(folder, but):
    """Take away everybody's right to write, as `read_only` does."""
    for path in [folder, *folder.rglob("*")]:
        if not path.is_symlink() and path != but:
            path.chmod(path.stat().st_mode & ~0o222)


def confined():
    """Run by root or not, what follows has none of root's powers, as with `cap_drop` and `no-new-privileges`."""
    setpriv = shutil.which("setpriv") or skip_or_fail("no setpriv is installed")
    return [setpriv, "--no-new-privs", *(["--inh-caps=-all", "--bounding-set=-all"] if os.geteuid() == 0 else [])]


class Container:
    """An image with the variables that compose.yaml and the file of secrets would give it."""

    def __init__(self, image, **variables):
        self.image = image
        self.variables = {**image.variables, "DEBUG": "false", **variables}

    def without(self, *names):
        """The same with these variables missing."""
        kept = {name: value for name, value in self.variables.items() if name not in names}
        container = Container(self.image)
        container.variables = kept
        return container

    def command(self, command):
        return ["env", f"--chdir={self.image.home}", *confined(), *command]

    def environment(self, **more):
        kept = {name: value for name, value in variables_for(None).items() if not name.startswith(("UV_", "PIP_"))}
        return {**kept, **self.variables, **more}

    def attempt(self, command, **more):
        """How a command ended, and what it printed."""
        return subprocess.run(
            self.command(command),
            env=self.environment(**more),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )

    def run(self, command, **more):
        """What a command printed, which must end well."""
        done = self.attempt(command, **more)
        assert done.returncode == 0, f"{command}\n{done.stdout}"
        return done.stdout

    def serve(self, folder):
        """Start what the image starts, on this machine's loopback address only."""
        port = free_port()
        variables = self.environment(WEB_HOST="127.0.0.1", PORT=str(port))
        return Server(self.command(self.image.command), folder, variables, port)
