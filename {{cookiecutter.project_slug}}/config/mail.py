"""The settings of e-mail by the names that Django has for them.

https://docs.djangoproject.com/en/stable/topics/email/
"""

from typing import Any

import django
from django.core.mail import EmailMessage
from django.core.mail.backends.console import EmailBackend

# Before 6.1, which has them in MAILERS and warns of these.
NAMES = {
    "host": "EMAIL_HOST",
    "port": "EMAIL_PORT",
    "username": "EMAIL_HOST_USER",
    "password": "EMAIL_HOST_PASSWORD",
    "timeout": "EMAIL_TIMEOUT",
    "use_ssl": "EMAIL_USE_SSL",
    "use_tls": "EMAIL_USE_TLS",
}


class Console(EmailBackend):
    """Prints e-mails as people read them: on its way, a long link is broken into lines."""

    def write_message(self, message: EmailMessage) -> None:
        self.stream.write(f"To: {', '.join(message.to)}\nSubject: {message.subject}\n\n{message.body}\n")


def mail_server(text: str) -> str | None:
    """The name of a mail server, empty where nobody has thought of one; None for `none`, where there shall be none."""
    return None if text.lower() == "none" else text


def mail_settings(options: dict[str, Any], *, debug: bool) -> dict[str, Any]:
    """Without a mail server, e-mail is printed in development, and there are no settings in production."""
    if options["host"]:
        if django.VERSION >= (6, 1):
            return {"MAILERS": {"default": {"OPTIONS": options}}}
        return {name: options[option] for option, name in NAMES.items()}
    if not debug:
        return {}
    console = "config.mail.Console"
    return {"MAILERS": {"default": {"BACKEND": console}}} if django.VERSION >= (6, 1) else {"EMAIL_BACKEND": console}
