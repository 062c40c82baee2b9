"""What a process does for its turns beside answering them, in one thread that starts with the first of them.

It says in `alive_at` that they are being answered: a turn whose process has been silent for LEASE seconds is dead, and may
be asked again. It stores what has come of their answers, and how they ended. A database that is locked, full or gone
delays no user: an answer that it does not take waits here, in memory, and is tried again. The thread holds no connection
to a server between its rounds.
"""

import logging
import os
import threading
import time
from contextlib import suppress
from datetime import datetime, timedelta
from queue import Empty, SimpleQueue

from django.conf import settings
from django.db import DataError, Error, connection, transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now

from chat.models import Conversation, Turn, text_block
from claude.calls import release_connections

logger = logging.getLogger("chat")

State = Turn.State

# All in seconds. With these, a database may be gone for 45 seconds before it takes a living turn for dead.
RENEWAL = 2.0
LEASE = 60.0
# How long the end of an answer waits until it is stored.
PATIENCE = 1.0
# How long a database that is there may refuse an answer before the answer is lost.
KEEP_TRYING = 600.0
# How many conversations are deleted in one transaction.
AT_ONCE = 20


class Ended:
    """A turn that has ended, until the database knows it."""

    def __init__(self, turn: Turn) -> None:
        self.turn = turn
        self.over = threading.Event()
        self.give_up_at = time.monotonic() + KEEP_TRYING


class Keeper:
    """The turns that a process has in hand."""

    def __init__(self) -> None:
        self._alive: dict[int, Turn] = {}
        self._stored: dict[int, str] = {}  # the text of each that the database has
        self._ended: SimpleQueue[Ended] = SimpleQueue()
        self._late: list[Ended] = []
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    def begin(self, turn: Turn) -> None:
        """From now on this process is answering the turn."""
        self._alive[turn.pk], self._stored[turn.pk] = turn, ""
        # Within a transaction, as in a test, no other thread could see it.
        if not connection.in_atomic_block:
            self._start()

    def end(self, turn: Turn) -> None:
        """Stores the answer, or how it broke off. Waits for PATIENCE seconds at most."""
        ended = Ended(turn)
        if connection.in_atomic_block:
            self._store(ended)
            return
        self._start()
        self._ended.put(ended)
        ended.over.wait(PATIENCE)

    def make_round(self) -> None:
        """Renews what is alive, stores what has come, and tries again to store what could not be stored."""
        try:
            if self._alive:
                alive = Turn.objects.filter(pk__in=list(self._alive), state=State.ASKED)
                with transaction.atomic():
                    alive.update(alive_at=Now())
                with transaction.atomic():
                    self._store_texts()
        except Error:
            return  # the database is not there: what is late stays so
        finally:
            release_connections(keep_files=True)
        late, self._late = self._late, []
        for ended in late:
            self._store(ended)

    def _store_texts(self) -> None:
        for turn in list(self._alive.values()):
            text = "".join(turn.pieces) if turn.conversation_id else ""
            if text != self._stored.get(turn.pk, text):
                ours(turn).update(content=text_block(text))
                self._stored[turn.pk] = text

    def _store(self, ended: Ended) -> None:
        turn = ended.turn
        try:
            store(turn, last_try=time.monotonic() > ended.give_up_at)
        except Error as error:
            if not ended.over.is_set():
                # Its own words may quote the answer.
                logger.warning("The end of turn %d could not be stored yet: %s", turn.pk, type(error).__name__)
            self._late.append(ended)
        else:
            if self._alive.get(turn.pk) is turn:  # and not asked again meanwhile
                del self._alive[turn.pk], self._stored[turn.pk]
        finally:
            ended.over.set()  # whoever waits would wait in vain
            release_connections(keep_files=True)

    def _start(self) -> None:
        with self._starting:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        mark_interrupted(Turn.objects.all())
        next_round = time.monotonic() + RENEWAL
        while True:
            try:
                with suppress(Empty):
                    self._store(self._ended.get(timeout=max(0, next_round - time.monotonic())))
                if time.monotonic() >= next_round:
                    next_round = time.monotonic() + RENEWAL
                    self.make_round()
            except Exception as error:
                logger.error("The keeper of turns failed: %s", type(error).__name__)


_keepers: dict[int, Keeper] = {}


def of_this_process() -> Keeper:
    """A forked process has a keeper of its own: it has not got the thread, and answers none of these turns."""
    return _keepers.setdefault(os.getpid(), Keeper())


def store(turn: Turn, *, last_try: bool = False) -> None:
    """Stores how a turn ended, unless another request has taken it over meanwhile. What it replaces goes with that.

    Raises `django.db.Error` when the database may take it later. What it never will is marked as lost.
    """
    try:
        with transaction.atomic():
            changes = {"content": turn.content, "ending": turn.ending, "message_id": turn.message_id}
            stored = ours(turn).update(state=turn.state, **changes)
            if stored and turn.state == State.ANSWERED and turn.replaces:
                replaced(turn).delete()
    except Exception as error:
        if isinstance(error, Error) and not isinstance(error, DataError) and not last_try:
            raise
        logger.error("The end of turn %d is lost: %s", turn.pk, type(error).__name__)
        with suppress(Error):
            ours(turn).update(state=State.LOST if turn.is_over else turn.state)


def ours(turn: Turn) -> QuerySet[Turn]:
    """The row of a turn that we answer, unless another request has taken it over; it may have been taken for dead."""
    return Turn.objects.filter(pk=turn.pk, asked_at=turn.asked_at, state__in=(State.ASKED, State.INTERRUPTED))


def replaced(turn: Turn) -> QuerySet[Turn]:
    """What a turn takes the place of, with earlier attempts at that."""
    first = turn.replaces
    return Turn.objects.filter(Q(pk=first) | Q(replaces__gte=first), conversation=turn.conversation_id, pk__lt=turn.pk)


def delete(conversations: QuerySet[Conversation]) -> int:
    """Deletes conversations and says how many there were: a few at a time, as whoever asks in one of them waits meanwhile."""
    deleted = 0
    while True:
        with transaction.atomic():
            # Each question in a conversation changes it, and so waits for this lock, or keeps a chosen one from being chosen.
            few = list(conversations.select_for_update().values_list("pk", flat=True)[:AT_ONCE])
            Conversation.objects.filter(pk__in=few).delete()
        if not few:
            return deleted
        deleted += len(few)


def expired(now: datetime) -> QuerySet[Turn]:
    """What stood alone, and is too old for another request with its key."""
    old = now - timedelta(seconds=settings.CHAT_REMEMBER)
    return Turn.objects.filter(conversation=None, asked_at__lt=old).exclude(under_way())


def unchanged(turn: Turn) -> QuerySet[Turn]:
    """The row of a turn, as long as no other request has changed it: of two that try to, one does."""
    return Turn.objects.filter(pk=turn.pk, state=turn.state, asked_at=turn.asked_at)


def under_way() -> Q:
    """The turns that somebody is answering."""
    return Q(state=State.ASKED, alive_at__gte=Now() - timedelta(seconds=LEASE))


def mark_interrupted(turns: QuerySet[Turn]) -> int:
    """Says of turns whose process died that it did. Where there are none this only reads; where it cannot write, they stay."""
    dead = turns.filter(state=State.ASKED).exclude(under_way())
    with suppress(Error):
        if dead.exists():
            with transaction.atomic():
                return dead.update(state=State.INTERRUPTED)
    return 0


def silence(turn: Turn) -> float:
    """For how many seconds nobody has said that the turn is being answered."""
    rows = Turn.objects.annotate(silence=Now() - F("alive_at")).values_list("silence", flat=True)
    return rows.get(pk=turn.pk).total_seconds()
