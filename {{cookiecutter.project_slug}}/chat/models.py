"""Questions and their answers, kept so that no click is answered, or paid for, twice."""

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone


class Question(models.Model):
    """A question that came with an idempotency key, and its answer once it has one.

    Kept for CHAT_REMEMBER seconds after it was asked. chat/idempotency.py says what the key is good for.
    """

    class State(models.TextChoices):
        ASKED = "asked"
        ANSWERED = "answered"
        FAILED = "failed"

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="questions")
    idempotency_key = models.UUIDField(default=uuid.uuid4)
    digest = models.CharField(max_length=64)
    state = models.CharField(max_length=8, choices=State, default=State.ASKED)
    asked_at = models.DateTimeField(default=timezone.now, db_index=True)
    answer = models.JSONField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "idempotency_key"], name="one_question_per_idempotency_key"),
        ]

    def __str__(self) -> str:
        return f"{self.idempotency_key}, {self.state}"
