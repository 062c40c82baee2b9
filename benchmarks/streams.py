"""What a stream costs in a worker on a core, beside Starlette with the SDK's `text_stream`, as its documentation shows.

    make streams
    make streams A="--only unpaced --only paced --rounds 1 --seconds 3"

Prints one table in Markdown. "control" is controls/text_stream.py; "floor" is controls/passthrough.py, which only
passes bytes on. uvicorn serves both, as it does the project, and in the same environment. "async" and "threads" are the
project with the wrapper, its database, and a user who has signed in. All take turns, round by round, as no machine is
quiet. A figure is the median of the rounds, a ratio is the median of theirs, and "noise" is by how much the rounds of a
row differ.

The view style sync has no streams, so it is not here. benchmarks/README.md has the figures, and says who uses them.
"""

import argparse
import statistics
import time
from collections import defaultdict
from contextlib import ExitStack

import starlette

import rig
from stage import CONTROLS, PLAIN, STYLES, Stage

RATE = 50  # tokens a second in each stream
LATE = 0.1  # seconds: the delay of one token in a hundred, which a worker with more streams than it can hold exceeds
STEPS = [round(30 * 1.12**step) for step in range(30)]  # numbers of streams, 30 to 802
ALL = 0.95  # of the tokens of a window: with fewer, the server has not done what the row says
BUSY = 0.9  # of a core: a reader that needs more falls behind, and its delays say little about the server
WAITING = 5  # tokens a second: what open streams hold is measured while they take little CPU
HEAD = ["", *STYLES, *CONTROLS, "async / control", "threads / control", "noise"]


def main():
    """Measure each row, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=ROWS, action="append", help="this row; may be given several times")
    parser.add_argument("--view-style", choices=STYLES, action="append", help="only this one, and the controls")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=6, help="how long paced streams are looked at")
    arguments = parser.parse_args()
    with rig.workplace("streams") as (production, folder), rig.for_others():
        bench = Bench(Stage(production, folder, STEPS[-1] + 4), arguments)
        for row in arguments.only or ROWS:
            rig.say(f"{time.strftime('%H:%M:%S')} {row}: {ROWS[row].__doc__.splitlines()[0]}")
            before = len(bench.figures)
            ROWS[row](bench)
            new = [*bench.figures.items()][before:]  # what a run that is cut off leaves
            rig.say("\n".join(rig.markdown_table(HEAD, map(cells, new))))
        versions = bench.stage.versions()
    print("\n".join(rig.markdown_table(HEAD, map(cells, bench.figures.items()))))
    rounds = f"{arguments.rounds} rounds of {arguments.seconds:g} s"
    print(f"\n{time.strftime('%Y-%m-%d')}, {rig.machine()}, load {rig.load():.1f}; {rounds}.")
    print(f"{versions}, Starlette {starlette.__version__}.")
    for note in bench.notes:
        print(f"\n{note}")


class Bench:
    """What was measured: `figures` has {(row, unit): {server: value of each round}}."""

    def __init__(self, stage, arguments):
        self.stage = stage
        self.rounds = arguments.rounds
        self.seconds = arguments.seconds
        self.styles = arguments.view_style or [*STYLES]
        self.figures = defaultdict(lambda: defaultdict(list))
        self.notes = []

    def note(self, row, unit, server, value):
        self.figures[row, unit][server].append(value)

    def by_turns(self, kinds, measure, *, fresh=False, tls=False):
        """Has each kind of server measured in each round; a fresh one every time, or one that has been asked before."""
        with ExitStack() as running:
            api = running.enter_context(self.stage.api(tls=tls))
            servers = {}
            for kind in kinds if not fresh else []:
                servers[kind] = running.enter_context(self.stage.serve(kind, api))
                if kind not in PLAIN:
                    servers[kind].read(1, length=1)  # the SDK is loaded with the first question
            for number in range(self.rounds):
                for kind in [*kinds][number % len(kinds) :] + [*kinds][: number % len(kinds)]:
                    if fresh:
                        with self.stage.serve(kind, api) as server:
                            measure(kind, server)
                    else:
                        measure(kind, servers[kind])

    def watch(self, kind, server, streams, rate, **options):
        """So many streams, watched once all are open: what was seen, CPU seconds, and the memory held in the middle."""
        with server.streams(streams, rate, self.seconds, settle=2, opens_per_second=20, **options) as (window, seen):
            rig.wait_until(window[0])
            before = server.cpu()
            rig.wait_until(statistics.mean(window))
            held = rig.usage(server.pid).anonymous
            rig.wait_until(window[1])
            spent = server.cpu() - before
            result = seen()
        arrived = result["tokens_in_window"] / (streams * rate * self.seconds)
        if "patience" not in options and (arrived < ALL or result["busy"] > BUSY):
            state = f"{arrived:.0%} of the tokens came in time, reader busy for {result['busy']:.0%}"
            self.notes.append(f"{kind}, {streams} streams: {state}, {result['outcomes']}.")
        return result, spent, held


# --- Rows: each measures for one line of the table, or a few ------------------------------------------


def unpaced(bench, streams=50, length=1000):
    """CPU of a token when the API sends all at once. What a request costs without its answer is a row of its own."""

    def measure(kind, server):
        _, request = server.read(streams, length=1)
        seen, whole = server.read(streams, length=length)
        bench.note(f"CPU per token, unpaced, {streams} streams", "us", kind, (whole - request) / seen["tokens"])
        bench.note("CPU of a stream's request alone", "ms", kind, request / streams)

    bench.by_turns([*bench.styles, *CONTROLS], measure)


def paced(bench):
    """CPU of a token when each stream gets 50 a second: of streams that every server holds, and of more than that."""
    for streams in (50, 100):
        at_a_pace(bench, streams)


def over_tls(bench):
    """The same over TLS to the API."""
    at_a_pace(bench, 50, tls=True)


def at_a_pace(bench, streams, tls=False):
    """CPU of a token of so many streams."""

    def measure(kind, server):
        seen, spent, _ = bench.watch(kind, server, streams, RATE)
        row = f"CPU per token, {RATE} tokens/s, {streams} streams{', TLS to the API' if tls else ''}"
        bench.note(row, "us", kind, spent / seen["tokens_in_window"])

    bench.by_turns([*bench.styles, *(["control"] if tls else CONTROLS)], measure, tls=tls)


def knee(bench):
    """How many streams of 50 tokens a second a core holds: one round, in steps of an eighth; the floor holds all."""

    def measure(kind, server):
        holds, fails = -1, len(STEPS)
        while fails - holds > 1:
            step = (holds + fails) // 2
            streams = STEPS[step]
            if holds_in_time(bench, kind, server, streams):
                holds = step
            else:
                fails = step
            rig.say(f"  {kind}: {streams} {'held' if holds == step else 'too many'}")
        row = f"streams of {RATE} tokens/s with p99 delay < {LATE * 1000:.0f} ms"
        bench.note(row, "", kind, STEPS[max(0, holds)])

    rounds, bench.rounds = bench.rounds, 1
    bench.by_turns([*bench.styles, "control"], measure)
    bench.rounds = rounds


def holds_in_time(bench, kind, server, streams):
    """Whether it does, in one of two attempts where it is close: noise makes one fail, and seldom lets one pass."""
    for _ in range(2):
        seen, _, _ = bench.watch(kind, server, streams, RATE, patience=3)
        delay = seen["delay"][1] or 9
        if delay < LATE and seen["outcomes"] == {"whole": streams}:
            return True
        if delay > 5 * LATE:
            break
    return False


def first_token(bench, questions=50):
    """What lies between a question and the first event of its answer, less what the API took."""

    def measure(kind, server):
        for ids, conversation in [("an idempotency key", False), ("a conversation, too", True)]:
            # The end of the call, which is work, too, comes later, as it does with a real answer.
            options = {"rate": RATE, "length": 5, "opens_per_second": 10, "conversation": conversation}
            seen, _ = server.read(questions, **options)
            bench.note(f"added to the first token, p50, with {ids}", "ms", kind, seen["first"][0])

    bench.by_turns([*bench.styles, *CONTROLS], measure)


def first_question(bench):
    """The same for the first question that a worker gets after its start, and for its second."""

    def measure(kind, server):
        for number in ("first", "second"):
            seen, _ = server.read(1, length=1)
            bench.note(f"added to the first token, {number} question of a worker", "ms", kind, seen["first"][0])

    bench.by_turns([*bench.styles, "control"], measure, fresh=True)


def memory(bench, streams=100):
    """What an open stream holds, in the part of PSS that is no file, beyond what the server held without one."""

    def measure(kind, server):
        server.read(5, length=5)
        idle = rig.usage(server.pid).anonymous
        _, _, held = bench.watch(kind, server, streams, WAITING)
        bench.note(f"memory per open stream, {streams} streams", "KB", kind, (held - idle) / streams)

    bench.by_turns([*bench.styles, *CONTROLS], measure, fresh=True)


def json_question(bench, questions=100):
    """CPU of a whole answer as JSON, beside a plain Django view with session and user."""
    paths = dict(zip(PLAIN, ("/aask/", "/ask/"), strict=True))

    def measure(kind, server):
        def ask():
            reply = server.user.post(paths.get(kind, "/chat/ask/"), {"prompt": "20tokens/0"}).whole()
            assert reply.status == 200, reply.text

        ask()  # loads what the first question loads
        before = server.cpu()
        for _ in range(questions):
            ask()
        row = f"CPU of a JSON question, {style}; the control is a plain Django view"
        bench.note(row, "ms", "control" if kind in PLAIN else kind, (server.cpu() - before) / questions)

    for style in bench.styles:
        bench.by_turns([style, f"plain {style}"], measure)


ROWS = {
    "unpaced": unpaced,
    "paced": paced,
    "tls": over_tls,
    "knee": knee,
    "first-token": first_token,
    "first-question": first_question,
    "memory": memory,
    "json": json_question,
}

# --- The report -------------------------------------------------------------------------------------

UNITS = {"us": 1e6, "ms": 1e3, "KB": 1, "": 1}


def cells(figure):
    """A line of the table."""
    (row, unit), values = figure
    medians = {server: statistics.median(rounds) * UNITS[unit] for server, rounds in values.items()}
    medians = {server: f"{rounded(median)} {unit}".strip() for server, median in medians.items()}
    shown = [medians.get(server, "") for server in [*STYLES, *CONTROLS]]
    for style in STYLES:
        pairs = zip(values.get(style, []), values.get("control", []), strict=False)
        ratios = [ours / control for ours, control in pairs if control > 0]
        shown.append(f"{statistics.median(ratios):.2f}" if ratios else "")
    compared = [rounds for server, rounds in values.items() if server != "floor" and rounds[1:]]
    spread = [(max(rounds) - min(rounds)) / 2 / statistics.median(rounds) for rounds in compared]
    return [row, *shown, f"± {max(spread):.0%}" if spread else ""]


def rounded(number):
    return f"{number:.0f}" if number >= 30 else f"{number:.1f}"


if __name__ == "__main__":
    main()
