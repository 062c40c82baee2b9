"""What each model takes of the settings that not all of them take, as the Models API tells it.

https://platform.claude.com/docs/en/build-with-claude/thinking and …/effort, read on 2026-11-26
"""

from typing import Any, NamedTuple

THINKING = ("adaptive", "between_tools", "disabled", "enabled")
EFFORTS = ("low", "medium", "high", "xhigh", "max")


class Model(NamedTuple):
    name: str
    thinking: tuple[str, ...]
    """The types of thinking that it takes; another is refused."""
    efforts: tuple[str, ...] = EFFORTS
    efforts_without_thinking: tuple[str, ...] = EFFORTS
    longest: int = 128_000
    """Tokens of an answer, thinking included."""


MODELS = {
    "claude-fable-5-2": Model("Claude Fable 5.2", ("adaptive",)),
    "claude-opus-5-5": Model("Claude Opus 5.5", ("adaptive",)),
    "claude-sonnet-5-5": Model("Claude Sonnet 5.5", ("adaptive", "between_tools"), EFFORTS, EFFORTS[:3]),
    "claude-haiku-5-5": Model("Claude Haiku 5.5", ("adaptive", "disabled"), EFFORTS, EFFORTS[:3]),
    "claude-opus-4-8": Model("Claude Opus 4.8", ("adaptive", "disabled")),
    "claude-sonnet-4-6": Model(
        "Claude Sonnet 4.6", ("adaptive", "disabled", "enabled"), ("low", "medium", "high", "max")
    ),
    "claude-haiku-4-5": Model("Claude Haiku 4.5", ("disabled", "enabled"), (), (), longest=64_000),
}
UNKNOWN = Model("", THINKING)
"""Any other model takes whatever some model takes."""


def describe(model: str) -> dict[str, Any]:
    """What `GET /v1/models/ID` answers."""
    known = MODELS[model]
    efforts = {effort: {"supported": effort in known.efforts} for effort in EFFORTS}
    types = {kind: {"supported": kind in known.thinking} for kind in THINKING}
    return {
        "type": "model",
        "id": model,
        "display_name": known.name,
        "created_at": "2026-01-01T00:00:00Z",
        "lifecycle": "active",
        "line": model.split("-")[1],
        "deprecated_at": None,
        "retires_at": None,
        "max_input_tokens": 1_000_000,
        "max_tokens": known.longest,
        "capabilities": {
            "effort": {"supported": bool(known.efforts), **efforts},
            "structured_outputs": {"supported": True},
            "thinking": {"supported": True, "types": types},
        },
    }
