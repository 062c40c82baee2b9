"""Wherever a process dies, a batch is sent once, and each of its items is stored, paid and delivered once."""

import json
import shutil
import signal
from pathlib import Path

import pytest

import preloaded
from bakery import name_of
from claude_server.script import Answer, Canceled, Refusal, Silence, Status
from environments import run, variables_for
from postgres_server import OnPostgreSQL, postgresql
from production import by_turns, until

SCRIPT = """
import itertools
import json
import os
import signal
import sys

import django

django.setup()
from datetime import timedelta

from django.contrib.auth import get_user_model
from django.utils import timezone

from claude import batch_results, batches
from claude.messages import build_request
from claude.models import Batch, BatchItem
from usage.models import LedgerEntry, Reservation

what, where = sys.argv[1], sys.argv[2:]


def die(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)


def take_over(item, **kwargs):
    # A name that is there twice would be an error.
    get_user_model().objects.create(username=item.key, password="!")
    if where == ["telling"] and item.key == "2":
        die()


batches.batch_item_ended.connect(take_over)
counted = itertools.count(1)
end = batch_results.end


def end_and_die(*args, **kwargs):
    end(*args, **kwargs)
    if next(counted) == 2:
        die()


if where == ["sending"]:
    batches.ask = die
elif where == ["noting its id"]:
    batches.note_id = die
elif where == ["storing"]:
    batch_results.end = end_and_die
elif where == ["closing"]:
    batch_results.close = die
if what == "submit":
    batches.submit({str(n): build_request(f"Question {n}") for n in range(4)}, purpose="test")
elif what == "collect":
    Batch.objects.filter(state="submitting").update(created_at=timezone.now() - timedelta(hours=1))
    print(dict(batches.collect()))
else:
    found = {
        "states": list(Batch.objects.values_list("state", flat=True)),
        "outcomes": dict(BatchItem.objects.values_list("key", "outcome")),
        "delivered": sorted(get_user_model().objects.filter(username__lte="9").values_list("username", flat=True)),
        "ledger": sorted(LedgerEntry.objects.values_list("outcome", flat=True)),
        "held": Reservation.objects.count(),
    }
    print(json.dumps(found))
"""


class Batches:
    """A project whose processes submit and collect, and may die on the way."""

    def __init__(self, prepared, folder, lane, settings):
        self.project = Path(shutil.copytree(prepared[0], folder / prepared[0].name))
        self.environment = prepared[1]
        self.settings = settings
        self.lane = lane
        (self.project / "script.py").write_text(SCRIPT, encoding="utf-8")

    def start(self, *arguments):
        variables = {"DJANGO_SETTINGS_MODULE": "config.settings", **self.settings}
        command = ["python", "script.py", *arguments]
        log = self.project / f"{'-'.join(arguments)}.log".replace(" ", "-")
        return preloaded.start(command, self.project, variables_for(self.environment, **variables), log)

    def run(self, *arguments):
        """What a process says that ends by itself."""
        variables = {"DJANGO_SETTINGS_MODULE": "config.settings", **self.settings}
        said = run(["python", "script.py", *arguments], self.project, self.environment, preloaded.start, **variables)
        return said.splitlines()[-1] if said else ""

    def die(self, *arguments):
        process = self.start(*arguments)
        assert process.wait(30) == -signal.SIGKILL

    def made(self):
        """How many batches the API was asked for."""
        return sum(exchange.method == "POST" for exchange in self.lane.requests())


@pytest.fixture
def batches(request, production, claude, tmp_path):
    lane = claude.lane()
    settings = production.settings(ANTHROPIC_BASE_URL=lane.base_url, CLAUDE_MAX_RETRIES="0")
    return Batches(production.prepared(request.param), tmp_path, lane, settings)


def on(*view_styles):
    """Has a test run on these view styles."""
    return pytest.mark.parametrize("batches", by_turns(*view_styles), ids=name_of, indirect=True)


OUTCOMES = {"0": "answered", "1": "declined", "2": "unavailable", "3": "canceled"}


def script_items(lane):
    """Each of the items ends in another way."""
    steps = {"Question 1": Refusal(), "Question 2": Status(529), "Question 3": Canceled()}
    for marker, step in steps.items():
        lane.rule(marker, otherwise=step, endpoint="batch_items")


def check_whole(batches):
    """All is there once, and nothing is left to do."""
    assert "delivered" not in batches.run("collect")
    found = json.loads(batches.run("show"))
    assert found["outcomes"] == OUTCOMES
    assert found["delivered"] == sorted(OUTCOMES)
    assert found["ledger"] == sorted(OUTCOMES.values())
    assert (found["states"], found["held"], batches.made()) == (["ended"], 0, 1)


@on("sync")
def test_a_batch_whose_process_died_before_the_response_came_is_found_and_collected(batches):
    batches.lane.script(Silence(), endpoint="batches")
    script_items(batches.lane)
    process = batches.start("submit")
    batches.lane.wait(arrived=1)
    process.kill()
    process.wait(10)
    check_found(batches)


@on("async")
def test_a_batch_whose_process_died_before_its_id_was_stored_is_found_and_collected(batches):
    script_items(batches.lane)
    batches.die("submit", "noting its id")
    check_found(batches)


def check_found(batches):
    batches.lane.settings(batch_looks=1)
    batches.run("collect")  # may be it: it has not ended yet
    assert json.loads(batches.run("show"))["states"] == ["submitting"]
    batches.run("collect")
    check_whole(batches)


@on("sync")
def test_a_batch_whose_process_died_before_it_was_sent_has_failed_and_is_not_sent(batches):
    batches.die("submit", "sending")
    assert json.loads(batches.run("show"))["held"] == 4
    assert batches.run("collect") == "{'failed': 1, 'delivered': 4}"
    found = json.loads(batches.run("show"))
    assert (found["states"], found["ledger"], found["held"], batches.made()) == (["failed"], [], 0, 0)
    assert found["delivered"] == sorted(OUTCOMES)


@on("sync", "async")
def test_wherever_a_process_dies_that_collects_the_next_one_does_the_rest(batches):
    script_items(batches.lane)
    batches.run("submit")
    for where in ("storing", "closing", "telling"):
        batches.die("collect", where)
    found = json.loads(batches.run("show"))
    assert (found["outcomes"], found["delivered"]) == (OUTCOMES, ["3"])
    assert found["ledger"] == sorted(OUTCOMES.values())
    batches.run("collect")
    check_whole(batches)


@on("sync")
def test_two_processes_that_collect_at_once_store_and_tell_everything_once(batches):
    script_items(batches.lane)
    batches.run("submit")
    batches.lane.script(Answer(held=True), Answer(held=True), endpoint="batch_results")
    processes = [batches.start("collect"), batches.start("collect", "again")]
    until(lambda: sum(exchange.endpoint == "batch_results" for exchange in batches.lane.requests()) == 2, 30)
    batches.lane.release(1)
    assert [process.wait(30) for process in processes] == [0, 0]
    check_whole(batches)


def test_on_postgresql_too_they_store_and_tell_everything_once(bake, environment, claude, tmp_path):
    (answers,) = by_turns("async", database="postgresql")
    lane = claude.lane()
    with postgresql() as server:
        production = OnPostgreSQL(server, tmp_path / "production", bake, environment, preloaded.start)
        prepared = production.prepared(answers)
        settings = production.settings(ANTHROPIC_BASE_URL=lane.base_url)
        test_two_processes_that_collect_at_once_store_and_tell_everything_once(
            Batches(prepared, tmp_path, lane, settings)
        )
