"""What `manage.py check` says about the settings of Claude, without loading the SDK.

https://docs.djangoproject.com/en/stable/topics/checks/
"""

import ast
import importlib.util
import math
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

# The SDK refuses to wait for more than this in one piece, in tokens.
# https://github.com/anthropics/anthropic-sdk-python#long-requests
LONGEST_WITHOUT_STREAMING = 21_333
# How many tokens of an answer come in a second, as cautiously as the SDK estimates it there.
TOKENS_A_SECOND = 128_000 / 3600

POSITIVE = (
    "CLAUDE_MAX_TOKENS",
    "CLAUDE_TIMEOUT",
    "CLAUDE_DEADLINE",
# % if cookiecutter.view_style == "async"
    "CLAUDE_FAN_OUT",
# % endif
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
    elif re.search(r"\s", key.strip()) or not key.isascii():
        yield Error(
            "ANTHROPIC_API_KEY has a space, a line break or another character inside that no key has.",
            hint="Copy the key again, whole and alone: every call would fail with a connection error.",
            id="claude.E002",
        )
    elif key != key.strip():
        yield Warning(
            "ANTHROPIC_API_KEY has white space around it, which is ignored.",
            hint="Remove it where the key is set; the file of a secret often ends in a line break.",
            id="claude.W001",
        )


@register
def check_model(app_configs: object, **kwargs: object) -> Iterator[CheckMessage]:
    if retires := deprecated_models().get(settings.ANTHROPIC_MODEL):
        yield Warning(
            f"ANTHROPIC_MODEL is {settings.ANTHROPIC_MODEL}, which is deprecated: it goes away on {retires}.",
            hint="Choose another: https://platform.claude.com/docs/en/about-claude/models/overview",
            id="claude.W002",
        )


@register
def check_numbers(app_configs: object, **kwargs: object) -> Iterator[CheckMessage]:
    yield from errors_of_positive(POSITIVE, "claude.E003")
    if settings.CLAUDE_MAX_TOKENS > LONGEST_WITHOUT_STREAMING:
        yield Error(
            f"CLAUDE_MAX_TOKENS is {settings.CLAUDE_MAX_TOKENS:,}; an answer that is not streamed can have "
            f"{LONGEST_WITHOUT_STREAMING:,} tokens at most.",
            hint="Lower it, or give `max_tokens` to the streamed calls that need more.",
            id="claude.E004",
        )
    longest = math.ceil(settings.CLAUDE_MAX_TOKENS / TOKENS_A_SECOND)
    if 0 < settings.CLAUDE_TIMEOUT < longest:
        yield Warning(
            f"An answer of CLAUDE_MAX_TOKENS may take {longest} seconds, and one that is not streamed is given up "
            f"after a CLAUDE_TIMEOUT of {settings.CLAUDE_TIMEOUT:g}.",
            hint=f"Set CLAUDE_TIMEOUT to {longest}, or lower CLAUDE_MAX_TOKENS: what is given up is paid for.",
            id="claude.W003",
        )


def errors_of_positive(names: Iterable[str], check_id: str) -> Iterator[CheckMessage]:
    """An error for each of these settings that is 0 or less."""
    for name in names:
        if getattr(settings, name) <= 0:
            yield Error(f"{name} must be more than 0.", hint=f"Set {name} to its default.", id=check_id)


def deprecated_models() -> dict[str, str]:
    """Each deprecated model and the day it goes away, as the installed SDK lists them.

    Read from its source, because importing it takes over a second. Empty where the list is not found.
    """
    package = importlib.util.find_spec("anthropic")
    if package is None or package.origin is None:
        return {}
    for name in ("resources/messages/messages.py", "_data/deprecated_models.py"):  # up to 2.12, from 2.13 on
        source = Path(package.origin).parent / name
        found = source.exists() and re.search(
            r"^DEPRECATED_MODELS\b[^=\n]*= (\{.*?^\})", source.read_text(), re.DOTALL | re.MULTILINE
        )
        if found:
            return ast.literal_eval(found[1])
    return {}
