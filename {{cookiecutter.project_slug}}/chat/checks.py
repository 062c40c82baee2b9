"""What `manage.py check` says about the settings of the chat.

https://docs.djangoproject.com/en/stable/topics/checks/
"""

from collections.abc import Iterator

from django.conf import settings
# % if cookiecutter.view_style == "sync"
from django.core.checks import CheckMessage, Error, register

# % else
from django.core.checks import CheckMessage, Error, Warning, register

# % endif
from claude.checks import Ranges, errors_of_ranges

RANGES: Ranges = {
    "CHAT_MAX_PROMPT_CHARS": (1, 1_000_000, "characters"),  # a request body has DATA_UPLOAD_MAX_MEMORY_SIZE
    "CHAT_HISTORY_TOKENS": (0, 900_000, "tokens"),  # no model of today takes more than a million
    "CHAT_RETENTION_DAYS": (0, 36_500, "days"),
    "CHAT_REMEMBER": (1, 366 * 24 * 60 * 60, "seconds"),
# % if cookiecutter.view_style == "async"
    "CHAT_MAX_PROMPTS": (1, 1_000, "questions"),
# % endif
# % if cookiecutter.view_style != "sync"
    "CHAT_KEEPALIVE": (0.01, 3_600, "seconds"),
# % endif
}
# A call has ended, and its answer is stored, at most so long after its CLAUDE_DEADLINE, in seconds.
STORED = 60


@register
def check_numbers(app_configs: object, **kwargs: object) -> Iterator[CheckMessage]:
    yield from errors_of_ranges(RANGES, "chat.E001")
    if settings.CHAT_REMEMBER < settings.CLAUDE_DEADLINE + STORED:
        yield Error(
            f"CHAT_REMEMBER is {settings.CHAT_REMEMBER}: a question would be forgotten, and could be paid for twice, "
            "while it is answered.",
            hint=f"Set it to CLAUDE_DEADLINE and {STORED} seconds more, at least.",
            id="chat.E002",
        )
# % if cookiecutter.view_style != "sync"
    if settings.CHAT_KEEPALIVE > 55:
        yield Warning(
            f"CHAT_KEEPALIVE is {settings.CHAT_KEEPALIVE:g}: many proxies close a stream that is silent for 60 seconds.",
            hint="Set it to 55 or less.",
            id="chat.W001",
        )
# % endif
