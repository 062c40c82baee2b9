"""A project of each released version, changed by a team, is updated to the template's last commit: what is kept?

    make updates
    make updates A="--version 0.3.0 --variant async --quick"

For each version and variant: the project is made as of that version, committed, and changed in each way that a team
changes one. Every table of its database gets rows. `make update`, or before version 0.4.0 `cruft update`, brings it to
the last commit of this repository; whoever resolves a conflict here keeps both sides. Then Django joins and applies the
migrations, the rows are compared, and the project's own tests run.
"""

import argparse
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import rig
import team
from bakery import TEMPLATE
from environments import Environments, find_python, run
from postgres_server import postgresql
from rows import changed_rows
from workplace import output_on_stderr

VARIANTS = {
    "streaming": {},
    "async": {"view_style": "async", "client_wrapper": False, "database": "postgresql", "package_manager": "pip"},
    "sync": {"view_style": "sync", "nginx": False, "docker": False, "env_file": False},
}
QUICK = ["tests/test_library.py", "tests/test_checks.py", "tests/test_isolation.py"]
BIN = Path(sys.executable).parent
IDENTITY = {f"GIT_{role}_{what}": "team@example.com" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
CONFLICT = re.compile(r"^<<<<<<< .*?\n(.*?)^=======\n(.*?)^>>>>>>> .*?\n", re.MULTILINE | re.DOTALL)


def versions():
    """{version: what git calls it}, as the links of the changelog say."""
    changelog = (TEMPLATE / "CHANGELOG.md").read_text(encoding="utf-8")
    return dict(re.findall(r"^\[(\d+\.\d+\.\d+)\]: \S*/([^/\s]+)$", changelog, re.MULTILINE))


class Project:
    """One project on its way from a version to the template's last commit."""

    def __init__(self, folder, template, answers, url):
        self.folder, self.template, self.answers = folder, template, answers
        self.path = folder / "my_claude_app"
        self.settings = {"DEBUG": "true", "SECRET_KEY": "for-this-run"} | ({"DATABASE_URL": url} if url else {})

    def git(self, *arguments):
        return run(["git", *arguments], self.path, **IDENTITY)

    def commit(self):
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "change")

    def python(self, *arguments):
        return run([self.environment / "bin" / "python", *arguments], self.path, self.environment, **self.settings)

    def rows(self, *arguments):
        said = self.python(TEMPLATE / "tests" / "support" / "rows.py", *arguments)
        return json.loads(said.splitlines()[-1])

    def make(self, reference, environments):
        """The project as of a version, with a team's changes and rows in every table."""
        old = self.folder / "template"
        run(["git", "clone", "--quiet", self.template, old], self.folder)
        run(["git", "checkout", "--quiet", reference], old)
        words = [f"{name}={answer}" for name, answer in self.answers.items()]
        command = [BIN / "cookiecutter", "--no-input", "--default-config", "--output-dir", self.folder, old, *words]
        run(command, self.folder, UV_OFFLINE="1")
        self.git("init", "--quiet")
        self.commit()
        if not (self.path / ".cruft.json").exists():
            context = json.dumps(self.answers)
            link = ["link", "--no-input", "--default-config", "--checkout", reference, "--extra-context", context]
            run([BIN / "cruft", *link, self.template], self.path)
            self.commit()
        self.environment = environments(self.path, find_python("oldest"))
        team.change(self.path)
        self.python("manage.py", "makemigrations", "--name", "team", "accounts", "library")
        self.commit()
        self.python("manage.py", "migrate")
        return self.rows("fill")

    def update(self):
        """Update, and keep both sides of each conflict. Gives the files that had one, and those that git rejected."""
        if "\nupdate:" in (self.path / "Makefile").read_text(encoding="utf-8"):
            command = ["make", "update", f"ARGS=--template-path {self.template}"]
        else:  # made before version 0.4.0
            command = [BIN / "cruft", "update", "--skip-apply-ask", "--template-path", self.template]
        run(command, self.path)
        conflicts = self.git("diff", "--name-only", "--diff-filter=U").split()
        for name in conflicts:
            path = self.path / name
            path.write_text(CONFLICT.sub(r"\1\2", path.read_text(encoding="utf-8")), encoding="utf-8")
        return conflicts, [path.name for path in self.path.rglob("*.rej")]

    def test(self, quick):
        """The last line of its own tests, and their exit status."""
        command = ["-m", "pytest", "-q", "-p", "no:cacheprovider", *(QUICK if quick else [])]
        done = subprocess.run(
            [self.environment / "bin" / "python", *command],
            cwd=self.path,
            env={"PATH": os.environ["PATH"], "HOME": os.environ["HOME"]},
            capture_output=True,
            text=True,
            check=False,
        )
        (self.folder / "tests.log").write_text(done.stdout + done.stderr, encoding="utf-8")
        return done.stdout.strip().splitlines()[-1].strip("= "), done.returncode


def measure(folder, template, reference, answers, environments, url, quick):
    """What went wrong, and the cells of this project's row."""
    started = time.monotonic()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    project = Project(folder, template, answers, url)
    before = project.make(reference, environments)
    empty = sorted(table for table, rows in before.items() if not rows)
    conflicts, rejected = project.update()
    lost = team.lost(project.path)
    project.commit()
    project.environment = environments(project.path, find_python("oldest"))
    project.python("manage.py", "makemigrations", "--merge", "--noinput")
    project.python("manage.py", "makemigrations", "--check", "--dry-run")
    project.python("manage.py", "migrate")
    changed = changed_rows(before, project.rows())
    tests, code = project.test(quick)
    wrong = [*lost, *rejected, *changed, *empty, *(["tests"] if code else [])]
    return wrong, [
        f"{len(team.KINDS) - len(lost)} of {len(team.KINDS)}",
        ", ".join(conflicts) or "none",
        f"{sum(map(len, before.values()))} in {len(before)}",
        tests,
        f"{time.monotonic() - started:.0f} s",
    ]


def main():
    """Update them all and print the table; status 1 when anything is lost or fails."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--version", action="append", help="only from this one; a commit works, too")
    parser.add_argument("--variant", action="append", choices=VARIANTS, help="only this one")
    parser.add_argument("--quick", action="store_true", help="run a few files of each project's own tests")
    arguments = parser.parse_args()
    place = (TEMPLATE / "build" / "updates").resolve()
    template = place / "template"
    shutil.rmtree(template, ignore_errors=True)
    place.mkdir(parents=True, exist_ok=True)
    run(["git", "clone", "--quiet", TEMPLATE, template], place)
    released = versions()
    wanted = {name: released.get(name, name) for name in arguments.version or released}
    environments = Environments(rig.PLACE / "environments")
    failed = False
    print("| from | variant | edits kept | conflicts | rows kept, tables | own tests | took | wrong |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    with contextlib.ExitStack() as running:
        server = None
        for version, reference in wanted.items():
            for name in arguments.variant or VARIANTS:
                answers, url = VARIANTS[name], None
                if answers.get("database") == "postgresql":
                    server = server or running.enter_context(postgresql())
                    url = server.create(f"{version}_{name}")
                folder = place / f"{version}-{name}"
                with output_on_stderr():
                    wrong, cells = measure(folder, template, reference, answers, environments, url, arguments.quick)
                failed = failed or bool(wrong)
                print("|", " | ".join([version, name, *cells, ", ".join(wrong) or "nothing"]), "|", flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
