"""manage.py delete_old_conversations: what is kept for no longer than the settings say. For cron, or a timer of systemd."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.utils import timezone

from chat import keeper
from chat.models import Conversation


class Command(BaseCommand):
    help = (
        "Deletes conversations that nobody has asked in for CHAT_RETENTION_DAYS, and answers outside of conversations that "
        "are older than CHAT_REMEMBER. Says of answers whose process died that they were interrupted."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        interrupted, expired = keeper.sweep(now)
        deleted = 0
        if settings.CHAT_RETENTION_DAYS:
            old = now - timedelta(days=settings.CHAT_RETENTION_DAYS)
            deleted = keeper.delete(Conversation.objects.filter(updated_at__lt=old))
        self.stdout.write(
            f"{deleted} conversations and {expired} single answers deleted, {interrupted} answers were interrupted."
        )
