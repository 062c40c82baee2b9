"""How the log looks: text in development, JSON in production, no secret in either.

https://docs.djangoproject.com/en/stable/topics/logging/
"""

import json
import logging
import re
from http import HTTPStatus

from django.conf import settings
from pythonjsonlogger import json as json_logger
from pythonjsonlogger.core import RESERVED_ATTRS

from claude.failures import Failure
from config.request_log import current

# What any key of Anthropic looks like.
KEY = re.compile(r"sk-ant-[\w-]+")
# What Django and uvicorn add to their lines for handlers of their own; a request, written out, would show its query.
LEFT_OUT = ["request", "server_time", "color_message"]


def redact(text: str) -> str:
    """Replaces secrets. No line should have one: this is the last line of defence.

    It sees the finished line, traceback included.
    """
    for name in ("ANTHROPIC_API_KEY", "SECRET_KEY"):
        secret = getattr(settings, name).strip()
        if secret:
            # JSON escapes some characters.
            text = text.replace(secret, f"[{name}]").replace(json.dumps(secret)[1:-1], f"[{name}]")
    return KEY.sub("[a key]", text)


class TextFormatter(logging.Formatter):
    """For people."""

    def __init__(self) -> None:
        super().__init__("{asctime} {levelname} {name}: {message}", style="{")

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


class JsonFormatter(json_logger.JsonFormatter):
    """For machines: one object a line, with all that the line was given as `extra`."""

    def __init__(self) -> None:
        super().__init__(
            ["levelname", "name", "message"],
            rename_fields={"levelname": "level", "name": "logger", "timestamp": "time"},
            reserved_attrs=[*RESERVED_ATTRS, *LEFT_OUT],
            timestamp=True,
        )

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


class AddRequestId(logging.Filter):
    """Adds the id of the request to each line."""

    def filter(self, record: logging.LogRecord) -> bool:
        request = current.get()
        if request is not None:
            record.request_id = request.request_id
        return True


class DropExplainedErrors(logging.Filter):
    """Drops Django's line about a failure that has one of its own: of a view that answered 502, of a call refused."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info:
            return not isinstance(record.exc_info[1], Failure)
        return getattr(record, "status_code", 0) < HTTPStatus.INTERNAL_SERVER_ERROR


class LowerSecurityErrors(logging.Filter):
    """Turns Django's security errors into warnings: a client caused them, and nobody needs to act.

    https://docs.djangoproject.com/en/stable/ref/logging/#django-security
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.startswith("django.security.") and record.levelno == logging.ERROR:
            record.levelno, record.levelname = logging.WARNING, "WARNING"
        return True
