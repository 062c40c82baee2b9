"""`collect_batches.enqueue()` does the same as `manage.py collect_batches`, where Django has tasks: from 6.0 on.

https://docs.djangoproject.com/en/stable/topics/tasks/
"""

from django.tasks import task

from claude import batches


@task
def collect_batches() -> dict[str, int]:
    return dict(batches.collect())
