"""What the ledger and the budgets add to a call: the same questions to the same project with `usage` and without it.

    make overhead
    make overhead A="--view-style async --database postgresql --rounds 200"

Three servers are asked by turns: with usage, without it, and a second one without it as the control, whose difference
says how much of a figure is the machine. Each question goes to all three, in another order each time; the differences
are of those three, so what the machine does meanwhile meets them alike. The CPU time is that of the whole server.
"""

import argparse
import statistics
import sys
import time
import uuid
from contextlib import ExitStack

import rig
import traffic
from claude_server.client import ClaudeServer
from claude_server.script import Answer

MOST = 5.0  # milliseconds, at the median
WARM_UP = 20  # questions: with the first, much is loaded
SERVERS = {"usage": True, "without": False, "control": False}
WAYS = {"JSON": traffic.ASK, "first event of a stream": traffic.STREAM, "whole stream": traffic.STREAM}


def main():
    """Ask, and print the differences; status 1 when the median one is more than MOST."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--view-style", choices=["streaming", "async"], action="append", help="only this one")
    parser.add_argument("--database", choices=["sqlite", "postgresql"], action="append", help="only this one")
    parser.add_argument("--rounds", type=int, default=300, help="questions to each server, of each kind")
    arguments = parser.parse_args()
    rows = []
    with ExitStack() as running:
        production, folder = running.enter_context(rig.workplace("overhead"))
        lane = running.enter_context(ClaudeServer.start()).lane()
        lane.settings(requests_per_minute=1_000_000, keep=10)
        lane.script(otherwise=Answer(deltas=["Because ", "of ", "Rayleigh."]))
        for database in arguments.database or ["sqlite", "postgresql"]:
            if database == "postgresql":
                production = rig.on_postgresql(production, running)
            for style in arguments.view_style or ["streaming", "async"]:
                rig.say(f"{style}, {database}")
                answers = {"view_style": style, "database": database}
                rows += compare(production, folder / f"{style}-{database}", lane, answers, arguments.rounds)
    head = ["median, ms", "without", "usage adds", "control differs", "CPU without", "usage adds", "control", "load"]
    print("\n".join(rig.table(head, rows)))
    wrong = [row for row in rows if float(row[2]) - abs(float(row[3])) > MOST]
    print(f"\nVerdict: {'more' if wrong else 'less'} than {MOST} ms at the median, beyond what the control differs by")
    sys.exit(1 if wrong else 0)


def compare(production, folder, lane, answers, rounds):
    """The rows of the table for one project."""
    with ExitStack() as running:
        served = {}
        for name, usage in SERVERS.items():
            (folder / name).mkdir(parents=True)
            place = production.serve(answers | {"usage": usage}, folder / name, lane.base_url)
            served[name] = running.enter_context(place)
        for way in WAYS:
            taken, cpu = {name: [] for name in served}, dict.fromkeys(served, 0.0)
            for number in range(WARM_UP + rounds):
                if number == WARM_UP:
                    cpu = {name: -rig.cpu_seconds(one.server.process.pid) for name, one in served.items()}
                for name in [*served][number % 3 :] + [*served][: number % 3]:
                    taken[name].append(ask(served[name].user(), way) * 1000)
            times = {name: values[WARM_UP:] for name, values in taken.items()}
            worked = {
                name: (cpu[name] + rig.cpu_seconds(one.server.process.pid)) * 1000 / rounds
                for name, one in served.items()
            }
            added, differs = (
                statistics.median(map(float.__sub__, times[name], times["without"])) for name in ("usage", "control")
            )
            more, also = (worked[name] - worked["without"] for name in ("usage", "control"))
            numbers = (statistics.median(times["without"]), added, differs, worked["without"], more, also, rig.load())
            yield [f"{answers['view_style']}, {answers['database']}, {way}", *(f"{value:.1f}" for value in numbers)]


def ask(user, way):
    """The seconds until what is measured has come of an answer to a new question in a conversation of its own."""
    key = str(uuid.uuid4())
    start = time.monotonic()
    with user.start_post(
        WAYS[way], {"prompt": "Why is the sky blue?", "idempotency_key": key, "conversation": key}
    ) as reply:
        if way == "JSON":
            assert reply.whole().status == 200, reply.text
            return time.monotonic() - start
        events = reply.events()
        event = next(events)
        while way == "whole stream" and "done" not in event:
            event = next(events)
        seconds = time.monotonic() - start
        assert event.get("delta", "").startswith("Because ") or event.get("done"), event
        for _ in events:  # to its end, so that nothing of it is left when the next server is asked
            pass
        return seconds


if __name__ == "__main__":
    main()
