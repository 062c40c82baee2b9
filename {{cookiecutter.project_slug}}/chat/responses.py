"""What goes back to a reader other than a stream: JSON for scripts, the page for people."""

import math
import uuid
from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse

from claude.calls import TOKENS
from claude.failures import TABLE, Failure


class Refused(Exception):
    """A request that never gets as far as Claude. `sentence` says what the reader can do."""

    retry_after = None

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(status, sentence)
        self.status = status
        self.sentence = sentence


def outcome(stop_reason: str | None, counts: Mapping[str, Any]) -> dict[str, Any]:
    """Why an answer ended and what it took, in tokens, as a script reads it."""
    return {"stop_reason": stop_reason, "usage": {name: counts.get(name) or 0 for name in TOKENS}}


def error(problem: Failure | Refused | None = None) -> dict[str, Any]:
    """A failure as a script reads it; without one, that of something nobody expected."""
    shown = problem or TABLE["unexpected"]
    return {"error": shown.sentence, "status": shown.status}


def error_response(problem: Failure | Refused | None = None) -> JsonResponse:
    content = error(problem)
    response = JsonResponse(content, status=content["status"])
    if problem is not None and problem.retry_after is not None:
        response["Retry-After"] = math.ceil(problem.retry_after)
    return response


def page_response(
    request: HttpRequest, content: Mapping[str, Any] | None = None, problem: Failure | Refused | None = None
) -> HttpResponse:
    """The page, with the outcome of a question that was asked without JavaScript."""
    from chat.forms import PromptForm

    asked = request.POST.get("prompt", "")
    context = {
        "form": PromptForm(initial={"prompt": asked if problem else ""}),
# % if cookiecutter.view_style == "sync"
        "endpoint": reverse("chat:ask"),
# % else
        "endpoint": reverse("chat:stream"),
# % endif
        # The next question gets an id of its own; one that is being answered keeps its id until it is.
        "request_id": request.POST["request_id"] if problem and problem.status == 409 else uuid.uuid4(),
        "question": asked,
        "answer": "",
        "stop_reason": "",
        "error": problem.sentence if problem else "",
        **(content or {}),
    }
    return render(request, "chat/page.html", context, status=problem.status if problem else 200)
