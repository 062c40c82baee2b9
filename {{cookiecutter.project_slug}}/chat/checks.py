"""What `manage.py check` says about the settings of the chat.

https://docs.djangoproject.com/en/stable/topics/checks/
"""

from collections.abc import Iterator

from django.conf import settings
from django.core.checks import CheckMessage, register

from claude.checks import errors_of_positive


@register
def check_numbers(app_configs: object, **kwargs: object) -> Iterator[CheckMessage]:
    """Every number among the settings of the chat is a limit or a time, and must be more than 0."""
    names = sorted({name for name in dir(settings) if name.startswith("CHAT_")})
    numbers = [name for name in names if type(getattr(settings, name)) in (int, float)]
    yield from errors_of_positive(numbers, "chat.E001")
