"""Loads the packages of an environment, and forks for each command on its standard input. Of the standard library only.

A line asks for a process, as JSON: its command, folder, environment variables, and the file for what it says. A line
of the output has its number and null when it begins, and then its number and exit code.
"""

import contextlib
import gc
import importlib
import json
import os
import runpy
import signal
import sys
from pathlib import Path

MODULES = ["anthropic", "django.test", "gunicorn.workers.gthread", "pytest", "uvicorn", "uvloop"]
"""What is loaded where the environment has it. None of these reads settings or starts a thread."""


def say(pid, code):
    os.write(1, f"{json.dumps([pid, code])}\n".encode())


def say_who_ended(*args):
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                break
            say(pid, os.waitstatus_to_exitcode(status))


def next_fork():
    """In each fork: what it is to run. In the process that forks: None, when no more is asked for."""
    signal.signal(signal.SIGCHLD, say_who_ended)
    for line in sys.stdin:
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
        pid = os.fork()
        if not pid:
            return json.loads(line)
        say(pid, None)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
    return None


def become(command, cwd, variables, log):
    """Have this process be as if Python had been started with a command."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for descriptor, standard in [(nothing, 0), (output, 1), (output, 2)]:
        os.dup2(descriptor, standard)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(variables)
    program, *arguments = command
    if program == "python":
        program, *arguments = arguments
    if program == "-m":
        module, *arguments = arguments
        sys.argv = [module, *arguments]
        sys.path[0] = cwd
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    else:
        path = Path(cwd, program) if program.endswith(".py") else Path(sys.prefix, "bin", program)
        sys.argv = [str(path), *arguments]
        sys.path[0] = str(path.parent)
        runpy.run_path(str(path), run_name="__main__")


if __name__ == "__main__":
    for module in MODULES:
        with contextlib.suppress(ImportError):
            importlib.import_module(module)
    gc.freeze()
    if request := next_fork():
        become(**request)
