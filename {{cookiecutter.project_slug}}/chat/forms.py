"""What a user may send: a question, neither empty nor too long, and the ids of what it belongs to."""

import uuid
from dataclasses import dataclass
from typing import Any

from django import forms
from django.conf import settings
from django.core.validators import MaxLengthValidator
from django.http import HttpRequest, QueryDict
from django.utils.translation import gettext, ngettext_lazy
from django.utils.translation import gettext_lazy as _

from claude.failures import Refused


class PromptField(forms.CharField):
    """A question. Browsers send each line break as two characters; it counts, and goes to Claude, as one."""

    def to_python(self, value: str | None) -> str:
        text = (super().to_python(value) or "").replace("\r\n", "\n")
        return text if text.strip() else ""


class PromptForm(forms.Form):
    prompt = PromptField(
        label=_("Your question"),
        strip=False,
        widget=forms.Textarea,
        validators=[MaxLengthValidator(lambda: settings.CHAT_MAX_PROMPT_CHARS)],
        error_messages={
            "required": _("Please type a question first."),
            "max_length": ngettext_lazy(
                "Your question has %(show_value)d character and %(limit_value)d fit: please shorten it.",
                "Your question has %(show_value)d characters and %(limit_value)d fit: please shorten it.",
                "show_value",
            ),
        },
    )


@dataclass
class Question:
    """What a user asks. Without a `conversation` it stands alone; `replaces` is the idempotency key of another turn."""

    user: Any
    prompt: str
    idempotency_key: uuid.UUID | None = None
    conversation: uuid.UUID | None = None
    replaces: uuid.UUID | None = None


def read_question(request: HttpRequest) -> Question:
    """The question of a request. Raises `Refused` when there is none, or what is sent with it cannot be."""
    ids = {name: read_uuid(request.POST, name) for name in ("conversation", "replaces")}
    return Question(request.user, read_prompt(request.POST), read_idempotency_key(request.POST), **ids)


def read_prompt(data: QueryDict | dict[str, str]) -> str:
    """The question in what was sent. Raises `Refused` when there is none, or one that is too long."""
    form = PromptForm(data)
    if form.is_valid():
        return form.cleaned_data["prompt"]
    error = form.errors.as_data()["prompt"][0]
    raise Refused(413 if error.code == "max_length" else 400, error.messages[0])


def read_idempotency_key(data: QueryDict) -> uuid.UUID | None:
    """The key of a click, also under its older name."""
    return read_uuid(data, "idempotency_key") or read_uuid(data, "request_id")


def read_uuid(data: QueryDict, name: str) -> uuid.UUID | None:
    sent = data.get(name)
    try:
        return uuid.UUID(sent) if sent else None
    except ValueError:
        sentence = gettext("The %(name)s is not a UUID: please reload the page and ask again.") % {"name": name}
        raise Refused(400, sentence) from None
