"""manage.py collect_batches: follows the batches under way, and stores what has ended. For cron, or a timer of systemd."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from claude import batches


class Command(BaseCommand):
    help = "Asks the API how the batches are getting on, stores what has ended, and delivers it. Ends with 1 where that failed."

    def handle(self, *args: Any, **options: Any) -> None:
        done = batches.collect()
        self.stdout.write(", ".join(f"{number} {what}" for what, number in done.items()) or "Nothing to collect.")
        if done["failures"]:
            raise CommandError("Not everything was collected: the log says why. It is tried again next time.")
