"""What a user may send: a question, neither empty nor too long."""

from django import forms
from django.conf import settings
from django.core.validators import MaxLengthValidator
from django.http import QueryDict

from claude.failures import Refused


class PromptField(forms.CharField):
    """A question. Browsers send each line break as two characters; it counts, and goes to Claude, as one."""

    def to_python(self, value: str | None) -> str:
        text = (super().to_python(value) or "").replace("\r\n", "\n")
        return text if text.strip() else ""


class PromptForm(forms.Form):
    prompt = PromptField(
        label="Your question",
        strip=False,
        widget=forms.Textarea,
        validators=[MaxLengthValidator(lambda: settings.CHAT_MAX_PROMPT_CHARS)],
        error_messages={
            "required": "Please type a question first.",
            "max_length": "Your question has %(show_value)d characters and %(limit_value)d fit: please shorten it.",
        },
    )


def read_prompt(data: QueryDict | dict[str, str]) -> str:
    """The question in what was sent. Raises `Refused` when there is none, or one that is too long."""
    form = PromptForm(data)
    if form.is_valid():
        return form.cleaned_data["prompt"]
    error = form.errors.as_data()["prompt"][0]
    raise Refused(413 if error.code == "max_length" else 400, error.messages[0])
