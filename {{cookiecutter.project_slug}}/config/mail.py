"""The settings of e-mail by the names that Django has for them.

https://docs.djangoproject.com/en/stable/topics/email/
"""

from typing import Any

import django

CONSOLE = "django.core.mail.backends.console.EmailBackend"
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
    return {"MAILERS": {"default": {"BACKEND": CONSOLE}}} if django.VERSION >= (6, 1) else {"EMAIL_BACKEND": CONSOLE}
