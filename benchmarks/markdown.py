"""What rendering an answer while it arrives adds to the CPU of its stream: `format=html` beside plain deltas.

    make markdown
    make markdown A="--view-style async --size 10 --rounds 2"

The API is tests/claude_server, which sends each answer in tokens of three to five characters; the project runs under
its production server, on a core of its own where there are two. The kinds of stream take turns, so that whatever else
the machine does falls upon each of them. "request" is a stream of one token: what a question costs without its answer.

Ends with 1 when a stream with HTML takes twice the CPU of a plain one, or more.
"""

import argparse
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import rig
from claude_server.client import ClaudeServer
from claude_server.script import Answer
from long_answers import answer, deltas
from traffic import STREAM

STYLES = ["async", "streaming"]
KINDS = {"request": {}, "plain": {}, "html": {"format": "html"}}
LIMIT = 2.0
HEAD = ["", "KB", "tokens", "request", "plain/token", "html/token", "html/plain", "without the request", "load"]


def main():
    """Measure each view style and size, print the table; status 1 when HTML costs too much."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--view-style", choices=STYLES, action="append", help="only this one")
    parser.add_argument("--size", type=int, action="append", help="of an answer in KB: 1, 10 and 50 if none is given")
    parser.add_argument("--streams", type=int, default=8, help="at once")
    parser.add_argument("--rate", type=int, default=100, help="tokens a second in each")
    parser.add_argument("--rounds", type=int, default=5, help="of each kind, for 10 KB; more for less, fewer for more")
    arguments = parser.parse_args()
    rows = []
    with ExitStack() as running:
        production, folder = running.enter_context(rig.workplace("markdown"))
        with rig.for_others():
            lane = running.enter_context(ClaudeServer.start()).lane()
        for style in arguments.view_style or STYLES:
            (folder / style).mkdir()
            with rig.for_server():
                serving = production.serve({"view_style": style}, folder / style, lane.base_url)
                served = running.enter_context(serving)
            for size in arguments.size or [1, 10, 50]:
                rig.say(f"{style}, {size} KB")
                with rig.for_others():
                    rows.append((style, size, *measure(served, lane, size, arguments)))
    print("\n".join(rig.table(HEAD, map(cells, rows))))
    sys.exit(any(html >= LIMIT * plain for *_, plain, html, _ in rows))


def measure(served, lane, size, arguments):
    """How many tokens the answer has, and the CPU seconds that a stream of each kind took."""
    pieces = deltas(answer(1000 * size))
    whole = Answer(deltas=pieces, pause=1 / arguments.rate)
    answers = {"request": Answer(deltas=["."]), "plain": whole, "html": whole}
    rounds = max(2, arguments.rounds * 10 // size)
    spent = dict.fromkeys(KINDS, 0.0)
    for number in range(-1, rounds):  # what comes first loads the SDK and the lexers
        for kind, fields in KINDS.items():
            lane.script(otherwise=answers[kind])
            before = rig.cpu_seconds(served.server.process.pid)
            read(served, fields, arguments.streams)
            if number >= 0:
                spent[kind] += rig.cpu_seconds(served.server.process.pid) - before
    return len(pieces), *(seconds / rounds / arguments.streams for seconds in spent.values()), rig.load()


def read(served, fields, streams):
    """So many streams at once, each in a conversation of its own, as the page asks."""

    def read_one(_):
        ids = {"idempotency_key": str(uuid.uuid4()), "conversation": str(uuid.uuid4())}
        with served.user().start_post(STREAM, {"prompt": "Why?", **ids, **fields}) as reply:
            text = reply.whole().text
        assert '"done": true' in text, text[-200:]

    with ThreadPoolExecutor(streams) as pool:
        list(pool.map(read_one, range(streams)))


def cells(row):
    style, size, tokens, request, plain, html, load = row
    own = (html - request) / (plain - request) if plain > request else float("nan")
    times = [f"{request * 1e6:.0f} us", *(f"{seconds / tokens * 1e6:.1f} us" for seconds in (plain, html))]
    return [style, size, tokens, *times, f"{html / plain:.2f}", f"{own:.2f}", f"{load:.1f}"]


if __name__ == "__main__":
    main()
