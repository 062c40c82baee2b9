"""A worker is killed, and PostgreSQL restarts, under load: what users see, and whether an answer gets lost.

    make disasters
    make disasters A="--view-style async --down 5"

Users ask through the project's nginx.conf (without its limits per client, as all come from one address), half of them
for streams, half for JSON, one question after the other in a conversation. In the middle of that the disaster happens.
Afterwards a user who had read a whole answer asks again with the same key, and must get the same one without Claude
being asked. Once the process that was answering is known to be dead, all that had been read must be in the database,
in the export and on the pages, but for the last seconds of an answer that broke off; and a user who had no answer asks
again, and must get one. The history of each question must have been whole turns of its conversation, in their order.
"""

import argparse
import os
import signal
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import rig
import traffic
from claude_server.client import ClaudeServer
from claude_server.script import Answer
from conversations import Conversations
from postgres_server import DURABLE
from workers import workers

STYLES = ["async", "streaming"]
LEASE = 60  # seconds after which chat/keeper.py takes a process for dead
SETTINGS = {"WEB_WORKERS": "2", "CLAUDE_DEADLINE": "5", "CLAUDE_MAX_RETRIES": "0"}
SETTINGS |= {"DATABASE_POOL": "4"}
ANSWER = Answer(pause=0.1)
SLOW = "slowly: "
SLOW_ANSWER = Answer(pause=0.25)  # takes over three seconds: its beginning is stored before its end


def main():
    """Have each disaster happen to each view style; status 1 when an acknowledged answer was lost."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--view-style", choices=STYLES, action="append", help="only this one")
    parser.add_argument("--only", default="", help="disasters whose names have this word")
    parser.add_argument("--users", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=4, help="of load before the disaster, and after it")
    parser.add_argument("--down", type=float, default=3, help="seconds until PostgreSQL is started again")
    arguments = parser.parse_args()
    results = []
    with ExitStack() as running:
        production, folder = running.enter_context(rig.workplace("disasters"))
        production = rig.on_postgresql(production, running, **DURABLE)
        lane = running.enter_context(ClaudeServer.start()).lane()
        for style in arguments.view_style or STYLES:
            rig.say(f"preparing {style}")
            answers = {"view_style": style, "database": "postgresql"}
            (folder / style).mkdir()
            with production.serve(answers, folder / style, lane.base_url, **SETTINGS) as served:
                port = served.server.port
                with rig.behind_nginx(served.project, folder / style / "site", port) as (site, _):
                    for name, disaster in disasters(served, production.server, arguments.down).items():
                        if arguments.only not in name:
                            continue
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
        self.conversations = Conversations()
        self.stopped = threading.Event()
        lane.reset()
        lane.settings(requests_per_minute=1_000_000)
        lane.script(otherwise=ANSWER)
        lane.rule(SLOW, otherwise=SLOW_ANSWER)

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
            answered, failed = self.answered(), self.failed()
            same = list(pool.map(self.still_there, answered))
            asked_again = Counter(exchange.prompt for exchange in self.lane.requests())
            time.sleep(max(0, over + LEASE + 1 - time.monotonic()))
            wrong = [f"{q.prompt}: another answer" for q, found in zip(answered, same, strict=True) if not found]
            wrong += self.conversations.lost(self.served, self.user())
            wrong += self.conversations.misremembered(self.lane.requests())
            # One that was never taken comes last in its conversation now.
            mended = list(pool.map(self.mended, failed))
        return {
            "seen": Counter(f"{kind(question)}: {question.heard.outcome}" for question in self.questions),
            "back": min(back) - over if back else None,
            "acknowledged": len(self.conversations.acknowledged()),
            "wrong": wrong,
            "paid twice": sum(asked_again[question.prompt] > calls[question.prompt] for question in answered),
            "failed": len(mended),
            "answered later": mended.count(traffic.WHOLE),
            "not": Counter(outcome for outcome in mended if outcome != traffic.WHOLE),
            "forgot": len(self.conversations.forgotten),
        }

    @property
    def questions(self):
        return [question for question in list(self.conversations.questions.values()) if question.heard]

    def ask(self, number):
        """One question after another, every second user in JSON."""
        path, question = traffic.ASK if number % 2 else traffic.STREAM, None
        while not self.stopped.is_set():
            begin = SLOW if number % 4 == 0 else ""
            question = self.conversations.ask(self.user(), question, path, begin)
            if question.heard.answer is None:
                time.sleep(0.2)  # as a person would before the next question

    def user(self):
        """A user who has signed in."""
        return self.site.user(self.served.cookies())

    def answered_since(self, moment):
        """When those were asked who were asked after a moment and answered."""
        return [q.asked for q in self.questions if q.asked > moment and q.heard.answer is not None]

    def answered(self):
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
    head = [
        "",
        "",
        "questions",
        "acknowledged",
        "lost or wrong",
        "paid twice",
        "failed",
        "answered later",
        "back after",
    ]
    rows = []
    for style, name, result in results:
        counts = [result["acknowledged"], len(result["wrong"]), result["paid twice"], result["failed"]]
        back = "never" if result["back"] is None else f"{result['back']:.1f} s"
        rows.append([name, style, sum(result["seen"].values()), *counts, result["answered later"], back])
    print("\n".join(rig.table(head, rows)))
    print("\nback after: from the end of the disaster to the asking of the first question that was then answered")
    for style, name, result in results:
        print(f"\n{name}, {style}: what users saw")
        print("\n".join(rig.table(["", "times"], sorted(result["seen"].items()))))
        for outcome, times in result["not"].items():
            print(f"asked again after a minute, and not answered: {outcome}, {times} times")
        if result["forgot"]:
            print(
                f"asked while an answer before was not stored yet, which Claude did not get: {result['forgot']} times"
            )
        print("\n".join(result["wrong"][:20]))
    bad = sum(len(r["wrong"]) + r["paid twice"] + r["failed"] - r["answered later"] for _, _, r in results)
    never = sum(result["back"] is None for _, _, result in results)
    verdict = "no acknowledged answer was lost or paid twice, and all others could be asked for again"
    print(f"\nVerdict: {'it is not as it should be, see above' if bad or never else verdict}")
    return 1 if bad or never else 0


if __name__ == "__main__":
    main()
