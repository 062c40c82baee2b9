"""Python processes that begin with their packages loaded: forks of one that has loaded them, for each environment.

Loading Django and the SDK takes longer than most tests. A command that must be seen to load them by itself, or that
wants options of Python, is started afresh; so is every command that a benchmark measures.
"""

import contextlib
import json
import os
import queue
import signal
import subprocess
import threading
from functools import cache
from pathlib import Path

from environments import run, variables_for


class Process:
    """A fork that runs a command, to be used as a `subprocess.Popen`."""

    def __init__(self, pid):
        self.pid = pid
        self.returncode = None
        self.ended = threading.Event()

    def poll(self):
        """The exit code, as `Popen` gives it, or None while it runs."""
        return self.returncode

    def wait(self, timeout=None):
        """The exit code. Raises `subprocess.TimeoutExpired` after so many seconds."""
        if not self.ended.wait(timeout):
            raise subprocess.TimeoutExpired([str(self.pid)], timeout)
        return self.returncode

    def send_signal(self, number):
        with contextlib.suppress(ProcessLookupError):
            if self.returncode is None:
                os.kill(self.pid, number)

    def terminate(self):
        self.send_signal(signal.SIGTERM)

    def kill(self):
        self.send_signal(signal.SIGKILL)


class Interpreter:
    """The process that has loaded the packages of an environment. It ends with the one that started it."""

    def __init__(self, environment):
        command = [Path(environment, "bin", "python"), Path(__file__).parent]
        # Of this machine's variables, PYTHONDONTWRITEBYTECODE would have every such process compile all packages again.
        variables = variables_for(Path(environment))
        self.origin = subprocess.Popen(command, env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.processes = {}
        self.started = queue.SimpleQueue()
        self.starting = threading.Lock()
        threading.Thread(target=self._listen, daemon=True).start()

    def start(self, command, cwd, variables, log):
        """Run a command in a folder, with these environment variables. It appends what it says to a file."""
        request = {"command": list(map(str, command)), "cwd": str(cwd), "variables": variables, "log": str(log)}
        with self.starting:
            with contextlib.suppress(BrokenPipeError):
                print(json.dumps(request), file=self.origin.stdin, flush=True)
            process = self.started.get()
            if not process:
                self.started.put(None)  # for the next one
                raise RuntimeError(f"the process that forks for tests has ended with {self.origin.wait()}")
            return process

    def _listen(self):
        for line in self.origin.stdout:
            pid, code = json.loads(line)
            if code is None:
                self.processes[pid] = Process(pid)
                self.started.put(self.processes[pid])
            else:
                process = self.processes.pop(pid)
                process.returncode = code
                process.ended.set()
        self.started.put(None)


@cache
def interpreter(environment):
    """The one of this test process for an environment."""
    return Interpreter(environment)


def start(command, cwd, variables, log):
    """As `environments.start`, for a command of Python's: "python …", or a script of the environment that is active."""
    return interpreter(variables["VIRTUAL_ENV"]).start(command, cwd, variables, log)


def run_tests(project, environment, **variables):
    """What pytest prints of a project's own tests, which must pass."""
    # Of the packages that are loaded already, one brings a plugin of pytest.
    quiet = ["-q", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning"]
    return run(["python", "-m", "pytest", *quiet], project, environment, start, **variables)
