"""The project's own user model, so that you can add a field at any time, and who was sent a link lately.

https://docs.djangoproject.com/en/stable/topics/auth/customizing/#using-a-custom-user-model-when-starting-a-project
"""

from django.contrib.auth.models import AbstractUser
from django.db import models


class User(AbstractUser):
    """Several users may have one e-mail address: each gets a link of their own, and no form says whose an address is."""


class LinkRequest(models.Model):
    """Somebody has asked for a link to an e-mail address, which is kept as a digest and for minutes only."""

    digest = models.CharField(max_length=64, unique=True)
    asked_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.digest
