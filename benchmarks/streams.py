"""What a stream of 50 tokens a second costs in one worker of each view style, beside a control without a framework.

    make streams
    make streams A="--streams 1,10,100 --seconds 5 --no-nginx"

Four processes: the API (source.py), the project's own production server on a core of its own, nginx, and one that
reads (open_streams.py); where there are two cores, all but the server share the second. Each figure is of a server just
started. "Added" is what lies between the sending of a token by the API and its arrival at the user.

The view style sync has no streams, so it has no row here.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
import uuid
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path

import rig
from environments import variables_for
from http_client import FORM, HttpClient
from project_server import Server, free_port

HERE = Path(__file__).resolve().parent
CONTROL = "control"
STYLES = ["async", "streaming"]
SESSION = {"my_claude_app_sessionid": "none", "my_claude_app_csrftoken": "a" * 32}
BUSY = 0.9
"""Of a core: if the process that reads needs more, it falls behind, and its figures say little about the server."""
FEW = 10
"""Streams, below which what a server allocates has little to do with their number."""
LATE = 0.05
"""Seconds: an API that sends its tokens later than that does not offer the load that the row says."""
HEAD = ["", "nginx", "streams", "first token p50", "p99", "each token p50", "p99", "between p50", "p99", "CPU/token"]
HEAD += ["nginx's", "memory/stream", "arrived", "errors", "API lag p99", "reading busy"]


def main():
    """Measure each combination, print the table, the ratios, and what the default settings hold."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--streams", default="1,10,100,500,1000", help="how many at once, separated by commas")
    parser.add_argument("--seconds", type=float, default=10, help="how long they are looked at once all are open")
    parser.add_argument("--view-style", choices=STYLES, action="append", help="only this one")
    parser.add_argument("--no-nginx", action="store_true", help="only without nginx")
    parser.add_argument("--opens-per-second", type=float, default=20)
    parser.add_argument("--defaults", type=int, default=80, help="streams asked of a server with its default settings")
    arguments = parser.parse_args()
    styles = arguments.view_style or STYLES
    cells = {}
    with rig.workplace("streams") as (production, folder):
        bench = Bench(production, folder, arguments)
        for through in [False] if arguments.no_nginx else [False, True]:
            for streams in map(int, arguments.streams.split(",")):
                for name in [CONTROL, *styles]:
                    rig.say(f"{name}, {streams} streams{', nginx' if through else ''}")
                    cells[name, through, streams] = bench.measure(name, through, streams)
        held = [bench.defaults(arguments.defaults)] if "streaming" in styles and arguments.defaults else []
    report(cells, held)


class Bench:
    """Starts what a measurement needs, and takes it down again."""

    def __init__(self, production, folder, arguments):
        self.production = production
        self.folder = folder
        self.arguments = arguments

    def measure(self, name, through, streams, **settings):
        """One row: so many streams of one server."""
        folder = self.folder / uuid.uuid4().hex[:8]
        folder.mkdir()
        with ExitStack() as running:
            with rig.for_others():
                source = running.enter_context(Source())
            settings = {"WEB_WORKERS": "1", "WEB_THREADS": str(max(32, streams + 4))} | settings
            alone = rig.for_server() if settings["WEB_WORKERS"] == "1" else nullcontext()
            with alone:
                served = running.enter_context(self.serving(name, folder, source.port, settings))
            site, nginx = None, None
            if through:
                with rig.for_others():
                    site, nginx = running.enter_context(rig.behind_nginx(self.project, folder / "site", served.port))
            self.read(served, site, 1, 0.5)  # the SDK is loaded with the first question
            cell = self.watch(served, site, nginx, streams)
            return cell | {"lag": source.stop()["lag"]}

    @contextmanager
    def serving(self, name, folder, source_port, settings):
        """The project, or the control, which runs in the environment of the async project."""
        answers = {"view_style": "async" if name == CONTROL else name}
        prepared, environment = self.production.prepared(answers)
        self.project = prepared
        if name != CONTROL:
            url = f"http://127.0.0.1:{source_port}"
            with self.production.serve(answers, folder, url, **settings) as served:
                self.cookies = served.cookies()
                yield served.server
            return
        self.cookies = SESSION
        port = free_port()
        command = ["python", "-m", "uvicorn", "passthrough:application", "--port", port, "--lifespan", "off"]
        variables = variables_for(environment, PYTHONPATH=str(HERE), SOURCE_PORT=str(source_port))
        with Server([*command, "--no-access-log"], folder, variables, port) as server:
            yield server

    @contextmanager
    def reading(self, served, site, streams, seconds):
        """A process that reads so many streams, with the window in which it looks at them."""
        host = site.domain if site else f"127.0.0.1:{served.port}"
        client = HttpClient(None, host, self.cookies, {"X-Forwarded-Proto": "https"})
        spec = {
            "port": site.https_port if site else served.port,
            "host": host,
            "certificate": str(site.folder / "certificate/fullchain.pem") if site else "",
            "headers": list(client.headers_for(headers={"Content-Type": FORM}).items()),
            "questions": [{"id": str(uuid.uuid4())} for _ in range(streams)],
            "opens_per_second": self.arguments.opens_per_second,
            "seconds": seconds,
        }
        with rig.for_others(), process("open_streams.py") as reading:
            reading.stdin.write(json.dumps(spec))
            reading.stdin.close()
            yield reading, json.loads(reading.stdout.readline())["window"]

    def read(self, served, site, streams, seconds):
        with self.reading(served, site, streams, seconds) as (reading, _):
            return json.loads(reading.stdout.read())

    def watch(self, served, site, nginx, streams):
        """What arrived, and what the processes used in the meantime."""
        pid = served.process.pid
        idle = rig.usage(pid)
        with self.reading(served, site, streams, self.arguments.seconds) as (reading, window):
            rig.wait_until(window[0])
            before = [rig.cpu_seconds(process) for process in (pid, nginx) if process]
            rig.wait_until(statistics.mean(window))
            held = rig.usage(pid)
            rig.wait_until(window[1])
            after = [rig.cpu_seconds(process) for process in (pid, nginx) if process]
            seen = json.loads(reading.stdout.read())
        spent = [end - start for start, end in zip(before, after, strict=True)]
        tokens = seen["tokens"]
        expected = streams * self.arguments.seconds * 50
        return seen | {
            "cpu": [seconds / tokens if tokens else None for seconds in spent],
            "memory": (held.rss - idle.rss) / streams if streams >= FEW else None,
            "arrived": tokens / expected,
            "errors": sum(seen["outcomes"].values()) - seen["outcomes"].get("whole", 0),
        }

    def defaults(self, streams):
        """What a WSGI server with its default settings does with more streams than it has threads."""
        rig.say(f"streaming, {streams} streams, two workers of 32 threads")
        seen = self.measure("streaming", False, streams, WEB_WORKERS="2", WEB_THREADS="32")
        # All end with the window: who has a token by then has not waited for the end of another.
        text = f"2 workers of 32 threads, asked for {streams} streams at once, held {seen['held']}"
        return f"{text}. Ends: {seen['outcomes']}; each token p99 {milliseconds(seen['delay'][1])}."


class Source:
    """The API, in a process of its own."""

    def __init__(self):
        self._stack = ExitStack()

    def __enter__(self):
        self.process = self._stack.enter_context(process("source.py"))
        self.port = json.loads(self.process.stdout.readline())["port"]
        return self

    def stop(self):
        """What it has to say about itself."""
        self.process.stdin.close()
        return json.loads(self.process.stdout.readline())

    def __exit__(self, *exception):
        self._stack.close()


@contextmanager
def process(script):
    """A script of this folder, which ends with the block at the latest."""
    command = [sys.executable, HERE / script]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ) as started:
        try:
            yield started
        finally:
            started.kill()


# --- The report -------------------------------------------------------------------------------------


def report(cells, held):
    rows = [row(name, through, streams, cell) for (name, through, streams), cell in cells.items()]
    print("\n".join(rig.table(HEAD, rows)))
    print(f"\nOn {len(rig.CORES)} cores, {time.strftime('%Y-%m-%d')}; ! where API or reading had not enough of a core.")
    print("nginx: the project's own nginx.conf with TLS, without its limits per client, as all come from one address.")
    print("\nAs multiples of the control in the same row:")
    head = ["", "nginx", "streams", "first token p50", "each token p50", "p99", "CPU/token", "memory/stream"]
    compared = [
        [name, yes(through), streams, *ratios(cell, cells[CONTROL, through, streams])]
        for (name, through, streams), cell in cells.items()
        if name != CONTROL
    ]
    print("\n".join(rig.table(head, compared)))
    for line in held:
        print(f"\n{line}")
    for (name, through, streams), cell in cells.items():
        if cell["errors"]:
            print(f"\n{name}, {streams} streams, nginx {yes(through)}: {cell['outcomes']}")


def row(name, through, streams, cell):
    times = [milliseconds(value) for kind in ("first", "delay", "gap") for value in cell[kind]]
    cpu = [f"{seconds * 1e6:.0f} us" if seconds is not None else "-" for seconds in cell["cpu"]]
    cpu += ["-"] * (2 - len(cpu))
    state = ["-" if cell["memory"] is None else f"{cell['memory']:.0f} KB"]
    state += [f"{cell['arrived']:.0%}", cell["errors"]]
    state += [f"{milliseconds(cell['lag'])}{' !' if cell['lag'] > LATE else ''}"]
    busy = f"{cell['busy']:.0%}{' !' if cell['busy'] > BUSY else ''}"
    return [name, yes(through), streams, *times, *cpu, *state, busy]


def ratios(cell, control):
    pairs = [(cell[kind][at], control[kind][at]) for kind, at in (("first", 0), ("delay", 0), ("delay", 1))]
    pairs += [(cell["cpu"][0], control["cpu"][0]), (cell["memory"], control["memory"])]
    return [
        f"{value / unit:.1f}" if value is not None and unit is not None and unit > 0 else "-" for value, unit in pairs
    ]


def milliseconds(seconds):
    if seconds is None:
        return "-"
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else f"{seconds:.1f} s"


def yes(true):
    return "yes" if true else "no"


if __name__ == "__main__":
    main()
