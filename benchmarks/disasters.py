"""A worker is killed, and PostgreSQL restarts, under load: what users see, and whether an answer gets lost.

    make disasters
    make disasters A="--view-style async --down 5"

Users ask through the project's nginx.conf (without its limits per client, as all come from one address), half of them
for streams, half for JSON; each question has a request_id. In the middle of that the disaster happens. Afterwards
a user who had read a whole answer asks again, and must get the same one without Claude being asked; and a user who had
not asks again, once the process that was answering is known to be dead, and must get one.
"""

import argparse
import os
import signal
import sys
import threading
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import NamedTuple

import rig
import traffic
from claude_server.client import ClaudeServer
from claude_server.script import Answer
from postgres_server import DURABLE, OnPostgreSQL, postgresql
from workers import workers

STYLES = ["async", "streaming"]
LEASE = 60  # seconds after which chat/keeper.py takes a process for dead
SETTINGS = {"WEB_WORKERS": "2", "CLAUDE_DEADLINE": "5", "CLAUDE_MAX_RETRIES": "0"}
SETTINGS |= {"DATABASE_POOL": "4"}
ANSWER = Answer(pause=0.1)


class Question(NamedTuple):
    """What was asked, and what came back."""

    path: str
    fields: dict
    heard: traffic.Heard
    asked: float

    @property
    def expected(self):
        return f"You asked: {self.fields['prompt']}"


def main():
    """Have each disaster happen to each view style; status 1 when an acknowledged answer was lost."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--view-style", choices=STYLES, action="append", help="only this one")
    parser.add_argument("--users", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=4, help="of load before the disaster, and after it")
    parser.add_argument("--down", type=float, default=3, help="seconds until PostgreSQL is started again")
    arguments = parser.parse_args()
    results = []
    with ExitStack() as running:
        production, folder = running.enter_context(rig.workplace("disasters"))
        database = running.enter_context(postgresql(**DURABLE))
        lane = running.enter_context(ClaudeServer.start()).lane()
        production = OnPostgreSQL(database, production.folder, production.bake, production.environment)
        for style in arguments.view_style or STYLES:
            rig.say(f"preparing {style}")
            answers = {"view_style": style, "database": "postgresql"}
            (folder / style).mkdir()
            with production.serve(answers, folder / style, lane.base_url, **SETTINGS) as served:
                port = served.server.port
                with rig.behind_nginx(served.project, folder / style / "site", port) as (site, _):
                    for name, disaster in disasters(served, database, arguments.down).items():
                        rig.say(f"{style}: {name}")
                        results.append((style, name, Run(served, site, lane).through(disaster, arguments)))
    sys.exit(report(results))


def disasters(served, database, down):
    """What can happen, each as a function that returns when it is over."""

    def restart(stop):
        stop()
        time.sleep(down)
        database.start()

    return {
        "nothing": lambda: None,
        "a worker killed": lambda: os.kill(workers(served.server.process.pid)[0], signal.SIGKILL),
        "PostgreSQL stopped and started": lambda: restart(database.stop),
        "PostgreSQL killed and started": lambda: restart(database.kill),
    }


class Run:
    """One disaster under load."""

    def __init__(self, served, site, lane):
        self.served = served
        self.site = site
        self.lane = lane
        self.questions = []
        self.stopped = threading.Event()
        lane.reset()
        lane.settings(requests_per_minute=1_000_000)
        lane.script(otherwise=ANSWER)

    def through(self, disaster, arguments):
        """Load before, during and after, and then all users ask again."""
        with ThreadPoolExecutor(arguments.users) as pool:
            asking = [pool.submit(self.ask, number) for number in range(arguments.users)]
            try:
                time.sleep(arguments.seconds)
                disaster()
                over = time.monotonic()
                time.sleep(arguments.seconds)
                # A stopped database may leave requests waiting; the load ends when a user has been answered again.
                while not self.answered_since(over) and time.monotonic() < over + 60:
                    time.sleep(0.1)
            finally:
                self.stopped.set()
            for user in asking:
                user.result()
            back = self.answered_since(over)
            calls = Counter(exchange.prompt for exchange in self.lane.requests())
            kept = list(pool.map(self.still_there, self.acknowledged()))
            asked_again = Counter(exchange.prompt for exchange in self.lane.requests())
            time.sleep(max(0, over + LEASE + 1 - time.monotonic()))
            mended = list(pool.map(self.mended, self.failed()))
        return {
            "seen": Counter(f"{kind(question)}: {question.heard.outcome}" for question in self.questions),
            "back": min(back) - over if back else None,
            "acknowledged": len(kept),
            "lost": kept.count(False),
            "paid twice": sum(asked_again[q.fields["prompt"]] > calls[q.fields["prompt"]] for q in self.acknowledged()),
            "failed": len(mended),
            "answered later": mended.count(traffic.WHOLE),
            "not": Counter(outcome for outcome in mended if outcome != traffic.WHOLE),
        }

    def ask(self, number):
        """One question after another, every second user in JSON."""
        path = traffic.ASK if number % 2 else traffic.STREAM
        while not self.stopped.is_set():
            name = uuid.uuid4()
            fields = {"prompt": f"What is the number of {name}, and why not another one?", "idempotency_key": str(name)}
            asked = time.monotonic()
            heard = traffic.ask(self.user(), path, fields)
            self.questions.append(Question(path, fields, heard, asked))
            if heard.answer is None:
                time.sleep(0.2)  # as a person would before the next question

    def user(self):
        """A user who has signed in."""
        return self.site.user(self.served.cookies())

    def answered_since(self, moment):
        """When those were asked who were asked after a moment and answered."""
        return [q.asked for q in list(self.questions) if q.asked > moment and q.heard.answer is not None]

    def acknowledged(self):
        return [question for question in self.questions if question.heard.answer is not None]

    def failed(self):
        return [question for question in self.questions if question.heard.answer is None]

    def still_there(self, question):
        """Whether a user who has read an answer finds it again."""
        again = traffic.ask(self.user(), question.path, question.fields)
        return question.heard.answer == again.answer == question.expected

    def mended(self, question):
        """What a user who was not answered gets under the same id."""
        again = traffic.ask(self.user(), question.path, question.fields)
        return "another answer" if again.answer not in (None, question.expected) else again.outcome


def kind(question):
    return "JSON" if question.path == traffic.ASK else "stream"


def report(results):
    """Print the table and what users saw, and give the status to exit with."""
    head = ["", "", "questions", "acknowledged", "lost", "paid twice", "failed", "answered later", "back after"]
    rows = []
    for style, name, result in results:
        counts = [result["acknowledged"], result["lost"], result["paid twice"], result["failed"]]
        back = "never" if result["back"] is None else f"{result['back']:.1f} s"
        rows.append([name, style, sum(result["seen"].values()), *counts, result["answered later"], back])
    print("\n".join(rig.table(head, rows)))
    print("\nback after: from the end of the disaster to the asking of the first question that was then answered")
    for style, name, result in results:
        print(f"\n{name}, {style}: what users saw")
        print("\n".join(rig.table(["", "times"], sorted(result["seen"].items()))))
        for outcome, times in result["not"].items():
            print(f"asked again after a minute, and not answered: {outcome}, {times} times")
    bad = sum(r["lost"] + r["paid twice"] + r["failed"] - r["answered later"] for _, _, r in results)
    never = sum(result["back"] is None for _, _, result in results)
    verdict = "no acknowledged answer was lost or paid twice, and all others could be asked for again"
    print(f"\nVerdict: {'it is not as it should be, see above' if bad or never else verdict}")
    return 1 if bad or never else 0


if __name__ == "__main__":
    main()
