"""A PostgreSQL server of the tests' own: in a temporary folder, on a port of this machine, with nothing to lose."""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from bakery import name_of
from environments import skip_or_fail
from production import Production
from project_server import PATIENCE, free_port
from workers import descendants

USER = "tests"
# Nothing here outlives a run, so nothing waits for the disk. DURABLE is for tests that kill the server: what it has
# acknowledged is then there when it starts again.
DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "log_statement": "ddl",
    "max_connections": "60",
}


def find_programs():
    """The folder of initdb and postgres, which Debian keeps off PATH. Skips where there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    on_path = shutil.which("initdb")
    if found or on_path:
        return Path(on_path or found[-1]).resolve().parent
    return skip_or_fail("no PostgreSQL server is installed")


def unprivileged():
    """PostgreSQL refuses to run as root: who runs it then, as subprocess takes it."""
    if os.geteuid() != 0:
        return {}
    names = {entry.pw_name for entry in pwd.getpwall()}
    return {"user": "postgres" if "postgres" in names else "nobody"}


class PostgreSQL:
    """A server that can be stopped, killed and started again; its data stays until the end."""

    def __init__(self, folder, **settings):
        self.programs = find_programs()
        self.settings = SETTINGS | settings
        self.owner = unprivileged()
        self.data = folder / "data"
        self.log = folder / "server.log"
        self.port = free_port()
        if self.owner:
            shutil.chown(folder, self.owner["user"])
        self._run("initdb", "--pgdata", self.data, "--username", USER, "--auth", "trust", "--encoding", "UTF8", "-N")
        self.process = None
        self.copies = 0

    def start(self):
        """Start it, and wait until it accepts connections."""
        options = [word for name, value in self.settings.items() for word in ("-c", f"{name}={value}")]
        command = [self.programs / "postgres", "-D", self.data, "-p", str(self.port), *options]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.data, **self.owner)
        end = time.monotonic() + PATIENCE
        while subprocess.run(self._psql("postgres", "SELECT 1"), capture_output=True, check=False).returncode != 0:
            assert self.process.poll() is None, f"PostgreSQL ended:\n{self.printed()}"
            assert time.monotonic() < end, f"PostgreSQL does not answer after {PATIENCE} s"
            time.sleep(0.05)

    def stop(self):
        """The fast way: open connections are dropped."""
        self.process.send_signal(2)
        self.process.wait(PATIENCE)

    def kill(self):
        """As when the machine loses its power: every process at once."""
        _, *children = descendants(self.process.pid)
        self.process.kill()
        self.process.wait(PATIENCE)
        for child in children:  # they notice by themselves, too; a start in the meantime would fail
            end = time.monotonic() + PATIENCE
            while Path(f"/proc/{child}").exists() and time.monotonic() < end:
                time.sleep(0.01)

    def url(self, name="postgres"):
        """What DATABASE_URL is for one of its databases."""
        return f"postgres://{USER}@127.0.0.1:{self.port}/{name}"

    def create(self, name):
        """Make an empty database, and give its URL."""
        self.ask(f'CREATE DATABASE "{name}"')
        return self.url(name)

    def copy(self, url):
        """Make a copy of a database that nobody uses, and give its URL."""
        self.copies += 1
        original = url.rpartition("/")[2]
        name = f"{self.copies}_{original}"[:63]
        self.ask(f'CREATE DATABASE "{name}" TEMPLATE "{original}"')
        return self.url(name)

    def ask(self, query, name="postgres"):
        """The lines of an answer, columns parted by a bar."""
        done = subprocess.run(self._psql(name, query), capture_output=True, text=True, check=True)
        return done.stdout.splitlines()

    def connected(self, url):
        """How many connections there are to a database."""
        query = f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{url.rpartition('/')[2]}'"
        return int(self.ask(query)[0])

    @contextmanager
    def locked(self, query, url):
        """Until the end of the block, whoever changes what this query finds waits, one after the other."""
        name = url.rpartition("/")[2]
        command = self._psql(name)
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as session:
            session.stdin.write(f"BEGIN;\n{query} FOR UPDATE;\n\\echo locked\n")
            session.stdin.flush()
            assert "locked\n" in iter(session.stdout.readline, "")
            yield
            session.stdin.close()  # psql ends, and its transaction with it

    def waiting(self, url):
        """How many wait for a lock in a database."""
        query = f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{url.rpartition('/')[2]}'"
        return int(self.ask(f"{query} AND wait_event_type = 'Lock'")[0])

    def printed(self):
        """What the server has written."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def _psql(self, name, *query):
        return [
            self.programs / "psql",
            "--no-psqlrc",
            "-XAtq",
            "-d",
            self.url(name),
            *(["-c", *query] if query else []),
        ]

    def _run(self, program, *arguments):
        command = [str(word) for word in (self.programs / program, *arguments)]
        done = subprocess.run(command, cwd=self.data.parent, capture_output=True, text=True, check=False, **self.owner)
        assert done.returncode == 0, done.stderr


@contextmanager
def postgresql(**settings):
    """A running server, until the end of the block. Its folder is one that another account can enter."""
    with tempfile.TemporaryDirectory(prefix="postgres-") as folder:
        Path(folder).chmod(0o755)
        server = PostgreSQL(Path(folder), **settings)
        server.start()
        try:
            yield server
        finally:
            if server.process.poll() is None:
                server.stop()


class OnPostgreSQL(Production):
    """Prepares each project with a database on the server. Who serves it gets a copy, or says which it wants."""

    def __init__(self, server, *arguments):
        super().__init__(*arguments)
        self.server = server
        self.urls = {}

    def prepared(self, answers, python="oldest"):
        name = f"{name_of(answers)}_{python}".replace("+", "_")
        if name not in self.urls:
            self.urls[name] = self.server.create(name)
        self.url = self.urls[name]
        return super().prepared(answers, python)

    def settings(self, **more):
        return super().settings(**{"DATABASE_URL": self.url} | more)

    def serve(self, answers, *arguments, python="oldest", **settings):
        if "DATABASE_URL" not in settings:
            self.prepared(answers, python)
            settings["DATABASE_URL"] = self.server.copy(self.url)
        return super().serve(answers, *arguments, python=python, **settings)
