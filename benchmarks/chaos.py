"""Workers are killed at random while users ask, and the API fails: every request that reached it must be in the ledger.

    make chaos
    make chaos A="--view-style async --database postgresql --minutes 5"

Users ask in JSON and in streams, some leave in the middle, and one question in six meets a fault. Every few seconds a
worker is killed with SIGKILL. Afterwards the reservations of the dead expire, and the stand-in's own count of requests
is compared with the ledger: each request has its entry, none has two, the sums are what the ledger adds up to, and
nothing is held. A process that was killed before its request went out has an entry all the same, as nobody can know.
"""

import argparse
import json
import os
import random
import signal
import sys
import threading
import time
import uuid
from collections import Counter
from contextlib import ExitStack

import rig
import traffic
from claude_server.client import ClaudeServer
from claude_server.script import Answer, ErrorEvent, Html, NoMessageStop, Refusal, Reset, Status
from workers import workers

FAULTS = [Status(529), Reset(), Reset(after=2), NoMessageStop(after=2), Refusal("bio"), ErrorEvent(after=1), Html()]
SETTINGS = {
    "WEB_WORKERS": "3",
    "WEB_THREADS": "16",
    "CLAUDE_MAX_RETRIES": "0",
    "CLAUDE_DEADLINE": "20",
}
BOOKS = """
import json
from datetime import timedelta
from decimal import Decimal
from django.conf import settings
from django.db.models.functions import Now
from django.db import transaction
from usage import ledger
from usage.models import DailySpending, LedgerEntry, ProjectBudget, Reservation
with transaction.atomic():
    ProjectBudget.lock()
    held = Reservation.objects.update(expires_at=Now() - timedelta(seconds=1))
    ledger.close_expired()
names = ("call_id", "iteration", "outcome", "anthropic_request_id", "user_id", "cost")
rows = list(LedgerEntry.objects.values_list(*names))
sums = {}
for *_, user, cost in rows:
    for owner in {user, None}:
        sums[owner] = sums.get(owner, Decimal(0)) + (cost or 0)
spent = {}
for user, amount in DailySpending.objects.values_list("user_id", "amount"):
    spent[user] = spent.get(user, Decimal(0)) + amount
print(json.dumps({
    "rows": [[str(row[0]), row[1], row[2], row[3]] for row in rows],
    "held": held, "still held": Reservation.objects.count(), "agree": sums == spent, "spent": str(spent.get(None, 0)),
}))
"""


def main():
    """Run, and print the counts; status 1 when the books are not what the API saw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--view-style", choices=["streaming", "async"], action="append", help="only this one")
    parser.add_argument("--database", choices=["sqlite", "postgresql"], action="append", help="only this one")
    parser.add_argument("--minutes", type=float, default=3, help="for each")
    parser.add_argument("--users", type=int, default=12)
    arguments = parser.parse_args()
    results = []
    with ExitStack() as running:
        production, folder = running.enter_context(rig.workplace("chaos"))
        claude = running.enter_context(ClaudeServer.start())
        for database in arguments.database or ["sqlite", "postgresql"]:
            if database == "postgresql":
                production = rig.on_postgresql(production, running)
            for style in arguments.view_style or ["streaming", "async"]:
                rig.say(f"{style}, {database}")
                place = folder / f"{style}-{database}"
                place.mkdir()
                lane = claude.lane()
                lane.settings(requests_per_minute=1_000_000, keep=1_000_000)
                for number, fault in enumerate(FAULTS):
                    lane.rule(f"fault {number} ", otherwise=fault)
                lane.rule("slow ", otherwise=Answer(pause=0.2))
                answers = {"view_style": style, "database": database}
                with production.serve(answers, place, lane.base_url, **SETTINGS) as served:
                    results.append([f"{style}, {database}", *Chaos(served, lane).run(arguments)])
    head = [
        "",
        "asked",
        "kills",
        "requests",
        "entries",
        "interrupted",
        "missing",
        "twice",
        "held",
        "sums agree",
        "spent",
    ]
    print("\n".join(rig.table(head, results)))
    print("\nmissing: requests that no entry can stand for; twice: requests or calls with two entries")
    bad = [row for row in results if row[6] or row[7] or row[8] or not row[9]]
    print(f"Verdict: {'the books are wrong, see above' if bad else 'every request is in the ledger once'}")
    sys.exit(1 if bad else 0)


class Chaos:
    """One project under load, whose workers are killed."""

    def __init__(self, served, lane):
        self.served, self.lane = served, lane
        self.stopped, self.heard, self.kills = threading.Event(), Counter(), 0

    def run(self, arguments):
        """The cells of its row."""
        users = [threading.Thread(target=self.ask, args=(number,)) for number in range(arguments.users)]
        for user in users:
            user.start()
        chance, end = random.Random(1), time.monotonic() + arguments.minutes * 60
        while time.monotonic() < end:
            time.sleep(chance.uniform(1, 5))
            at_work = workers(self.served.server.process.pid)
            if len(at_work) == int(SETTINGS["WEB_WORKERS"]):  # the one before has been replaced
                os.kill(chance.choice(at_work), signal.SIGKILL)
                self.kills += 1
        self.stopped.set()
        for user in users:
            user.join()
        time.sleep(float(SETTINGS["CLAUDE_DEADLINE"]) / 4)  # those who left are being written down
        rig.say(dict(self.heard))
        return self.counts(json.loads(self.served.manage("shell", "-v", "0", "-c", BOOKS).splitlines()[-1]))

    def counts(self, books):
        requests = [exchange.request_id for exchange in self.lane.requests() if exchange.endpoint == "messages"]
        known = Counter(row[3] for row in books["rows"] if row[3])
        # No answer had come that would name its request: the process died, the user left, or the connection was lost.
        unnamed = sum(not row[3] for row in books["rows"])
        missing = max(0, len(set(requests) - known.keys()) - unnamed)
        calls = Counter((row[0], row[1]) for row in books["rows"])
        twice = sum(count > 1 for count in [*known.values(), *calls.values()])
        interrupted = sum(row[2] == "interrupted" for row in books["rows"])
        numbers = (sum(self.heard.values()), self.kills, len(requests), len(books["rows"]), interrupted, missing, twice)
        return [*numbers, books["still held"], books["agree"], f"${float(books['spent']):.4f}"]

    def ask(self, number):
        """One question after another, until the end."""
        chance = random.Random(number)
        while not self.stopped.is_set():
            fault = f"fault {chance.randrange(len(FAULTS))} " if chance.random() < 1 / 6 else ""
            slow = "slow " if not fault and chance.random() < 1 / 3 else ""
            fields = {"prompt": f"{fault}{slow}Why is {uuid.uuid4()} blue?", "idempotency_key": str(uuid.uuid4())}
            path = traffic.ASK if number % 2 else traffic.STREAM
            leaves = 2 if path == traffic.STREAM and chance.random() < 1 / 5 else None
            heard = traffic.ask(self.served.user(), path, fields, leaves)
            self.heard[heard.outcome] += 1
            if heard.answer is None:
                time.sleep(0.1)


if __name__ == "__main__":
    main()
