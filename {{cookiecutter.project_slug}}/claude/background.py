"""Writes to the database that are tried until it takes them, in a thread that lives as long as its process.

A database that is locked, full or gone delays no answer: what it does not take waits here, in memory. The thread starts
with the first write, and holds no connection to a server between its rounds.
"""

import atexit
import logging
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, ClassVar, Self

from django.conf import settings
from django.db import DataError, Error, IntegrityError, connection

from claude.call import release_connections

logger = logging.getLogger("claude")

# How long whoever waits for a write does, how long until the next round, and for how long a write is tried, in seconds.
PATIENCE = 1.0
PAUSE = 2.0
KEEP_TRYING = 600.0


class Write:
    """Something to write, and what to do with the error when it is lost. `owner` is who may have to wait for it."""

    def __init__(self, write: Callable[[], None], lose: Callable[[Exception], None], owner: Any = None) -> None:
        self.write = write
        self.lose = lose
        self.owner = owner
        self.tried = threading.Event()
        self.give_up_at = time.monotonic() + KEEP_TRYING

    def wait(self, seconds: float = PATIENCE) -> None:
        """Until it has been tried. It may need the connection of the pool that this thread has."""
        release_connections()
        self.tried.wait(seconds)

    def is_over(self) -> bool:
        """Writes it. False when the database may take it later."""
        try:
            self.write()
        except Exception as error:
            for_later = isinstance(error, Error) and not isinstance(error, DataError | IntegrityError)
            if for_later and time.monotonic() < self.give_up_at:
                if not self.tried.is_set():  # its own words may quote what was said
                    # In development that is no news, as before the first `manage.py migrate`.
                    level = logging.DEBUG if settings.CLAUDE_OFFLINE else logging.WARNING
                    logger.log(level, "The database could not take a write yet: %s", type(error).__name__)
                return False
            self.lose(error)
        finally:
            self.tried.set()
        return True


class Writer:
    """What a process has to write. A subclass has a thread of its own, which can do more in its rounds."""

    _of_processes: ClassVar[dict[tuple[type, int], Any]] = {}

    def __init__(self) -> None:
        self._new: SimpleQueue[Write] = SimpleQueue()
        self._late: list[Write] = []
        self._untried: list[Write] = []
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    @classmethod
    def of_this_process(cls) -> Self:
        """A forked process has one of its own: it has not got the thread."""
        key = (cls, os.getpid())
        return cls._of_processes.get(key) or cls._of_processes.setdefault(key, cls())

    def write(self, item: Write) -> None:
        """Has it written soon. Within a transaction, which no other thread sees, it is tried at once."""
        if connection.in_atomic_block:
            self._try(item)
            return
        self._untried.append(item)
        self.start()
        self._new.put(item)

    def flush(self, owner: Any = None) -> None:
        """Waits until what this owner, or anybody, has to write has been tried, for PATIENCE seconds at most."""
        end = time.monotonic() + PATIENCE
        for item in [*self._untried]:
            if owner in (None, item.owner):
                item.wait(max(0.0, end - time.monotonic()))

    def make_round(self) -> None:
        """Tries what is late, up to the first that the database does not take: others come before that one next time."""
        while self._late:
            if not self._try(self._late.pop(0)):
                break

    def start(self) -> None:
        with self._starting:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name=type(self).__name__, daemon=True)
                self._thread.start()

    def _try(self, item: Write) -> bool:
        over = item.is_over()
        if item in self._untried:
            self._untried.remove(item)
        if not over:
            self._late.append(item)
        return over

    def _run(self) -> None:
        next_round = time.monotonic() + PAUSE
        while True:
            try:
                if time.monotonic() >= next_round:
                    next_round = time.monotonic() + PAUSE
                    self.make_round()
                with suppress(Empty):
                    self._try(self._new.get(timeout=max(0, next_round - time.monotonic())))
                if self._new.empty():
                    release_connections(keep_files=True)
            except Exception as error:
                logger.error("%s failed: %s", type(self).__name__, type(error).__name__)


@atexit.register
def flush() -> None:
    """Before a process ends: its threads end with it."""
    for (_, process), writer in [*Writer._of_processes.items()]:
        if process == os.getpid():
            writer.flush()
