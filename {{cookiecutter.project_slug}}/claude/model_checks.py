"""What `manage.py check` says about the models, and whether the settings fit them, without asking the API."""

import ast
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from reprlib import repr as shortened
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Info, Warning, register

from claude import capabilities
from claude.capabilities import Capabilities

CHOICES = {
    "CLAUDE_EFFORT": capabilities.EFFORTS,
    "CLAUDE_THINKING": capabilities.THINKING,
    "CLAUDE_CACHE_TTL": ("5m", "1h"),
}
# Thinking has been seen to take as many tokens as this, and to leave none for the answer.
LEAST_TO_THINK = 8_000
MODELS_PAGE = "https://platform.claude.com/docs/en/about-claude/models/overview"


@register
def check_choices(app_configs: object, **kwargs: object) -> Iterator[CheckMessage]:
    for name, words in CHOICES.items():
        value = getattr(settings, name)
        if value not in words and (value or name == "CLAUDE_CACHE_TTL"):
            yield Error(
                f"{name} is {shortened(value)}: it takes {', '.join(words[:-1])} or {words[-1]}.",
                hint=f"Set {name} to one of these, or leave it empty.",
                id="claude.E008",
            )


@register
def check_models(app_configs: object, **kwargs: object) -> Iterator[CheckMessage]:
    for name, model in models().items():
        can = capabilities.of(model)
        if not re.fullmatch(r"[!#-&(-~]+", model):
            yield Error(
                f"{name} is {shortened(model)}: it takes the id of a model, without spaces or quotes.",
                hint=f"Choose one: {MODELS_PAGE}",
                id="claude.E005",
            )
        elif capabilities.is_retired(model):
            # A gateway may still have it, at Amazon or Google.
            own_api = urlsplit(settings.ANTHROPIC_BASE_URL).hostname == "api.anthropic.com"
            yield (Error if own_api else Warning)(
                f"{name} is {model}, which is retired: the API no longer answers for it.",
                hint=f"Choose another: {MODELS_PAGE}",
                id="claude.E010" if own_api else "claude.W010",
            )
        elif day := deprecated_models().get(model) or (can and can.retires):
            yield Warning(
                f"{name} is {model}, which is deprecated: the API promises it until {day}.",
                hint=f"Choose another: {MODELS_PAGE}",
                id="claude.W002",
            )
        if can is not None:
            yield from misfits(name, model, can)


@register
def check_fallback(app_configs: object, **kwargs: object) -> Iterator[CheckMessage]:
    fallback = settings.CLAUDE_FALLBACK_MODEL
    if fallback and capabilities.family(fallback) == capabilities.family(settings.ANTHROPIC_MODEL):
        yield Warning(
            "CLAUDE_FALLBACK_MODEL is ANTHROPIC_MODEL: the same model would refuse twice, and be paid for twice.",
            hint="Choose another model for one of them, or leave CLAUDE_FALLBACK_MODEL empty.",
            id="claude.W005",
        )
    if settings.CLAUDE_FALLBACK_WHEN_DOWN and not fallback:
        yield Warning(
            "CLAUDE_FALLBACK_WHEN_DOWN has no effect without a CLAUDE_FALLBACK_MODEL.",
            hint="Set CLAUDE_FALLBACK_MODEL to the model that answers where ANTHROPIC_MODEL is down.",
            id="claude.W006",
        )


@register(deploy=True)
def check_cache(app_configs: object, **kwargs: object) -> Iterator[CheckMessage]:
    prompt, can = settings.CLAUDE_SYSTEM_PROMPT, capabilities.of(settings.ANTHROPIC_MODEL)
    least = (can and can.cache_minimum) or 0
    tokens = len(prompt) // 4
    if prompt not in ("", settings.DEFAULT_SYSTEM_PROMPT) and tokens < least:
        yield Info(
            f"CLAUDE_SYSTEM_PROMPT has about {tokens:,} tokens, and {settings.ANTHROPIC_MODEL} caches {least:,} or more: "
            "a question without a history pays for all of them.",
            hint="Nothing is wrong: a short prompt costs little. Add claude.I001 to SILENCED_SYSTEM_CHECKS to silence this.",
            id="claude.I001",
        )


def models() -> dict[str, str]:
    """The models that may be asked, by the names of their settings."""
    fallback = settings.CLAUDE_FALLBACK_MODEL
    return {"ANTHROPIC_MODEL": settings.ANTHROPIC_MODEL} | ({"CLAUDE_FALLBACK_MODEL": fallback} if fallback else {})


def misfits(name: str, model: str, can: Capabilities) -> Iterator[CheckMessage]:
    """Where the settings do not fit the model that the setting `name` names.

    What CLAUDE_FALLBACK_MODEL does not take is not sent to it.
    """
    tokens, thinking, effort = settings.CLAUDE_MAX_TOKENS, settings.CLAUDE_THINKING, settings.CLAUDE_EFFORT
    is_first = name == "ANTHROPIC_MODEL"
    if tokens < LEAST_TO_THINK and can.thinks_with(thinking):
        turn_off = "".join(f", or CLAUDE_THINKING to {word}" for word in can.thinking - {"adaptive"} if is_first)
        yield Warning(
            f"CLAUDE_MAX_TOKENS is {tokens:,}, and {model} thinks before it answers: it may use all of them to think.",
            hint=f"Set it to 16000{turn_off}. An answer that is all thinking is paid for, and there is nothing to read.",
            id="claude.W007",
        )
    if is_first and tokens > can.longest_answer:
        yield Error(
            f"CLAUDE_MAX_TOKENS is {tokens:,}, and {model} gives {can.longest_answer:,} at most.",
            hint="Lower it: the API refuses every question.",
            id="claude.E004",
        )
    if is_first and thinking in CHOICES["CLAUDE_THINKING"] and thinking not in can.thinking:
        yield refused("CLAUDE_THINKING", f"{thinking}, and {model} refuses it", can.thinking)
    if is_first and effort in CHOICES["CLAUDE_EFFORT"] and effort not in (efforts := can.efforts_with(thinking)):
        together = f" together with CLAUDE_THINKING={thinking}" if effort in can.efforts else ""
        yield refused("CLAUDE_EFFORT", f"{effort}, and {model} refuses it{together}", efforts)


def refused(name: str, value: str, taken: frozenset[str]) -> CheckMessage:
    words = ", ".join(word for word in CHOICES[name] if word in taken)
    return Error(
        f"{name} is {value}: every question fails.",
        hint=f"It takes {words or 'none'}. Set {name} to default to send none.",
        id="claude.E009",
    )


def deprecated_models() -> dict[str, str]:
    """Each deprecated model and the day it goes away, as the installed SDK lists them. It leaves out the retired ones.

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
