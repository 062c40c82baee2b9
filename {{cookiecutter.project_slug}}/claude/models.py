"""Batches, and what became of each of their items. `claude.batches` submits and collects them."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from claude.answers import Answer
from claude.failures import TABLE, Failure
from claude.reader import AnswerReader

if TYPE_CHECKING:
    from pydantic import BaseModel


class Batch(models.Model):
    """Many requests that were sent as one. The requests themselves are not kept."""

    class State(models.TextChoices):
        # It is being sent, or the process died meanwhile, or no word came back: the API may have it or not.
        SUBMITTING = "submitting", _("submitting")
        # By the API's own names.
        IN_PROGRESS = "in_progress", _("in progress")
        CANCELING = "canceling", _("canceling")
        # Every item has ended.
        ENDED = "ended", _("ended")
        # The API did not take it, and nothing is paid for.
        FAILED = "failed", _("failed")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("user")
    )
    purpose = models.CharField(_("purpose"), max_length=100, blank=True)
    state = models.CharField(_("state"), max_length=20, choices=State, default=State.SUBMITTING)
    anthropic_batch_id = models.CharField(_("Anthropic's id"), max_length=255, blank=True)
    size = models.PositiveIntegerField(_("items"))
    # How many items ended how, once all have.
    counts = models.JSONField(_("outcomes"), default=dict)
    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    ended_at = models.DateTimeField(_("ended at"), null=True)

    class Meta:
        verbose_name = _("batch")
        verbose_name_plural = _("batches")
        constraints = [
            models.UniqueConstraint(
                fields=["anthropic_batch_id"], condition=~Q(anthropic_batch_id=""), name="one_batch_per_anthropic_id"
            )
        ]

    def __str__(self) -> str:
        return str(self.pk)


class BatchItem(models.Model):
    """One request of a batch, by the `key` that your code gave it.

    Its `outcome` is PENDING, and then "answered", "declined" by Claude, "expired", "canceled", "missing" where the results
    do not have it, or the kind of a `Failure`.
    """

    PENDING = "pending"

    # The API knows the item by it.
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    batch = models.ForeignKey(Batch, models.CASCADE, related_name="items", db_index=False, verbose_name=_("batch"))
    key = models.CharField(_("key"), max_length=255)
    model = models.CharField(_("model"), max_length=255)
    outcome = models.CharField(_("outcome"), max_length=50, default=PENDING)
    # The API's message as JSON in ASCII: Claude may write a NUL, which PostgreSQL does not keep.
    message = models.TextField(blank=True)
    ended_at = models.DateTimeField(_("ended at"), null=True)
    # Whether every receiver of `batch_item_ended` has had it.
    is_delivered = models.BooleanField(_("delivered"), default=False)

    class Meta:
        verbose_name = _("item of a batch")
        verbose_name_plural = _("items of batches")
        constraints = [models.UniqueConstraint(fields=["batch", "key"], name="one_item_per_key")]
        indexes = [
            models.Index(
                fields=["ended_at"],
                name="batch_items_to_deliver",
                condition=Q(is_delivered=False) & ~Q(outcome="pending"),
            )
        ]

    def __str__(self) -> str:
        return str(self.pk)

    def answer(self, schema: type[BaseModel] | None = None) -> Answer:
        """The answer, whose `parsed` is an instance of the `schema` that was asked for. Raises `Failure` where there is none."""
        if not self.message:
            raise Failure(self.outcome if self.outcome in TABLE else "unavailable", f"the item is {self.outcome}")
        reader = AnswerReader(self.model)
        reader.schema = schema
        return reader.read(json.loads(self.message))
