"""What a process does for its questions beside answering them, in one thread that starts with the first of them.

It says in `alive_at` that they are being answered: a question whose process has been silent for LEASE seconds is dead,
and may be asked again. And it stores how they ended. A database that is locked, full or gone delays no user: an answer
that it does not take waits here, in memory, and is tried again. The thread holds no connection between its turns.
"""

import logging
import os
import threading
import time
from contextlib import suppress
from datetime import timedelta
from queue import Empty, SimpleQueue

from django.db import DataError, Error, connection, transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now

from chat.models import Question
from claude.calls import release_connections

logger = logging.getLogger("chat")

State = Question.State

# All in seconds. With these, a database may be gone for 45 seconds before it takes a living question for dead.
RENEWAL = 3.0
LEASE = 60.0
# How long the end of an answer waits until it is stored.
PATIENCE = 1.0
# How long a database that is there may refuse an answer before the answer is lost.
KEEP_TRYING = 600.0


class Ended:
    """A question that has ended, until the database knows it."""

    def __init__(self, question: Question) -> None:
        self.question = question
        self.over = threading.Event()
        self.give_up_at = time.monotonic() + KEEP_TRYING


class Keeper:
    """The questions that a process has in hand."""

    def __init__(self) -> None:
        self._alive: set[int] = set()
        self._ended: SimpleQueue[Ended] = SimpleQueue()
        self._late: list[Ended] = []
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    def begin(self, question: Question) -> None:
        """From now on this process is answering the question."""
        self._alive.add(question.pk)
        # Within a transaction, as in a test, no other thread could see it.
        if not connection.in_atomic_block:
            self._start()

    def end(self, question: Question) -> None:
        """Stores the answer, or that there is none. Waits for PATIENCE seconds at most."""
        ended = Ended(question)
        if connection.in_atomic_block:
            self._store(ended)
            return
        self._start()
        self._ended.put(ended)
        ended.over.wait(PATIENCE)

    def turn(self) -> None:
        """Renews what is alive, and tries again to store what could not be stored."""
        try:
            if self._alive:
                alive = Question.objects.filter(pk__in=list(self._alive), state=State.ASKED)
                with transaction.atomic():
                    alive.update(alive_at=Now())
        except Error:
            return  # the database is not there: what is late stays so
        finally:
            release_connections()
        late, self._late = self._late, []
        for ended in late:
            self._store(ended)

    def _store(self, ended: Ended) -> None:
        question = ended.question
        try:
            store(question, last_try=time.monotonic() > ended.give_up_at)
        except Error as error:
            if not ended.over.is_set():
                # Its own words may quote the answer.
                logger.warning("The end of question %d could not be stored yet: %s", question.pk, type(error).__name__)
            self._late.append(ended)
        else:
            self._alive.discard(question.pk)
        finally:
            ended.over.set()  # whoever waits would wait in vain
            release_connections()

    def _start(self) -> None:
        with self._starting:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        next_turn = time.monotonic() + RENEWAL
        while True:
            try:
                with suppress(Empty):
                    self._store(self._ended.get(timeout=max(0, next_turn - time.monotonic())))
                if time.monotonic() >= next_turn:
                    next_turn = time.monotonic() + RENEWAL
                    self.turn()
            except Exception as error:
                logger.error("The keeper of questions failed: %s", type(error).__name__)


_keepers: dict[int, Keeper] = {}


def of_this_process() -> Keeper:
    """A forked process has a keeper of its own: it has not got the thread, and answers none of these questions."""
    return _keepers.setdefault(os.getpid(), Keeper())


def store(question: Question, *, last_try: bool = False) -> None:
    """Stores how a question ended, unless another request has taken it over meanwhile.

    Raises `django.db.Error` when the database may take it later. What it never will is marked as lost.
    """
    ours = unchanged(question)
    state = State.FAILED if question.answer is None else State.ANSWERED
    try:
        with transaction.atomic():
            ours.update(state=state, answer=question.answer)
    except Exception as error:
        if isinstance(error, Error) and not isinstance(error, DataError) and not last_try:
            raise
        logger.error("The end of question %d is lost: %s", question.pk, type(error).__name__)
        with suppress(Error):
            ours.update(state=State.FAILED if question.answer is None else State.LOST)


def unchanged(question: Question) -> QuerySet[Question]:
    """The row of a question, as long as no other request has changed it: of two that try to, one does."""
    return Question.objects.filter(pk=question.pk, state=question.state, asked_at=question.asked_at)


def under_way() -> Q:
    """The questions that somebody is answering."""
    return Q(state=State.ASKED, alive_at__gte=Now() - timedelta(seconds=LEASE))


def silence(question: Question) -> float:
    """For how many seconds nobody has said that the question is being answered."""
    rows = Question.objects.annotate(silence=Now() - F("alive_at")).values_list("silence", flat=True)
    return rows.get(pk=question.pk).total_seconds()
