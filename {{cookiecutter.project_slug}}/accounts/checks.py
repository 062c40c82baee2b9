"""What `manage.py check` says about the settings of accounts and e-mail.

https://docs.djangoproject.com/en/stable/topics/checks/
"""

import re
from collections.abc import Iterator
from email.utils import parseaddr

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register
from django.http.request import split_domain_port, validate_host


@register
def check_mail(app_configs: object, **kwargs: object) -> Iterator[CheckMessage]:
    mail = settings.MAIL
    host = mail["host"]
    if not settings.DEBUG and host == "":
        yield Warning(
            "EMAIL_HOST is not set: nobody can have a link sent to choose a new password.",
            hint="Set it to your mail server, or to none: then administrators make the links, under /admin/.",
            id="accounts.W001",
        )
    if not 1 <= mail["port"] <= 65_535:
        yield Error(f"EMAIL_PORT is {mail['port']}.", hint="It takes 1 to 65,535.", id="accounts.E001")
    if host and not re.fullmatch(r"[\w.-]+|[\da-fA-F.]*(:[\da-fA-F.]*){2,}", host):
        yield Error(
            f"EMAIL_HOST is {host!r:.100}: no e-mail could be sent.",
            hint="It takes a name or an address, without smtp:// and port, which is EMAIL_PORT.",
            id="accounts.E002",
        )
    if host and not re.fullmatch(r"[^\s@]+@[^\s@]+", parseaddr(settings.DEFAULT_FROM_EMAIL)[1]):
        yield Error(
            f"DEFAULT_FROM_EMAIL is {settings.DEFAULT_FROM_EMAIL!r:.100}: no server would take such e-mail.",
            hint="It takes an e-mail address, or Name <name@example.com>.",
            id="accounts.E003",
        )
    if bool(mail["username"]) != bool(mail["password"]):
        yield Warning(
            "EMAIL_HOST_USER and EMAIL_HOST_PASSWORD belong together: with one of them, nobody signs in to the mail server.",
            hint="Set both, or neither.",
            id="accounts.W002",
        )


@register
def check_sign_up(app_configs: object, **kwargs: object) -> Iterator[CheckMessage]:
    if settings.ACCOUNTS_SIGN_UP and not settings.SENDS_MAIL:
        yield Error(
            "ACCOUNTS_SIGN_UP is on, but no e-mail is sent, and so nobody can sign up.",
            hint="Set EMAIL_HOST, or turn it off.",
            id="accounts.E004",
        )


@register
def check_site_origin(app_configs: object, **kwargs: object) -> Iterator[CheckMessage]:
    origin, hosts = settings.SITE_ORIGIN, settings.ALLOWED_HOSTS
    if origin and not re.fullmatch(r"https?://[^\s/?#@]+", origin):
        yield Error(
            f"SITE_ORIGIN is {origin!r:.100}: no link in an e-mail would work.",
            hint="It takes https:// and a name, without a path: https://example.com",
            id="accounts.E005",
        )
    elif origin and not validate_host(split_domain_port(origin.partition("://")[2])[0], hosts):
        yield Warning(
            f"SITE_ORIGIN is {origin}, where links in e-mails lead to, and ALLOWED_HOSTS has no such name.",
            hint="Set SITE_ORIGIN to https:// and one of the names in ALLOWED_HOSTS.",
            id="accounts.W003",
        )
