"""What the measurements share: where they bake and serve, what a process uses, nginx without limits, and tables."""

import contextlib
import os
import platform
import resource
import statistics
import sys
import time
from pathlib import Path
from typing import NamedTuple

import workplace as workplaces
from nginx_server import Site, find_nginx
from postgres_server import OnPostgreSQL, postgresql
from workers import descendants

TICK = os.sysconf("SC_CLK_TCK")
PLACE = Path(__file__).resolve().parent.parent / "build/benchmarks"


@contextlib.contextmanager
def workplace(name):
    """A `Production` of the template as it is now, and an empty folder to serve in; benchmarks share environments."""
    raise_limit()
    with workplaces.workplace(PLACE / name, PLACE / "environments") as place:
        yield place


def on_postgresql(production, running, **settings):
    """The same for projects on a PostgreSQL of its own, which is served until `running` ends."""
    server = running.enter_context(postgresql(**settings))
    return OnPostgreSQL(server, production.folder, production.bake, production.environment)


def raise_limit():
    """As many open files as this account may have: each stream is a socket in four processes."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def say(text):
    """Progress, beside the report."""
    print(text, file=sys.stderr, flush=True)


# --- Cores ------------------------------------------------------------------------------------------

CORES = sorted(os.sched_getaffinity(0))


@contextlib.contextmanager
def on_cores(cores):
    """What is started inside the block runs on these cores, and stays there."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def for_server():
    """The first core is the server's alone, where there is more than one."""
    return on_cores(CORES[:1])


def for_others():
    return on_cores(CORES[1:] or CORES)


# --- nginx ------------------------------------------------------------------------------------------


def lifted_site(project, folder, port, static=None):
    """The project's own nginx.conf, but for the limits per client: all users here come from one address."""
    site = Site(project, folder, port, static=static)
    for limit in ("questions burst=20", "sign_in burst=20"):
        site.change(f"limit_req zone={limit} nodelay;", "")
    site.change("limit_conn answers 20;", "")
    return site


@contextlib.contextmanager
def behind_nginx(project, folder, port):
    """A running site in front of a port, and the process of its nginx."""
    site = lifted_site(project, folder, port)
    with site.start(find_nginx("system")) as server:
        yield site, server.process.pid


# --- Processes --------------------------------------------------------------------------------------


class Usage(NamedTuple):
    """What the processes of a server hold at one moment, added up. Memory is in KB.

    `anonymous` is the part of PSS that is no file: how many share a file changes with whatever else runs.
    """

    pss: int
    anonymous: int
    rss: int
    files: int
    sockets: int
    threads: int


def usage(pid):
    """Of a process and all that it started."""
    return Usage(*map(sum, zip(*filter(None, map(usage_of, descendants(pid))), strict=True)))


def usage_of(pid):
    """Of one process; None when it has just ended."""
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        memory = {line.split(":")[0]: int(line.split()[1]) for line in rollup.splitlines()[1:]}
        held = [held_by(path) for path in Path(f"/proc/{pid}/fd").iterdir()]
        threads = len(list(Path(f"/proc/{pid}/task").iterdir()))
    except OSError:
        return None
    sockets = sum(name.startswith("socket:") for name in held)
    return memory["Pss"], memory["Pss_Anon"], memory["Rss"], len(held), sockets, threads


def held_by(path):
    with contextlib.suppress(OSError):
        return os.readlink(path)
    return ""


def open_files(pid, path):
    """How often a file is open in a process and all that it started."""
    found = 0
    for process in descendants(pid):
        with contextlib.suppress(OSError):
            found += sum(held_by(link) == str(path) for link in Path(f"/proc/{process}/fd").iterdir())
    return found


def cpu_seconds(pid):
    """Processor time of a process and all that it started, in seconds."""
    ticks = 0
    for process in descendants(pid):
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks / TICK


def load():
    """How many processes wanted a core in the last minute, on average: more than there are, and figures say little."""
    return os.getloadavg()[0]


def wait_until(moment):
    """Sleep until a time of `time.monotonic()`, which all processes of a machine share."""
    time.sleep(max(0, moment - time.monotonic()))


# --- Reports ----------------------------------------------------------------------------------------


def table(head, rows):
    """Lines of text with aligned columns, the first to the left."""
    rows = [[str(cell) for cell in row] for row in [head, *rows]]
    widths = [max(len(row[number]) for row in rows) for number in range(len(head))]
    for row in rows:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        yield "  ".join(cells).rstrip()


def markdown_table(head, rows):
    """Lines of a table for a document, with the first column to the left."""
    yield f"| {' | '.join(head)} |"
    yield f"|---|{'--:|' * (len(head) - 1)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def machine():
    """In words: its processor, and how much of it there is."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    name = next((line.split(": ")[1] for line in lines if line.startswith("model name")), platform.machine())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**30
    return f"{name}, {len(CORES)} cores, {memory} GB"


def growth(samples):
    """How much a straight line through [(time, value), …] rises from the first time to the last."""
    if len(samples) < 2:
        return 0.0
    slope, _ = statistics.linear_regression(*zip(*samples, strict=True))
    return slope * (samples[-1][0] - samples[0][0])
