"""Half an hour of mixed traffic: nothing that a server holds may grow after its first minutes, and no answer get lost.

    make soak
    make soak A="--minutes 8 --warm-up 2 --view-style async --database postgresql"

Per view style some users, without a pause: questions in JSON and as streams, one after the other in a conversation, the
page, sign-ins. One question in 20 meets a fault of the API, and one user of a stream in ten leaves in the middle. Every
answer carries its question, and is asked for again with the same key: it must be the same one. At the end, all that was
read must be in the database, in the export and on the pages; the history of each question is looked at, too.
All of it goes through the project's nginx.conf, with TLS, and without its limits per client, as all users come from one
address.
"""

import argparse
import random
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import rig
import traffic
from claude_server.client import ClaudeServer
from claude_server.script import Answer, Html, NoMessageStop, Reset, Silence, Status
from conversations import Conversations

STYLES = ["async", "streaming"]
WORDS = Answer(pause=0.03)
FAULTS = {
    "overloaded": Status(529),
    "reset": Reset(after=3, answer=WORDS),
    "truncated": NoMessageStop(after=3, answer=WORDS),
    "captive": Html(),
    "silent": Silence(after=3, answer=WORDS),
}
"""By the word in a question that brings each about."""
MEANT_FOR = {traffic.STREAM: [*FAULTS], traffic.ASK: [word for word in FAULTS if word != "truncated"]}
"""Only a stream can lack its last event."""
KINDS = {"stream": 50, "json": 28, "page": 20, "sign-in": 2}
"""What users do, in percent. A password is hashed for a good part of a second, so few sign in."""
FAULTY, LEAVING = 0.05, 0.10
SAMPLES = 12  # a minute
SETTINGS = {
    "WEB_WORKERS": "2",
    "CLAUDE_TIMEOUT": "5",
    "CLAUDE_DEADLINE": "60",
    "CLAUDE_MAX_RETRIES": "1",
    "CHAT_REMEMBER": "120",
}
ALLOWED = {"memory": (0.05, 3000), "sockets": (0.1, 6), "files": (0.1, 6), "threads": (0.1, 4), "connections": (0.1, 4)}
"""How much each may rise from the end of the warm-up to the end, on a line fitted to all samples: the larger of a
share of its mean and a number. Memory is RSS, in KB: PSS moves with whatever else runs on the machine. 5 % of 250 MB
is 12 MB, so a leak of 1 KB a request shows after 13,000 of them, which half an hour has."""
USER, PASSWORD = "soaked", "a-password-for-the-soak"
ACCOUNT = f"from accounts.models import User; User.objects.create_user({USER!r}, password={PASSWORD!r})"


def main():
    """Run, print the samples and the verdict; status 1 when something grew or got lost."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--warm-up", type=float, default=5, help="minutes that may still fill pools and caches")
    parser.add_argument("--view-style", choices=STYLES, action="append", help="only this one")
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--users", type=int, default=6, help="of each view style")
    arguments = parser.parse_args()
    with ExitStack() as running:
        production, folder = running.enter_context(rig.workplace("soak"))
        claude = running.enter_context(ClaudeServer.start())
        if arguments.database == "postgresql":
            production = rig.on_postgresql(production, running)
        soaks = [
            Soak(running, production, folder / style, claude, {"view_style": style, "database": arguments.database})
            for style in arguments.view_style or STYLES
        ]
        watch(soaks, arguments)
        for soak in soaks:
            soak.finish()
    sys.exit(report(soaks, arguments))


class Soak:
    """One project with its users, and what was seen of both."""

    def __init__(self, running, production, folder, claude, answers):
        rig.say(f"preparing {answers['view_style']}")
        folder.mkdir()
        self.style = answers["view_style"]
        self.lane = claude.lane()
        self.lane.settings(requests_per_minute=1_000_000, keep=10)
        self.lane.script(otherwise=WORDS)
        for word, step in FAULTS.items():
            self.lane.rule(f"fault:{word} ", otherwise=step)
        self.served = running.enter_context(production.serve(answers, folder, self.lane.base_url, **SETTINGS))
        self.served.manage("shell", "-c", ACCOUNT)
        self.site, self.nginx = running.enter_context(
            rig.behind_nginx(self.served.project, folder / "site", self.served.server.port)
        )
        self.database = production.server if answers["database"] == "postgresql" else None
        self.outcomes, self.lost, self.samples = Counter(), [], []
        self.conversations = Conversations()
        self.stopped = threading.Event()
        self.threads = []

    def connections(self):
        """To PostgreSQL; of SQLite, how often its file is open."""
        if self.database:
            return self.database.connected(self.served.settings["DATABASE_URL"])
        return rig.open_files(self.served.server.process.pid, self.served.project / "db.sqlite3")

    # Users.

    def start(self, users):
        with ThreadPoolExecutor(users) as pool:  # each worker loads the SDK with its first question
            list(pool.map(self.wake, range(4 * users)))
        self.threads = [threading.Thread(target=self.use, args=(number,)) for number in range(users)]
        for thread in self.threads:
            thread.start()

    def user(self):
        """A user who has signed in."""
        return self.site.user(self.served.cookies())

    def wake(self, number):
        traffic.ask(self.user(), traffic.STREAM, {"prompt": f"Good morning {number}"})

    def use(self, number):
        """One request of a user after another, until the end."""
        chance, question = random.Random(f"{self.style} {number}"), None
        while not self.stopped.is_set():
            (kind,) = chance.choices([*KINDS], [*KINDS.values()])
            try:
                if kind in ("stream", "json"):
                    question = self.question(chance, traffic.STREAM if kind == "stream" else traffic.ASK, question)
                else:
                    self.page() if kind == "page" else self.sign_in()
            except Exception as error:  # a user must not be missing for the rest of the time
                self.lose(kind, f"{type(error).__name__}: {error}")

    def question(self, chance, path, before):
        """Ask the next question of a conversation, judge the answer, and ask again with the same key."""
        fault = chance.choice(MEANT_FOR[path]) if chance.random() < FAULTY else None
        leave = 3 if path == traffic.STREAM and chance.random() < LEAVING else None
        question = self.conversations.ask(self.user(), before, path, f"fault:{fault} " if fault else "", leave)
        heard, prompt, expected = question.heard, question.prompt, question.expected
        self.outcomes[f"{'fault: ' if fault else ''}{heard.outcome}"] += 1
        if not expected.startswith(heard.read):
            self.lose(prompt, f"the answer to another question: {heard.read!r}")
        elif heard.outcome == traffic.LEFT:
            pass
        elif fault:
            if heard.answer is not None or heard.outcome in (traffic.CUT, traffic.NOTHING, traffic.LATE):
                self.lose(prompt, f"a fault was told as {heard.outcome}")
        elif heard.answer != expected:
            self.lose(prompt, f"{heard.outcome}: {heard.read!r}")
        else:
            again = traffic.ask(self.user(), chance.choice([traffic.STREAM, traffic.ASK]), question.fields)
            self.outcomes[f"again: {again.outcome}"] += 1
            if again.answer != expected:
                self.lose(prompt, f"asked again, {again.outcome}: {again.read!r}")
        return question

    def page(self):
        page = self.user().get("/").whole()
        self.outcomes[f"page {page.status}"] += 1
        if page.status != 200 or 'name="idempotency_key"' not in page.text:
            self.lose("page", f"status {page.status}")

    def sign_in(self):
        user = self.site.user()
        user.sign_in(USER, PASSWORD).close()
        page = user.get("/").whole()
        self.outcomes[f"sign-in, then page {page.status}"] += 1
        if page.status != 200:
            self.lose("sign-in", f"status {page.status}")

    def lose(self, what, how):
        self.lost.append(f"{what}: {how}")

    # What the server holds.

    def sample(self, minute):
        self.lost += self.conversations.misremembered(self.lane.requests())
        held = rig.usage(self.served.server.process.pid)
        self.samples.append(
            {
                "minute": minute,
                "memory": held.rss,
                "pss": held.pss,
                "files": held.files,
                "sockets": held.sockets,
                "threads": held.threads,
                "connections": self.connections(),
                "requests": self.outcomes.total(),
            }
        )

    def finish(self):
        """Let the users end, and see that no call to Claude goes on without one."""
        for thread in self.threads:
            thread.join()
        state = self.lane.state()
        if state["counts"]["arrived"] != state["counts"]["ended"]:
            self.lose("calls", f"{state['counts']} at the stand-in after the last user")
        end = time.monotonic() + 20  # an answer that its user left is stored soon
        while (lost := list(self.conversations.lost(self.served, self.user(), pages=100))) and time.monotonic() < end:
            pass
        self.lost += lost

    def growths(self, warm_up):
        """{what: (growth, allowed growth, mean)} after the warm-up."""
        late = [sample for sample in self.samples if sample["minute"] >= warm_up]
        found = {}
        for what, (share, least) in ALLOWED.items():
            values = [(sample["minute"], sample[what]) for sample in late]
            mean = sum(value for _, value in values) / len(values)
            found[what] = rig.growth(values), max(share * mean, least), mean
        return found


def watch(soaks, arguments):
    """Have the users at work for so many minutes, and look at the servers SAMPLES times in each."""
    for soak in soaks:
        soak.start(arguments.users)
    start = time.monotonic()
    try:
        for number in range(1, int(arguments.minutes * SAMPLES) + 1):
            rig.wait_until(start + number * 60 / SAMPLES)
            for soak in soaks:
                soak.sample(number / SAMPLES)
            if number % SAMPLES == 0:
                counts = ", ".join(f"{soak.style} {soak.outcomes.total()}, lost {len(soak.lost)}" for soak in soaks)
                rig.say(f"minute {number // SAMPLES}: {counts}")
    finally:
        for soak in soaks:
            soak.stopped.set()


def report(soaks, arguments):
    """Print all, and give the status to exit with."""
    bad = 0
    for soak in soaks:
        print(f"\n{soak.style}, {arguments.database}, {arguments.users} users")
        head = ["minute", "RSS KB", "PSS KB", "files", "sockets", "threads", "database", "requests"]
        rows = [[*sample.values()] for sample in soak.samples if sample["minute"] % 1 == 0]
        print("\n".join(rig.table(head, [[int(row[0]), *row[1:]] for row in rows])))
        print(f"\nAfter minute {arguments.warm_up:g}, by a line through {SAMPLES} samples a minute:")
        verdicts = []
        for what, (growth, allowed, mean) in soak.growths(arguments.warm_up).items():
            grew = growth > allowed
            bad += grew
            cells = [f"{mean:.0f}", f"{growth:+.1f}", f"{allowed:.1f}", "GROWS" if grew else "steady"]
            verdicts.append([what, *cells])
        print("\n".join(rig.table(["", "mean", "growth", "allowed", ""], verdicts)))
        print("\nWhat users got:")
        print("\n".join(rig.table(["", "times"], sorted(soak.outcomes.items()))))
        print(f"Lost or wrong: {len(soak.lost)}")
        print("\n".join(soak.lost[:20]))
        bad += len(soak.lost)
    print("\nVerdict: " + ("something grew or got lost, see above" if bad else "nothing grew, and no answer got lost"))
    return 1 if bad else 0


if __name__ == "__main__":
    main()
