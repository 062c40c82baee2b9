"""Conversations with Claude, turn by turn. A turn is a question and its answer, kept so that no click is paid for twice."""

import json
import uuid
from decimal import Decimal
from functools import cached_property
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from chat.rendering import render
from claude.answers import Answer
from claude.calls import Call
from claude.messages import Details
from claude.reader import RESTART


class AnyJSONField(models.TextField):
    """JSON as text, with an escape for every character that is not ASCII.

    PostgreSQL keeps no NUL, neither database half a character, and what jsonb keeps is smaller. Claude may send anything.
    """

    def get_prep_value(self, value: Any) -> str | None:
        return None if value is None else json.dumps(value)

    def from_db_value(self, value: str | None, *args: object) -> Any:
        return None if value is None else json.loads(value)


class Conversation(models.Model):
    """Whoever starts a conversation makes its id, so that its first question can be sent twice, too."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="conversations", db_index=False, verbose_name=_("user")
    )
    title = models.CharField(_("title"), max_length=80)
    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    updated_at = models.DateTimeField(_("updated at"), default=timezone.now)

    class Meta:
        verbose_name = _("conversation")
        verbose_name_plural = _("conversations")
        indexes = [
            models.Index(fields=["user", "-updated_at"], name="conversations_of_user"),
            models.Index(fields=["updated_at"], name="conversations_by_age"),
        ]

    def __str__(self) -> str:
        return str(self.pk)  # the title quotes a question


class Turn(models.Model):
    """A question and its answer, as far as it has come.

    Outside of a conversation a turn has no prompt, and is kept for CHAT_REMEMBER seconds. chat/idempotency.py says what the
    key is good for.
    """

    class State(models.TextChoices):
        ASKED = "asked", _("Asked")  # and being answered, as long as its process renews alive_at
        ANSWERED = "answered", _("Answered")
        DECLINED = "declined", _("Declined")
        STOPPED = "stopped", _("Stopped")  # its user left
        FAILED = "failed", _("Failed")
        INTERRUPTED = "interrupted", _("Interrupted")  # its process died
        LOST = "lost", _("Lost")  # answered, but the database could not keep the answer

    conversation = models.ForeignKey(
        Conversation, on_delete=models.CASCADE, related_name="turns", null=True, db_index=False
    )
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="turns", db_index=False)
    idempotency_key = models.UUIDField(default=uuid.uuid4)
    digest = models.CharField(max_length=64)
    prompt = models.TextField()
    state = models.CharField(max_length=11, choices=State, default=State.ASKED)
    asked_at = models.DateTimeField(default=timezone.now)
    # When its process last said that it is at work on it, by the database's clock: servers have clocks of their own.
    alive_at = models.DateTimeField(db_default=Now())
    # The first of the turns that this one takes the place of as soon as it has an answer: a number, as that one then goes.
    replaces = models.BigIntegerField(null=True)
    # The API's blocks: the text of the answer is here, and nowhere else.
    content: Any = AnyJSONField(null=True)
    # All that a client is told of an answer but its text: {"stop_reason": …, "usage": …}, or {"error": …, "status": …}.
    ending: Any = AnyJSONField(null=True)
    message_id = models.CharField(max_length=255)

    # What only the process that answers it knows: that it does, that the conversation begins with it, what goes to Claude
    # with the prompt, and the call.
    is_ours = is_first = False
    call: Call | None = None
    details: Details = {}

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "idempotency_key"], name="one_turn_per_idempotency_key"),
        ]
        indexes = [
            models.Index(
                fields=["conversation", "id"], name="turns_of_conversation", condition=Q(conversation__isnull=False)
            ),
            models.Index(fields=["asked_at"], name="turns_that_stand_alone", condition=Q(conversation__isnull=True)),
            models.Index(fields=["alive_at"], name="turns_under_way", condition=Q(state="asked")),
        ]

    def __str__(self) -> str:
        return f"{self.idempotency_key}, {self.state}"

    @property
    def is_over(self) -> bool:
        """Whether Claude has answered, or declined to: then it is not asked again."""
        return self.state in (self.State.ANSWERED, self.State.DECLINED)

    @cached_property
    def pieces(self) -> list[str]:
        """The text that has come so far, in the process that answers."""
        return []

    @property
    def text(self) -> str:
        return "".join(str(block.get("text", "")) for block in self.content or [] if block.get("type") == "text")

    @property
    def valid_text(self) -> str:
        """The text with a question mark for half a character, which JSON can hold, and no page and no request."""
        return self.text.encode(errors="replace").decode()

    @property
    def html(self) -> SafeString:
        return render(self.text)

    @property
    def notes(self) -> list[str]:
        """How the answer ended, as chat/turn.html has it in words."""
        state = self.State(self.state)
        reason = (self.ending or {}).get("stop_reason")
        if state != self.State.ANSWERED:
            notes = [NOTES[state]]
        elif reason in ("end_turn", "stop_sequence"):
            return [] if self.text.strip() else ["empty"]
        else:
            notes = [reason if reason in ("max_tokens", "model_context_window_exceeded", "pause_turn") else "early"]
        return [*notes, "partial"] if self.text else notes

    @property
    def cost(self) -> dict[str, Any] | None:
        """What the answer cost, for chat/cost.html; None where the user is not told."""
        cost = (self.ending or {}).get("cost")
        return cost and {"dollars": cost["usd"] and dollars(Decimal(cost["usd"])), **cost}

    def as_json(self) -> dict[str, Any]:
        return {"answer": self.text, **self.ending}

    def add(self, piece: str) -> None:
        """A piece of the answer has come, or a sign of `claude.reader`."""
        if piece:
            self.pieces.append(piece)
        elif piece is RESTART:
            self.pieces.clear()

    def end(self, answer: Answer) -> None:
        """Claude has answered, or declined to."""
        self.state = self.State.DECLINED if answer.stop_reason == "refusal" else self.State.ANSWERED
        self.content = answer.content
        self.message_id = (answer.message_id or "")[:255]
        self.ending = {name: value for name, value in answer.as_dict().items() if name != "answer"}

    def break_off(self, state: State, ending: dict[str, Any] | None = None) -> None:
        """No more will come. What there was before stays, unless this time there is more."""
        if self.state == self.State.ASKED:
            cost = self.call.cost.as_json() if self.call and self.call.cost else {}
            self.state, self.ending = state, {**(ending or {}), **cost} or None
            if self.pieces:
                self.content = text_block("".join(self.pieces))


NOTES = {
    Turn.State.ASKED: "waiting",
    Turn.State.DECLINED: "refusal",
    Turn.State.STOPPED: "stopped",
    Turn.State.FAILED: "error",
    Turn.State.INTERRUPTED: "cut",
    Turn.State.LOST: "lost",
}


def dollars(amount: Decimal) -> str:
    """To the cent; below ten cents, two digits."""
    return number_format(amount, 1 - amount.adjusted() if 0 < amount < Decimal("0.1") else 2)


def text_block(text: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": text}]
