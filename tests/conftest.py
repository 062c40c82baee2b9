"""Fixtures that every test shares: rendered projects, their environments, and servers that run them."""

import os
import shutil
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import pytest

import preloaded
from bakery import PAIRS, VARIANTS, Bakery
from claude_server.client import ClaudeServer
from control_tags import counted, per_thousand_lines
from environments import Environments
from event_loop import BLOCKED, watched
from production import Log, Production


def pytest_xdist_auto_num_workers(config):
    """One more than there are cores: many a test waits for a pause to pass, or for a browser."""
    return os.cpu_count() + 1


def pytest_collection_modifyitems(config, items):
    """Give each test process its share of the long tests first: one that began last would run alone at the end.

    xdist cuts the list into as many pieces as there are processes, and lets them steal from each other's ends.
    """
    workers = getattr(config, "workerinput", {}).get("workercount", 1)
    long = [item for item in items if item.get_closest_marker("long")]
    short = iter([item for item in items if not item.get_closest_marker("long")])
    ordered = []
    for worker in range(workers):
        piece = (len(items) - len(ordered)) // (workers - worker)
        first = long[worker::workers]
        ordered += [*first, *islice(short, max(0, piece - len(first)))]
    items[:] = [*ordered, *short]


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory):
    """A folder that all test processes of this run see."""
    folder = tmp_path_factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


@pytest.fixture(scope="session")
def bake(shared_folder):
    """bake(view_style="async", …) renders a project once per run and gives its folder. Tests only read it."""
    return Bakery(shared_folder / "bakes")


@pytest.fixture
def bake_copy(bake, tmp_path):
    """Like `bake`, for tests that write: a copy of their own."""

    def copy(**answers):
        project = bake(**answers)
        return Path(shutil.copytree(project, tmp_path / project.name))

    return copy


@pytest.fixture(scope="session")
def environment(shared_folder):
    """environment(project, python) gives an environment with exactly what that project declares."""
    return Environments(shared_folder / "environments")


@pytest.fixture(scope="session")
def production(shared_folder, bake, environment):
    """Prepares and serves projects as they run in production."""
    return Production(shared_folder / "production", bake, environment, preloaded.start)


@pytest.fixture(scope="session")
def claude():
    """A stand-in for Claude, in a process of its own. Each lane of it is an API of its own."""
    with ClaudeServer.start() as server:
        yield server


@pytest.fixture(scope="session")
def busy(production, claude, tmp_path_factory):
    """busy.serve(answers) serves a project, in two processes where it has the wrapper; busy.lane is its Claude.

    Without the wrapper, the event loop of an async project is watched.
    """
    lane = claude.lane()
    with production.serving(tmp_path_factory.mktemp, lane.base_url, CLAUDE_MAX_RETRIES="0") as serve:

        def serve_busy(answers):
            if answers["client_wrapper"]:
                return serve(answers, WEB_WORKERS="2")
            return serve(answers, WEB_WORKERS="1", change=watched if answers["view_style"] == "async" else None)

        yield SimpleNamespace(serve=serve_busy, lane=lane)


# Files whose tests want other settings have an `in_production` and a `shared_lane` of their own.


@pytest.fixture(scope="session")
def in_production(busy):
    """in_production(answers) serves a project, once for all tests that share it."""
    return busy.serve


@pytest.fixture(scope="session")
def shared_lane(busy):
    """The API that the projects in production ask."""
    return busy.lane


@pytest.fixture
def lane(shared_lane):
    """The same, with nothing left of another test."""
    shared_lane.reset()
    return shared_lane


@pytest.fixture
def served(request, in_production, lane):
    """The project that a test is about. Whatever a test does, nothing may block an event loop."""
    served = in_production(request.param)
    log = Log(served.server)
    yield served
    assert log.lines(BLOCKED) == []


def pytest_terminal_summary(terminalreporter):
    """Say how much was proven."""
    reports = [report for outcome in ("passed", "failed") for report in terminalreporter.stats.get(outcome, [])]
    own = [value for report in reports for name, value in report.user_properties if name == "own_tests"]
    tags = per_thousand_lines(counted())
    terminalreporter.write_line(f"{tags:.1f} control tags per 1,000 lines of the template")
    terminalreporter.write_line(
        f"{len(VARIANTS)} variants and {len(PAIRS)} further sets of answers; {len(reports)} tests of the template, "
        f"and {sum(own)} of rendered projects in {len(own)} runs"
    )
