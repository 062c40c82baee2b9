"""Runs inside a rendered project: what its own tests say of each version of claude/failures.py on the standard input.

One line of JSON for each: a version in, whether the tests noticed out. Each version gets a process of its own, which
begins with the libraries loaded.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

import anthropic  # noqa: F401, it takes the longest
import django.test  # noqa: F401
import pytest

PATIENCE = 120  # seconds; a version that hangs is noticed, too
MODULE = Path("claude/failures.py")
# That the libraries are loaded already is no fault.
OPTIONS = ["--exitfirst", "--quiet", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning"]


def passes():
    """Whether the tests pass, those of the module first."""
    child = os.fork()
    if not child:
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        os.dup2(silence, 2)
        try:
            os._exit(pytest.main([*OPTIONS, "tests/test_failures.py", "tests"]))
        finally:
            os._exit(1)
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return status == 0
        time.sleep(0.02)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


sys.path.insert(0, os.getcwd())
for line in sys.stdin:
    MODULE.write_text(json.loads(line), encoding="utf-8")
    print(json.dumps(not passes()), flush=True)
