"""What is kept of a question: enough that no click is answered, or paid for, twice."""

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone


class Question(models.Model):
    """A question that was sent under an id of the reader's own making, and its outcome once it has one.

    Kept for CHAT_REMEMBER seconds after it was asked, and until somebody asks another. chat/once.py says what the id is
    good for.
    """

    class State(models.TextChoices):
        ASKED = "asked"
        ANSWERED = "answered"
        FAILED = "failed"

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="questions")
    request_id = models.UUIDField(default=uuid.uuid4)
    digest = models.CharField(max_length=64)
    state = models.CharField(max_length=8, choices=State, default=State.ASKED)
    asked_at = models.DateTimeField(default=timezone.now, db_index=True)
    outcome = models.JSONField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "request_id"], name="one_question_per_request_id"),
        ]

    def __str__(self) -> str:
        return f"{self.request_id}, {self.state}"
