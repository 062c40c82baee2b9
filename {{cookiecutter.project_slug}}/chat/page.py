"""The page where people ask: the turns of a conversation, and the form for the next question."""

import uuid
from typing import Any

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse

from chat import keeper
from chat.forms import PromptForm, read_uuid
from chat.history import newest_first, remembered
from chat.models import Conversation, Turn
from claude.failures import Failure, Refused

TURNS = 50  # on a page
CHARACTERS = 15_000  # in the answers on a page, if it has more than one: rendering takes about 2 ms for 1,000
CONVERSATIONS = 20  # listed beside it


def page_response(request: HttpRequest, pk: uuid.UUID | None, failure: Failure | None = None) -> HttpResponse:
    """A conversation, or a new one; with a `failure`, why the question of this request has no answer."""
    own = Conversation.objects.filter(user=request.user.pk)
    # A new conversation has no row before its first question, which may have failed.
    new = None if failure is None or failure.status == 404 else sent_uuid(request.POST, "conversation")
    conversation = get_object_or_404(own, pk=pk) if pk else own.filter(pk=new).first() if new else None
    context: dict[str, Any] = {
        "endpoint": reverse("chat:{{ 'ask' if cookiecutter.view_style == 'sync' else 'stream' }}"),
        "page_url": reverse("chat:conversation", args=[conversation.pk]) if conversation else reverse("chat:page"),
        "conversation": conversation,
        "conversation_id": pk or new or uuid.uuid4(),
        "conversations": own.order_by("-updated_at")[:CONVERSATIONS],
        "idempotency_key": uuid.uuid4(),
        "prompt": "",
        "replaces": "",
        "blank": {"notes": []},
    }
    turns: list[Any] = []
    if conversation:
        before = sent_uuid(request.GET, "before")
        turns, has_earlier = turns_of(conversation, before)
        context |= {
            "has_earlier": has_earlier,
            "has_later": before is not None,
            "forgotten": last_forgotten(conversation, turns),
        }
    last = turns[-1] if turns else None
    if failure:
        # What is refused with 422 would be so again: another question came after the one that it replaces.
        replaces = None if failure.status == 422 else sent_uuid(request.POST, "replaces")
        context |= {"prompt": request.POST.get("prompt", ""), "replaces": replaces or ""}
        key = sent_uuid(request.POST, "idempotency_key")
        if last and (last.idempotency_key, last.state) == (key, Turn.State.FAILED):
            context["replaces"] = key
        else:
            asked = {"prompt": context["prompt"], "notes": ["error"], "ending": {"error": failure.sentence}}
            turns = [*(turn for turn in turns if turn.is_over or turn.idempotency_key != key), asked]
            if failure.status in (409, 503):  # it may be answered, or be answered already
                context["idempotency_key"] = key or context["idempotency_key"]
    elif last and "edit" in request.GET:
        context |= {"prompt": last.prompt, "replaces": last.idempotency_key}
    context |= {"turns": turns, "form": PromptForm(initial={"prompt": context["prompt"]})}
    return render(request, "chat/page.html", context, status=failure.status if failure else 200)


def redirect_after(question: Any, answer: dict[str, Any]) -> HttpResponse:
    """To the conversation. A question that has no answer, or is too long for one, stands in the form again."""
    edit = "?edit" if answer["stop_reason"] in ("refusal", "model_context_window_exceeded") else ""
    return redirect(reverse("chat:conversation", args=[question.conversation]) + edit + "#last")


def turns_of(conversation: Conversation, before: uuid.UUID | None) -> tuple[list[Turn], bool]:
    """The newest turns, or those before the turn with this key, as many as fit on a page, oldest first.

    And whether there are earlier ones.
    """
    turns = conversation.turns.all()
    if before:
        own = turns.filter(user=conversation.user_id).only("pk")
        turns = turns.filter(pk__lt=get_object_or_404(own, idempotency_key=before).pk)
    chosen: list[Turn] = []
    has_earlier = False
    size = 0
    for turn in newest_first(turns):
        size += len(turn.text)
        has_earlier = bool(chosen) and (size > CHARACTERS or len(chosen) == TURNS)
        if has_earlier:
            break
        chosen.append(turn)
    if any(turn.state == Turn.State.ASKED for turn in chosen) and keeper.mark_interrupted(conversation.turns.all()):
        return turns_of(conversation, before)
    return chosen[::-1], has_earlier


def last_forgotten(conversation: Conversation, turns: list[Turn]) -> int | None:
    """The last of these turns that Claude no longer gets, if there is one."""
    memory = remembered(conversation.turns.all())
    forgotten = [turn.pk for turn in turns if turn.text.strip() and (not memory or turn.pk < memory[0].pk)]
    return forgotten[-1] if forgotten else None


def sent_uuid(data: QueryDict, name: str) -> uuid.UUID | None:
    try:
        return read_uuid(data, name)
    except Refused:
        return None
