"""How a line of the log looks: text in development, JSON in production, without a secret in either.

https://docs.djangoproject.com/en/stable/topics/logging/
"""

import json
import logging
import re
from http import HTTPStatus

from django.conf import settings
from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

from config.visits import current

# What a key of Anthropic's looks like, whoever's it is.
KEY = re.compile(r"sk-ant-[\w-]+")
# What Django and uvicorn add to their lines for readers of their own; a request, written out, would show its query.
UNSPOKEN = ["request", "server_time", "color_message"]


def redacted(text: str) -> str:
    """The last line of defence: no line has a secret in it, and if one had, it would end here.

    Looks at the finished line, traceback included, so that nothing gets past it.
    """
    for name in ("ANTHROPIC_API_KEY", "SECRET_KEY"):
        secret = getattr(settings, name).strip()
        if secret:
            # Within JSON, some characters look otherwise.
            text = text.replace(secret, f"[{name}]").replace(json.dumps(secret)[1:-1], f"[{name}]")
    return KEY.sub("[a key]", text)


class Lines(logging.Formatter):
    """For people."""

    def __init__(self) -> None:
        super().__init__("{asctime} {levelname} {name}: {message}", style="{")

    def format(self, record: logging.LogRecord) -> str:
        return redacted(super().format(record))


class Json(JsonFormatter):
    """For machines: one object a line, with all that the line was given as `extra`."""

    def __init__(self) -> None:
        super().__init__(
            ["levelname", "name", "message"],
            rename_fields={"levelname": "level", "name": "logger", "timestamp": "time"},
            reserved_attrs=[*RESERVED_ATTRS, *UNSPOKEN],
            timestamp=True,
        )

    def format(self, record: logging.LogRecord) -> str:
        return redacted(super().format(record))


class OfRequest(logging.Filter):
    """Says in each line which request it belongs to."""

    def filter(self, record: logging.LogRecord) -> bool:
        visit = current.get()
        if visit is not None:
            record.request_id = visit.request_id
        return True


class Unexplained(logging.Filter):
    """Drops what Django says of a view that answered 502 on purpose: the view has logged why."""

    def filter(self, record: logging.LogRecord) -> bool:
        return bool(record.exc_info) or getattr(record, "status_code", 0) < HTTPStatus.INTERNAL_SERVER_ERROR


class OfStrangers(logging.Filter):
    """Makes a warning of what Django calls an error and is the sender's own: nobody is to be called for that.

    https://docs.djangoproject.com/en/stable/ref/logging/#django-security
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.startswith("django.security.") and record.levelno == logging.ERROR:
            record.levelno, record.levelname = logging.WARNING, "WARNING"
        return True
