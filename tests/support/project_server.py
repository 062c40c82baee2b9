"""Starts the servers that rendered projects are served with, and stops them again."""

import random
import socket
import subprocess
import time
from pathlib import Path

from dockerfile import dockerfile_of, stages_of
from environments import run, start, variables_for

PATIENCE = 60
"""Seconds that a server may take to answer, on a machine busy with other tests."""


class Server:
    """A process that listens on a port of this machine."""

    def __init__(self, command, cwd, variables, port, start=start):
        self.url = f"http://127.0.0.1:{port}"
        self.port = port
        self.log = Path(cwd) / "server.log"
        self.log.unlink(missing_ok=True)
        self.process = start(command, cwd, variables, self.log)
        try:
            self._wait_until_it_answers()
        except BaseException:
            self.stop()
            raise

    def _wait_until_it_answers(self):
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            assert self.process.poll() is None, f"the server stopped:\n{self.printed()}"
            with socket.socket() as probe:
                probe.settimeout(1)
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise AssertionError(f"the server does not listen after {PATIENCE} s:\n{self.printed()}")

    def printed(self):
        """All that the server has written so far, its log included."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def stop(self):
        """Ask it to end, as a service manager would, and wait for that."""
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.stop()


def free_port():
    """A port of the loopback address that nothing listens on.

    Below those that Linux gives to connections: one of the other tests' connections could get it meanwhile.
    """
    while True:
        port = random.SystemRandom().randrange(10_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def development_settings(project):
    """For the commands beside a development server, too."""
    return {"DEBUG": "true", "DATABASE_PATH": str(project / "live.sqlite3")}


def development_server(project, environment, view_style):
    """Migrate a database and serve the project as `make run` does, without reloading: DEBUG, offline, no key."""
    port, settings = free_port(), development_settings(project)
    run(["python", "manage.py", "migrate"], project, environment, **settings)
    if view_style == "async":
        command = ["uvicorn", "config.asgi:application", "--port", port]
    else:
        command = ["python", "manage.py", "runserver", "--noreload", f"127.0.0.1:{port}"]
    return Server(command, project, variables_for(environment, **settings), port)


def production_server(project, environment, start=start, **settings):
    """Serve the project by the command line of its image. `start` is that of `environments`, or its like."""
    port = free_port()
    command = stages_of(dockerfile_of(project))[-1].only("CMD").words
    variables = variables_for(environment, PORT=str(port), **settings)
    return Server(command, project, variables, port, start)
