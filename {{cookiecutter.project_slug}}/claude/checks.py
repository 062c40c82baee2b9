"""What `manage.py check` says about the settings of Claude, without loading the SDK: `claude.model_checks` about models.

https://docs.djangoproject.com/en/stable/topics/checks/
"""

import os
import re
import ssl
from collections.abc import Iterator, Mapping
from reprlib import repr as shortened

import httpx2
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

# The least and the most of each number that can work, and its unit.
Ranges = Mapping[str, tuple[float, float, str]]
RANGES: Ranges = {
    "CLAUDE_MAX_TOKENS": (1, 1_000_000, "tokens"),
    "CLAUDE_TIMEOUT": (0.1, 86_400, "seconds"),
    "CLAUDE_MAX_RETRIES": (0, 100, "retries"),
    "CLAUDE_RETRY_AFTER_CAP": (0, 86_400, "seconds"),
# % if cookiecutter.view_style == "async"
    "CLAUDE_FAN_OUT": (1, 1_000, "calls"),
# % endif
    "CLAUDE_DEADLINE": (0.1, 86_400, "seconds"),
}

# What a key of the API is made of.
KEY = re.compile(r"[!#-&(-~]+")
# http or https, a host and perhaps a port and a path. A user and a password would be sent in place of the key.
BASE_URL = re.compile(
    r"https?://([\w-]{1,63}(\.[\w-]{1,63})*\.?|\[[\da-f:.]+\])(:(?P<port>\d{1,5}))?(/[^\s?#\"']*)?", re.IGNORECASE
)


@register
def check_key(app_configs: object, **kwargs: object) -> Iterator[CheckMessage]:
    key = settings.ANTHROPIC_API_KEY
    if not key.strip():
        if not (settings.DEBUG or settings.CLAUDE_OFFLINE):
            yield Error(
                "ANTHROPIC_API_KEY is empty, and the offline stand-in never answers in production.",
                hint="Set ANTHROPIC_API_KEY to a key from https://platform.claude.com/settings/keys.",
                id="claude.E001",
            )
    elif not KEY.fullmatch(key.strip()):
        yield Error(
            "ANTHROPIC_API_KEY has a space, a quote, a line break or another character inside that no key has.",
            hint="Copy the key again, whole and alone: every call would fail.",
            id="claude.E002",
        )
    elif key != key.strip():
        yield Warning(
            "ANTHROPIC_API_KEY has white space around it, which is ignored.",
            hint="Remove it where the key is set; the file of a secret often ends in a line break.",
            id="claude.W001",
        )


@register
def check_base_url(app_configs: object, **kwargs: object) -> Iterator[CheckMessage]:
    url = BASE_URL.fullmatch(settings.ANTHROPIC_BASE_URL)
    if url is None or int(url["port"] or 443) not in range(1, 65_536):
        yield Error(
            "ANTHROPIC_BASE_URL takes http:// or https://, a host, and perhaps a port and a path.",
            hint="A user and password, a query or a fragment in it cannot work. Leave it empty for the API itself.",
            id="claude.E006",
        )


@register
def check_environment(app_configs: object, **kwargs: object) -> Iterator[CheckMessage]:
    """The SDK's HTTP client reads these variables when it is built, before the first question."""
    for name in [] if settings.CLAUDE_OFFLINE else broken_variables():
        yield Error(
            f"{name} in the environment cannot work: no question would reach Claude.",
            hint="A proxy is http://host:port, {{ 'not SOCKS' if cookiecutter.view_style == 'async' else 'or socks5://host:port with the package httpx2[socks]' }}; NO_PROXY takes "
            "names and addresses, separated by commas; SSL_CERT_FILE and SSL_CERT_DIR take certificates in PEM.",
            id="claude.E007",
        )


@register
def check_numbers(app_configs: object, **kwargs: object) -> Iterator[CheckMessage]:
    yield from errors_of_ranges(RANGES, "claude.E003")
    for name in ("CLAUDE_TIMEOUT", "CLAUDE_RETRY_AFTER_CAP"):
        if 0 < settings.CLAUDE_DEADLINE < getattr(settings, name):
            yield Warning(
                f"{name} is longer than CLAUDE_DEADLINE, which ends the call before.",
                hint=f"Lower {name}, or raise CLAUDE_DEADLINE.",
                id="claude.W004",
            )


def errors_of_ranges(ranges: Ranges, check_id: str) -> Iterator[CheckMessage]:
    """An error for each of these settings that is not in its range."""
    for name, (least, most, unit) in ranges.items():
        value = getattr(settings, name)
        if not least <= value <= most:  # as "not a number" is, too
            yield Error(
                f"{name} is {shortened(value)}: it takes {least:,} to {most:,} {unit}.",
                hint=f"Set {name} to its default.",
                id=check_id,
            )


def broken_variables() -> list[str]:
    """The variables of the environment with which no HTTP client can be built, or none that would reach anything."""
    variables = {name: value for name, value in os.environ.items() if value}
    broken = [name for name, value in variables.items() if not works(name.upper(), value)]
    if not broken:
        try:
            httpx2.Client()
        except Exception:
            # What is left are the names in this one.
            broken = [name for name in variables if name.upper() == "NO_PROXY"] or ["A proxy"]
    return broken


def works(name: str, value: str) -> bool:
    try:
        if name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            url = httpx2.URL(value if "://" in value else f"http://{value}")
            httpx2.Client(proxy=httpx2.Proxy(url), verify=False, trust_env=False)  # it sends nothing
            # % if cookiecutter.view_style == "async"
            return url.host != "" and url.scheme in ("http", "https")
            # % else
            return url.host != ""
            # % endif
        if name == "SSL_CERT_FILE":
            ssl.create_default_context(cafile=value)
        if name == "SSL_CERT_DIR":
            return any(re.fullmatch(r"[\da-f]{8}\.\d+", file) for path in value.split(":") for file in os.listdir(path))
    except Exception:
        return False
    return True
