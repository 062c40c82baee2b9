"""What a process does for its turns beside answering them.

It says in `alive_at` that they are being answered: a turn whose process has been silent for LEASE seconds is dead, and may
be asked again. It stores what has come of their answers, and how they ended, whenever the database takes it.
"""

import logging
import time
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial

from django.conf import settings
from django.db import Error, connection, transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from chat.models import Conversation, Turn, text_block
from claude.background import PAUSE, Write, Writer

logger = logging.getLogger("chat")

State = Turn.State

# All in seconds. With these, a database may be gone for 45 seconds before it takes a living turn for dead.
RENEWAL = PAUSE
LEASE = 60.0
# How often what is too old is deleted.
SWEEP = 60.0
# How many conversations are deleted in one transaction.
AT_ONCE = 20


class Keeper(Writer):
    """The turns that a process has in hand."""

    def __init__(self) -> None:
        super().__init__()
        self._alive: dict[int, Turn] = {}
        self._stored: dict[int, str] = {}  # the text of each that the database has
        self._next_sweep = 0.0

    def begin(self, turn: Turn) -> None:
        """From now on this process is answering the turn."""
        self._alive[turn.pk], self._stored[turn.pk] = turn, ""
        # Within a transaction, as in a test, no other thread could see it.
        if not connection.in_atomic_block:
            self.start()

    def end(self, turn: Turn) -> None:
        """Stores the answer, or how it broke off. Waits for PATIENCE seconds at most."""
        item = Write(partial(self._store, turn), partial(self._lose, turn))
        self.write(item)
        item.wait()

    def make_round(self) -> None:
        """Renews what is alive, stores what has come, and tries again to store what could not be stored."""
        try:
            if self._alive:
                alive = Turn.objects.filter(pk__in=list(self._alive), state=State.ASKED)
                with transaction.atomic():
                    alive.update(alive_at=Now())
                with transaction.atomic():
                    self._store_texts()
            if time.monotonic() >= self._next_sweep:
                self._next_sweep = time.monotonic() + SWEEP
                sweep(timezone.now())
        except Error:
            return  # the database is not there: what is late stays so
        super().make_round()

    def _store_texts(self) -> None:
        for turn in list(self._alive.values()):
            text = "".join(turn.pieces) if turn.conversation_id else ""
            if text != self._stored.get(turn.pk, text):
                ours(turn).update(content=text_block(text))
                self._stored[turn.pk] = text

    def _store(self, turn: Turn) -> None:
        store(turn)
        self._forget(turn)

    def _lose(self, turn: Turn, error: Exception) -> None:
        logger.error("The end of turn %d is lost: %s", turn.pk, type(error).__name__)
        with suppress(Error):
            ours(turn).update(state=State.LOST if turn.is_over else turn.state)
        self._forget(turn)

    def _forget(self, turn: Turn) -> None:
        if self._alive.get(turn.pk) is turn:  # and not asked again meanwhile
            del self._alive[turn.pk], self._stored[turn.pk]


def store(turn: Turn) -> None:
    """Stores how a turn ended, unless another request has taken it over meanwhile. What it replaces goes with that."""
    with transaction.atomic():
        changes = {"content": turn.content, "ending": turn.ending, "message_id": turn.message_id}
        stored = ours(turn).update(state=turn.state, **changes)
        if stored and turn.state == State.ANSWERED and turn.replaces:
            replaced(turn).delete()


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


def sweep(now: datetime) -> tuple[int, int]:
    """Marks the turns whose process died, and deletes what stood alone and is too old for another request with its key.

    Says how many there were of each.
    """
    interrupted = mark_interrupted(Turn.objects.all())
    old = now - timedelta(seconds=settings.CHAT_REMEMBER)
    deleted, _ = Turn.objects.filter(conversation=None, asked_at__lt=old).exclude(under_way()).delete()
    return interrupted, deleted


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
