"""What the database does not take is tried again; what it never will is lost once, in words."""

import subprocess
import sys
import threading

import pytest
from django.db import DataError, OperationalError, transaction

from claude import background
from claude.background import Write, Writer

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    monkeypatch.setattr(background, "PAUSE", 0.01)
    monkeypatch.setattr(background, "PATIENCE", 0.01)


class Database:
    """Raises these errors one after the other, and then takes what there is to write."""

    def __init__(self, *errors):
        self.errors = list(errors)
        self.lost = []
        self.over = threading.Event()

    def write(self):
        if self.errors:
            raise self.errors.pop(0)
        self.over.set()

    def lose(self, error):
        self.lost.append(error)
        self.over.set()


def test_what_a_locked_database_does_not_take_is_tried_again():
    locked = Database(OperationalError("locked"), OperationalError("locked"))
    Writer().write(Write(locked.write, locked.lose))
    assert locked.over.wait(60)
    assert (locked.errors, locked.lost) == ([], [])


def test_what_comes_later_is_written_after_it():
    ours, gone, fine = Writer(), Database(OperationalError("gone")), Database()
    ours.write(Write(gone.write, gone.lose))
    ours.write(Write(fine.write, fine.lose))
    assert gone.over.wait(60)
    assert fine.over.wait(60)


def test_what_no_database_will_take_is_lost_at_once():
    refused = Database(DataError("too long"))
    Writer().write(Write(refused.write, refused.lose))
    assert refused.over.wait(60)
    assert [type(error) for error in refused.lost] == [DataError]


def test_what_was_tried_for_long_enough_is_lost(monkeypatch):
    monkeypatch.setattr(background, "KEEP_TRYING", 0)
    gone = Database(OperationalError("gone"))
    Writer().write(Write(gone.write, gone.lose))
    assert gone.over.wait(60)
    assert [type(error) for error in gone.lost] == [OperationalError]


def test_within_a_transaction_it_is_a_part_of_that():
    threads = []
    with transaction.atomic():
        Writer().write(Write(lambda: threads.append(threading.get_ident()), threads.append))
    assert threads == [threading.get_ident()]


def test_who_has_something_to_write_can_wait_for_it_and_not_for_others(monkeypatch):
    monkeypatch.setattr(background, "PATIENCE", 60)
    gate, ours = threading.Event(), Writer()
    ours.write(Write(gate.wait, lambda error: None, "owner"))
    ours.flush("another")
    waiting = threading.Thread(target=ours.flush, args=("owner",))
    waiting.start()
    assert waiting.is_alive()
    gate.set()
    waiting.join(60)
    assert not waiting.is_alive()


def test_nobody_keeps_a_connection_of_a_pool_while_waiting_for_a_write(monkeypatch):
    released = []
    monkeypatch.setattr(background, "release_connections", lambda **kwargs: released.append(threading.get_ident()))
    Write(lambda: None, lambda error: None).wait(0)
    assert threading.get_ident() in released


def test_a_connection_that_cannot_be_given_back_does_not_end_the_thread(monkeypatch):
    first, second, ours = Database(), Database(), Writer()
    monkeypatch.setattr(background, "release_connections", lambda **kwargs: 1 / 0)
    ours.write(Write(first.write, first.lose))
    assert first.over.wait(60)
    thread = ours._thread
    ours.write(Write(second.write, second.lose))
    assert second.over.wait(60)
    assert ours._thread is thread


def test_a_process_that_ends_writes_what_it_has_to():
    program = """
import atexit, threading, time
import django
django.setup()
from claude.background import Write, Writer

ended = threading.Event()
Writer.of_this_process().write(Write(lambda: (ended.wait(), time.sleep(0.1), print("written")), print))
atexit.register(ended.set)
"""
    command, environment = [sys.executable, "-c", program], {"DJANGO_SETTINGS_MODULE": "tests.settings"}
    assert subprocess.run(command, env=environment, capture_output=True, text=True).stdout == "written\n"
