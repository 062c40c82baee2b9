"""What the stand-in says: a message as the API sends it, whole.

https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons
"""

import json
import re
import uuid
from typing import Any, NamedTuple

from claude import capabilities
from claude.offline.schemas import example
from claude.offline.usage import diagnose, input_usage

FALLBACK_MODEL = "claude-opus-4-8"  # answers where the API itself falls back
SIGNATURE = "b2ZmbGluZQ=="
THINKING: dict[str, list[dict[str, str]]] = {
    "none": [],
    "omitted": [{"type": "thinking", "thinking": "", "signature": SIGNATURE}],
    "summarized": [
        {"type": "thinking", "thinking": "The question is clear. I say what I understood.", "signature": SIGNATURE}
    ],
    "redacted": [{"type": "redacted_thinking", "data": SIGNATURE}],
}
THINKING_TOKENS = 8


class Play(NamedTuple):
    """How an answer differs from a plain one."""

    thinking: str | None = None
    """A name in THINKING. None: as the request and the model have it."""
    share: float = 1
    """How much of the text comes."""
    stop_reason: str | None = None
    falls_back: bool = False
    """Whether the API lets another model answer after this one, within one response."""


ANSWERS = {
    "thinking": Play("omitted"),
    "long_thinking": Play("omitted"),
    "summarized_thinking": Play("summarized"),
    "redacted_thinking": Play("redacted"),
    "all_thinking": Play("omitted", 0, "max_tokens"),
    "refusal": Play("none", 0, "refusal"),
    "late_refusal": Play(None, 0.5, "refusal"),
    "max_tokens": Play(None, 0.5, "max_tokens"),
    "model_context_window_exceeded": Play(None, 0.5, "model_context_window_exceeded"),
    "pause_turn": Play(None, 0.5, "pause_turn"),
    "unknown_stop_reason": Play(stop_reason="unknown_stop_reason"),
    "fallback": Play("none", 0, falls_back=True),
    "late_fallback": Play(None, 0.5, falls_back=True),
    "text_at_start": Play(),
    "misfit": Play(),
}


def answer(body: dict[str, Any], play: str = "", detail: str | None = None) -> dict[str, Any]:
    """The answer, as long as `max_tokens` lets it be, thinking included."""
    how, most = ANSWERS.get(play, Play()), body["max_tokens"]
    pieces = split(text_for(body, play))
    thinking = THINKING[how.thinking or usual_thinking(body)]
    thinking_tokens = min(THINKING_TOKENS, most // 2) if thinking else 0
    if play == "all_thinking":
        thinking_tokens = most
    kept = pieces[: min(int(len(pieces) * how.share), most - thinking_tokens)]
    content: list[dict[str, Any]] = [*thinking, *text_block(kept)]
    counts = input_usage(body)
    usage: dict[str, Any] = counts | {"output_tokens": thinking_tokens + len(kept)}
    stop_reason = how.stop_reason or ("end_turn" if kept == pieces else "max_tokens")
    model = body["model"]
    if how.falls_back:
        declined = usage | {"type": "message", "model": model}
        hop = {"from": {"model": model}, "to": {"model": FALLBACK_MODEL}}
        trigger = {"type": "refusal", "category": detail}
        content += [{"type": "fallback", **hop, "trigger": trigger}, *text_block(pieces)]
        model, stop_reason, thinking_tokens = FALLBACK_MODEL, "end_turn", 0
        usage = counts | {"output_tokens": len(pieces)}
        usage["iterations"] = [declined, usage | {"type": "fallback_message", "model": model}]
    usage["output_tokens_details"] = {"thinking_tokens": thinking_tokens}
    message_id = f"msg_offline_{uuid.uuid4().hex[:16]}"
    refused = {"type": "refusal", "category": detail, "explanation": detail and "The stand-in refuses, as asked."}
    return {
        "id": message_id,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content,
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "stop_details": refused if stop_reason == "refusal" else None,
        "diagnostics": diagnose(body, message_id),
        "usage": usage,
    }


def usual_thinking(body: dict[str, Any]) -> str:
    """How the model thinks when it is asked as in this request."""
    thinking = body.get("thinking") or {}
    model_can = capabilities.of(body["model"])
    thinks = thinking.get("type") == "enabled" or (model_can and model_can.thinks_with(thinking.get("type", "")))
    return (thinking.get("display") or "omitted") if thinks else "none"


def text_for(body: dict[str, Any], play: str) -> str:
    """A value for the schema of a structured answer, or what was understood of the question."""
    wanted = (body.get("output_config") or {}).get("format")
    if wanted:
        return json.dumps("This does not fit." if play == "misfit" else example(wanted["schema"]))
    asked = question(body)
    quoted = "> " + asked.replace("\n", "\n> ")
    return (
        "This is the offline stand-in, not Claude: there is no `ANTHROPIC_API_KEY`, so **nothing left this machine**.\n\n"
        f"You asked, in {count(len(asked.split()), 'word')} and {count(len(asked), 'character')}:\n\n{quoted}\n\n"
        "| What Claude would get | Value |\n|---|---|\n"
        f"| Model | `{body['model']}` |\n"
        f"| System prompt | {'yes' if body.get('system') else 'no'} |\n"
        f"| Messages so far | {len(body['messages'])} |\n"
        f"| Longest answer | {count(body['max_tokens'], 'token')} |\n\n"
        "With a key Claude itself answers here, in Markdown too, with tables, lists and code:\n\n"
        "```sh\nexport ANTHROPIC_API_KEY='your key'\nmake run\n```\n"
    )


def question(body: dict[str, Any]) -> str:
    """The text of the last turn, empty where there is none."""
    content = (body.get("messages") or [{}])[-1].get("content") or ""
    return content if isinstance(content, str) else "".join(str(block.get("text", "")) for block in content)


def count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def split(text: str) -> list[str]:
    """The pieces that a text arrives in, a token each: a word with the space after it."""
    return re.findall(r"\S+\s*|\s+", text)


def text_block(pieces: list[str]) -> list[dict[str, Any]]:
    return [{"type": "text", "text": "".join(pieces)}] if pieces else []
