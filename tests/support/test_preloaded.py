"""The processes that tests start must say when they cannot: a test that only waits tells nobody why."""

import sys

import pytest

from preloaded import Interpreter


@pytest.fixture
def interpreter():
    interpreter = Interpreter(sys.prefix)
    yield interpreter
    interpreter.origin.kill()


def test_a_command_that_ends_gives_its_exit_code_and_what_it_said(interpreter, tmp_path):
    log = tmp_path / "log"
    (tmp_path / "ends.py").write_text("import os; print(os.getcwd(), os.environ['A']); raise SystemExit(3)")
    assert interpreter.start(["python", "ends.py"], tmp_path, {"A": "b"}, log).wait(30) == 3
    assert log.read_text() == f"{tmp_path} b\n"


def test_nobody_waits_for_a_process_that_nothing_can_start(interpreter, tmp_path):
    interpreter.origin.kill()
    for _ in range(2):
        with pytest.raises(RuntimeError, match="has ended with -9"):
            interpreter.start(["python", "-m", "this"], tmp_path, {}, tmp_path / "log")
