"""Conversations as files for their users: JSON or Markdown."""

from typing import Any

from django.utils.translation import gettext as _

from chat.models import Conversation, Turn


def as_json(conversation: Conversation) -> dict[str, Any]:
    return {
        "id": str(conversation.pk),
        "title": conversation.title,
        "created_at": conversation.created_at.isoformat(),
        "updated_at": conversation.updated_at.isoformat(),
        "turns": [turn_as_json(turn) for turn in turns_of(conversation)],
    }


def turn_as_json(turn: Turn) -> dict[str, Any]:
    ending = {name: value for name, value in (turn.ending or {}).items() if name != "status"}
    return {
        "asked_at": turn.asked_at.isoformat(),
        "question": turn.prompt,
        "answer": turn.valid_text,
        "state": turn.state,
        **ending,
    }


def as_markdown(conversation: Conversation) -> str:
    """A question or an answer is a quotation: no heading and no code in it reaches what comes after it."""
    parts = ["# " + " ".join(conversation.title.split())]
    for turn in turns_of(conversation):
        asked = _("Question, %(time)s UTC") % {"time": f"{turn.asked_at:%Y-%m-%d %H:%M}"}
        parts += [f"## {asked}", quoted(turn.prompt), "## " + _("Answer"), quoted(turn.valid_text)]
        if turn.notes:  # it is not a whole answer
            ends = [turn.get_state_display(), (turn.ending or {}).get("stop_reason")]
            parts.append(f"({', '.join(filter(None, ends))})")
    return "\n\n".join(part for part in parts if part) + "\n"


def quoted(text: str) -> str:
    return "\n".join(f"> {line}" for line in text.splitlines())


def turns_of(conversation: Conversation) -> list[Turn]:
    """Also of conversations whose turns were fetched together."""
    return sorted(conversation.turns.all(), key=lambda turn: turn.pk)
