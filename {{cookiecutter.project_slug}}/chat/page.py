"""The page where people ask, with the answer to a question that was asked without JavaScript."""

import uuid
from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from chat.forms import PromptForm
from claude.failures import Failure


def page_response(
    request: HttpRequest, answer: Mapping[str, Any] | None = None, failure: Failure | None = None
) -> HttpResponse:
    prompt = request.POST.get("prompt", "")
    # The next question gets a key of its own; one that may be answered, or be answered already, keeps its key until then.
    key = request.POST.get("idempotency_key") if failure and failure.status in {409, 503} else None
    # A question that has no answer, or is too long for one, stands in the form again, to be asked in other words.
    ask_again = failure or (answer or {}).get("stop_reason") in {"refusal", "model_context_window_exceeded"}
    context = {
        "form": PromptForm(initial={"prompt": prompt if ask_again else ""}),
        "endpoint": reverse("chat:{{ 'ask' if cookiecutter.view_style == 'sync' else 'stream' }}"),
        "idempotency_key": key or uuid.uuid4(),
        "question": prompt,
        "answer": "",
        "stop_reason": "",
        "refusal": "",
        "error": failure.sentence if failure else "",
        **(answer or {}),
    }
    # Half a character, which JSON can hold and a page cannot, is shown as a question mark.
    context["answer"] = context["answer"].encode(errors="replace").decode()
    return render(request, "chat/page.html", context, status=failure.status if failure else 200)
