"""`manage.py claude_models`: what the API says of the models in the settings, and where the settings do not fit."""

# % if cookiecutter.view_style == "async"
import asyncio
# % endif
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from claude import capabilities, client, model_checks
from claude.call import as_failure
from claude.failures import value_at

# Where the API says what it takes.
THINKING = ("capabilities", "thinking", "types")
EFFORT = ("capabilities", "effort")


class Command(BaseCommand):
    help = "Asks the API what the models of the settings can do. Ends with 1 where the settings do not fit."
    # They go by claude/capabilities.py, which may be out of date.
    requires_system_checks = []

    def handle(self, **options: object) -> None:
        if settings.CLAUDE_OFFLINE:
            raise CommandError("Set ANTHROPIC_API_KEY: the offline stand-in does not know what a model can do.")
        fits = True
        for name, model in model_checks.models().items():
            try:
                told = retrieve(model)
            except KeyboardInterrupt:
                raise CommandError("Stopped.", returncode=130) from None
            except Exception as error:
                failure = as_failure(error)
                raise CommandError(f"{name}: {failure.sentence} ({failure.detail or failure.kind}).") from None
            described = ", ".join(summary(told)) or "the API does not say what it can do"
            self.stdout.write(f"{name} is {model}: {described}.")
            for problem in problems(name, model, told):
                self.stdout.write(f"- {problem}")
                fits = False
        if not fits:
            raise CommandError("The settings do not fit.")


def retrieve(model: str) -> Mapping[str, Any]:
    """What the API says of a model; empty where it says something else, as a gateway may."""
    import anthropic

# % if cookiecutter.view_style == "async"
    async def retrieved() -> object:
        return await client.aget_client().models.retrieve(model)

    info = asyncio.run(retrieved())
# % else
    info: object = client.get_client().models.retrieve(model)
# % endif
    return info.to_dict(mode="json", warnings=False) if isinstance(info, anthropic.BaseModel) else {}


def summary(told: Mapping[str, Any]) -> Iterator[str]:
    """What the API says of a model, as far as it matters to the settings."""
    if (lifecycle := told.get("lifecycle")) in ("active", "deprecated", "retired"):
        yield lifecycle
    if type(longest := told.get("max_tokens")) is int:
        yield f"up to {longest:,} tokens"
    for name, setting, path in (("thinking", "CLAUDE_THINKING", THINKING), ("effort", "CLAUDE_EFFORT", EFFORT)):
        if isinstance(said := value_at(told, *path), Mapping):
            words = [word for word in model_checks.CHOICES[setting] if value_at(said, word, "supported") is True]
            yield f"{name} {'/'.join(words) or 'none'}"
    if (structured := value_at(told, "capabilities", "structured_outputs", "supported")) is not None:
        yield f"{'' if structured else 'no '}structured answers"


def problems(name: str, model: str, told: Mapping[str, Any]) -> Iterator[str]:
    """Where the settings do not fit what the API says of a model. What it leaves out is as claude/capabilities.py has it."""
    day = re.match(r"\d{4}-\d\d-\d\d", str(told.get("retires_at")))
    if told.get("lifecycle") == "retired":
        yield f"It was retired{f' on {day[0]}' if day else ''}: no question is answered. {model_checks.MODELS_PAGE}"
    elif told.get("lifecycle") == "deprecated":
        yield f"It is deprecated{f' and ends on {day[0]}' if day else ''}: choose another. {model_checks.MODELS_PAGE}"
    known, longest = capabilities.of(model) or capabilities.UNKNOWN, told.get("max_tokens")
    can = replace(
        known,
        thinking=taken("CLAUDE_THINKING", known.thinking, value_at(told, *THINKING)),
        efforts=taken("CLAUDE_EFFORT", known.efforts, value_at(told, *EFFORT)),
        longest_answer=longest if type(longest) is int else known.longest_answer,
    )
    for message in model_checks.misfits(name, model, can):
        yield f"{message.msg} {message.hint}"


def taken(setting: str, known: frozenset[str], said: object) -> frozenset[str]:
    """The values of a setting that a model takes, by what the API says of each, or else by what is known."""
    if value_at(said, "supported") is False:
        return frozenset()
    values = {word: value_at(said, word, "supported") for word in model_checks.CHOICES[setting]}
    return frozenset(word for word, value in values.items() if value is True or (value is None and word in known))
