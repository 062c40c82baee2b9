"""Questions and their answers, kept so that no click is answered, or paid for, twice."""

import json
import uuid
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils import timezone


class AnyJSONField(models.TextField):
    """JSON as text, with an escape for every character that is not ASCII.

    PostgreSQL keeps no NUL, neither database half a character, and what jsonb keeps is smaller. Claude may send anything.
    """

    def get_prep_value(self, value: Any) -> str | None:
        return None if value is None else json.dumps(value)

    def from_db_value(self, value: str | None, *args: object) -> Any:
        return None if value is None else json.loads(value)


class Question(models.Model):
    """A question that came with an idempotency key, and its answer once it has one.

    Kept for CHAT_REMEMBER seconds after it was asked. chat/idempotency.py says what the key is good for.
    """

    class State(models.TextChoices):
        ASKED = "asked"
        ANSWERED = "answered"
        FAILED = "failed"
        LOST = "lost"  # answered, but the database could not keep the answer

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="questions")
    idempotency_key = models.UUIDField(default=uuid.uuid4)
    digest = models.CharField(max_length=64)
    state = models.CharField(max_length=8, choices=State, default=State.ASKED)
    asked_at = models.DateTimeField(default=timezone.now, db_index=True)
    # When its process last said that it is at work on it, by the database's clock: servers have clocks of their own.
    alive_at = models.DateTimeField(db_default=Now())
    answer: Any = AnyJSONField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "idempotency_key"], name="one_question_per_idempotency_key"),
        ]

    def __str__(self) -> str:
        return f"{self.idempotency_key}, {self.state}"
