"""Has calls of a project begin, go on, end and die in any order, with a database that fails, and checks its books."""

import json
import shutil
import subprocess
from collections import Counter
from decimal import Decimal
from pathlib import Path

from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as some
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from environments import run, variables_for

USERS = 3
KINDS = ["answer", "refusal", "error", "silent", "lost", "unreached", "cut", "event", "html"]
SHARES = some.sampled_from([1, 1, 0.3, 0])
"""Of what a call may take at most."""
PLANS = some.fixed_dictionaries(
    {
        "kind": some.sampled_from([*["answer"] * 6, *["refusal"] * 3, *KINDS]),
        "status": some.sampled_from([400, 401, 429, 500, 529]),
        "category": some.sampled_from(["bio", "cyber", None]),
        "input": SHARES,
        "output": SHARES,
        "cache": some.sampled_from(["creation", "none", "read"]),
        "deltas": some.integers(0, 3),
    }
)
NUMBERS = some.integers(0, USERS - 1)
SEVERAL = some.lists(PLANS, min_size=1, max_size=2)
MODELS = some.sampled_from(["model-one"] * 5 + ["model-unknown"])
ELSEWHERE = some.sampled_from(["delete_user", "delete_user", "break_at", "break_at", "joins", "leaves", "midnight"])
SETTINGS = {
    "DEBUG": "false",
    "SECRET_KEY": "0a1b2c3d4e" * 6,
    "ANTHROPIC_API_KEY": "sk-ant-nobody",
    "DJANGO_SETTINGS_MODULE": "config.settings",
    "CLAUDE_SYSTEM_PROMPT": "Answer plainly.",
    "PYTHONWARNINGS": "ignore",
}


START = "import django, runpy, sys; django.setup(); runpy.run_path(sys.argv[1], run_name='__main__')"


class Project:
    """The process in the project."""

    def __init__(self, project, environment, **settings):
        variables = variables_for(environment, **SETTINGS, **settings)
        command = [environment / "bin/python", "-c", START, Path(__file__).with_name("spending.py")]
        variables["PYTHONPATH"] = str(project)
        self.log = project / "driven.log"
        with self.log.open("w") as log:
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": log, "text": True}
            self.process = subprocess.Popen(command, cwd=project, env=variables, **pipes)
        self.counts = Counter()

    def do(self, name, **arguments):
        """What the project says, and what its tables hold afterwards."""
        self.process.stdin.write(json.dumps([name, arguments]) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, self.log.read_text()
        self.counts[name] += 1
        error, said, state = json.loads(line)
        assert error is None, error
        return said, state

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        with self.process:
            self.process.stdin.close()


def prove(baked, interpreter, folder, examples, **settings):
    """How often what happened, once a machine has had so many runs on a copy of a project and found nothing."""
    project = Path(shutil.copytree(baked, folder / baked.name))
    run(["python", "manage.py", "migrate", "--verbosity", "0"], project, interpreter, **SETTINGS | settings)
    with Project(project, interpreter, **settings) as driven:
        run_state_machine_as_test(
            machine_for(driven),
            settings=hypothesis_settings(
                max_examples=examples,
                stateful_step_count=30,
                deadline=None,
                derandomize=True,
                database=None,
                suppress_health_check=[*HealthCheck],
            ),
        )
    return driven.counts


def machine_for(project):
    """The class of a machine that drives a project."""

    class Spending(RuleBasedStateMachine):
        calls = Bundle("calls")

        @initialize(
            day=some.sampled_from(["0.03", "0.1", "5"]),
            total=some.sampled_from(["0.05", "0.2", "50"]),
            group=some.sampled_from(["0.03", "50"]),
            fallback=some.sampled_from(["", "model-two"]),
            ttl=some.sampled_from(["5m", "1h"]),
        )
        def start(self, day, total, group, fallback, ttl):
            self.day, self.total, self.number = Decimal(day), Decimal(total), 0
            self.dead, self.broken, self.reserved = set(), set(), {}
            self.do("reset", users=USERS, day=day, project=total, fallback=fallback, ttl=ttl, group=group)

        def do(self, name, **arguments):
            said, self.state = project.do(name, **arguments)
            return said

        def do_and_end(self, name, number):
            """A step after which the books may not have been told of an end, where the database was broken."""
            was_broken = not self.state["broken"]
            self.do(name, number=number)
            if was_broken and self.state["broken"] and number not in self.state["open"]:
                self.broken.add(number)

        @rule(target=calls, user=some.none() | NUMBERS, plans=SEVERAL, model=MODELS)
        def begin(self, user, plans, model):
            return self.begin_one(user, plans, model)

        def begin_one(self, user, plans, model):
            self.number += 1
            kind, status = self.do("begin", number=self.number, user=user, plans=plans, model=model)
            project.counts[f"{kind} {status}"] += 1
            if model == "model-unknown":
                assert kind in ("misconfigured", "refused")
            if kind != "begun":
                return multiple()
            self.reserved |= {number: Decimal(amount) for number, _, _, amount in self.state["held"]}
            return self.number

        # Twice, as Hypothesis likes to leave out a rule or two for a whole run.
        begin_another = rule(target=calls, user=some.none() | NUMBERS, plans=SEVERAL, model=MODELS)(
            lambda self, user, plans, model: self.begin_one(user, plans, model)
        )

        @rule(number=calls, steps=some.sampled_from([8, 8, 1, 2, 3]))
        def go_on(self, number, steps):
            """A few events come, or the end."""
            for _ in range(steps):
                if number in self.state["open"]:
                    self.do_and_end("go_on", number)

        @rule(number=calls, how=some.sampled_from(["leave", "leave", "die"]))
        def break_off(self, number, how):
            """Its user hangs up, or its process is killed."""
            if number in self.state["open"]:
                self.do_and_end(how, number)
                if how == "die":
                    self.dead.add(number)

        @rule(number=calls, how=some.sampled_from(["expire", "settle_again"]))
        def afterwards(self, number, how):
            """Its reservation expires, also where it is only slow; or its end is told once more."""
            if how == "expire":
                self.do("expire", number=number)
            elif number not in self.state["open"] and number not in self.dead:
                self.do_and_end("settle_again", number)

        @rule(what=ELSEWHERE, user=NUMBERS, statement=some.integers(0, 7))
        def meanwhile(self, what, user, statement):
            """Something that is no call happens."""
            if what == "break_at":
                self.do(what, statement=statement)
            elif what == "midnight":
                self.do(what)
            elif what == "delete_user":
                self.do(what, user=user)
            else:
                self.do("change_group", user=user, joins=what == "joins")

        @precondition(lambda self: hasattr(self, "state"))
        @invariant()
        def the_ledger_is_what_was_spent(self):
            sums = Counter()
            for _, _, user, day, cost, is_offline, *_ in self.state["rows"]:
                assert not is_offline
                for owner in {user, None}:
                    sums[owner, day] += Decimal(cost or 0)
            spent = {(user, day): Decimal(amount) for user, day, amount in self.state["spending"]}
            # The rows of users who were deleted are of nobody, as are those of calls without a user.
            assert {key: cost for key, cost in sums.items() if cost} == {
                key: cost for key, cost in spent.items() if cost
            }

        @precondition(lambda self: hasattr(self, "state"))
        @invariant()
        def nobody_spends_more_than_they_may(self):
            spent = Counter()
            for user, day, amount in [*self.state["spending"], *(held[1:] for held in self.state["held"])]:
                spent[user, day] += Decimal(amount)
            held_by_users = sum(Decimal(held[3]) for held in self.state["held"] if held[1] is not None)
            for (user, _), amount in spent.items():
                if user is not None:
                    assert amount <= self.day
            assert sum(amount for (user, _), amount in spent.items() if user is None) + held_by_users <= self.total

        @precondition(lambda self: hasattr(self, "state"))
        @invariant()
        def no_call_costs_more_than_was_reserved_for_it(self):
            costs = Counter()
            for number, _, _, _, cost, *_ in self.state["rows"]:
                costs[number] += Decimal(cost or 0)
            assert [number for number, cost in costs.items() if cost > self.reserved.get(number, 0)] == []

        @precondition(lambda self: hasattr(self, "state"))
        @invariant()
        def each_call_that_reached_the_api_is_there_once(self):
            rows = Counter((number, iteration) for number, iteration, *_ in self.state["rows"])
            assert set(rows.values()) <= {1}
            held = {number for number, *_ in self.state["held"]}
            there = {number for number, _ in rows}
            under_way = {*self.state["open"], *self.dead, *self.broken}
            assert held <= under_way
            for number in self.state["reached"]:
                assert number in there or number in held or number in self.state["open"], number

        def teardown(self):
            """Whatever is left ends or dies, and its reservation expires: nothing is held, and all is written down."""
            if not hasattr(self, "state"):
                return
            self.do("mend")
            for number in self.state["open"]:
                self.do("die", number=number)
                self.dead.add(number)
            for number, *_ in self.state["held"]:
                self.do("expire", number=number)
            unreached = [PLAN | {"kind": "unreached"}]
            said = self.do("begin", number=self.number + 1, user=None, plans=unreached, model="model-one")
            if said[0] == "begun":
                self.do("leave", number=self.number + 1)
            assert self.state["held"] == []
            assert set(self.state["reached"]) <= {number for number, *_ in self.state["rows"]}
            self.the_ledger_is_what_was_spent()

    return Spending


PLAN = {"kind": "answer", "status": 500, "category": None, "input": 1, "output": 1, "cache": "none", "deltas": 1}
