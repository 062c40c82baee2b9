"""What `manage.py check` says about the settings of the chat.

https://docs.djangoproject.com/en/stable/topics/checks/
"""

from collections.abc import Iterator

from django.core.checks import CheckMessage, register

from claude.checks import errors_of_positive

POSITIVE = (
    "CHAT_MAX_PROMPT_CHARS",
    "CHAT_REMEMBER",
# % if cookiecutter.view_style == "async"
    "CHAT_MAX_PROMPTS",
# % endif
# % if cookiecutter.view_style != "sync"
    "CHAT_KEEPALIVE",
# % endif
)


@register
def check_numbers(app_configs: object, **kwargs: object) -> Iterator[CheckMessage]:
    yield from errors_of_positive(POSITIVE, "chat.E001")
