"""The processes of a server, as the kernel knows them: which answer, what they hold, and who talks to whom."""

import os
from contextlib import suppress
from pathlib import Path

ESTABLISHED = "01"


def descendants(pid):
    """A process and all that it started, directly or not, the eldest first."""
    found = [pid]
    for parent in found:
        with suppress(OSError):
            for task in Path(f"/proc/{parent}/task").iterdir():
                found += [int(child) for child in (task / "children").read_text().split()]
    return found


def workers(pid):
    """The processes that answer: all below the one that was started, or that one where it works alone."""
    children = [child for child in descendants(pid)[1:] if "resource_tracker" not in command(child)]
    return children or [pid]


def command(pid):
    """The words that a process was started with; empty for one that has ended."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    return ""


def holds_connection_to(pid, port):
    """Whether a process has an open connection to a port of this machine."""
    sockets = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            sockets.add(os.readlink(descriptor))
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    rows = [line.split() for line in lines]
    return any(
        row[2].endswith(f":{port:04X}") and row[3] == ESTABLISHED and f"socket:[{row[9]}]" in sockets for row in rows
    )


def heaps_of_threads(pid):
    """How many heaps glibc keeps for the threads of a process: each begins at a multiple of 64 MB."""
    areas = [line.split() for line in Path(f"/proc/{pid}/maps").read_text().splitlines()]
    return sum(area[1] == "rw-p" and int(area[0].split("-")[0], 16) % 2**26 == 0 for area in areas)
