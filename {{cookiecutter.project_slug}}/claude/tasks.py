"""`collect_batches.enqueue()` does the same as `manage.py collect_batches`, where Django has tasks: from 6.0 on.

https://docs.djangoproject.com/en/stable/topics/tasks/
"""

from contextlib import suppress

from claude import batches

with suppress(ImportError):
    from django.tasks import task

    @task
    def collect_batches() -> dict[str, int]:
        return dict(batches.collect())
