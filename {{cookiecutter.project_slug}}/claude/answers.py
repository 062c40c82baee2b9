"""An answer of Claude, and what it took."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext_lazy as _

# What a user reads where Claude declines, by the category that the API gives. Its safety filters can be wrong.
# https://platform.claude.com/docs/en/build-with-claude/refusals-and-fallback
REFUSALS = {
    "": _("Claude declined to answer this question. Ask it in other words, or ask another."),
    "cyber": _(
        "Claude declined: this question looks as if it were about attacking computers. "
        "If it is not, ask again and say what you want to protect or to build."
    ),
    "bio": _(
        "Claude declined: this question looks as if it were about dangerous biology. "
        "If it is not, ask again and say what you want to find out, and what for."
    ),
    "frontier_llm": _(
        "Claude declined: this question looks as if it were about building a competing AI model. "
        "If it is not, ask again and say what you are working on."
    ),
    "reasoning_extraction": _(
        "Claude declined: it does not write down how it thinks. Ask for the answer with a short explanation instead."
    ),
}


# Counts that the API gives in groups of their own.
DETAILS = (
    ("output_tokens_details", "thinking_tokens"),
    ("cache_creation", "ephemeral_1h_input_tokens"),
    ("server_tool_use", "web_search_requests"),
)


@dataclass(frozen=True)
class Usage:
    """What a call is charged for: tokens, and the API's own web searches.

    `input_tokens` leaves out what the cache took in or gave back. The `thinking_tokens` are some of the `output_tokens`, the
    `ephemeral_1h_input_tokens` some of the `cache_creation_input_tokens`, those that it keeps for an hour.

    https://platform.claude.com/docs/en/build-with-claude/prompt-caching#tracking-cache-performance
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cache_creation_input_tokens: int = 0
    cache_read_input_tokens: int = 0
    thinking_tokens: int = 0
    ephemeral_1h_input_tokens: int = 0
    web_search_requests: int = 0

    @property
    def all_input_tokens(self) -> int:
        return self.input_tokens + self.cache_creation_input_tokens + self.cache_read_input_tokens

    def as_dict(self) -> dict[str, int]:
        return asdict(self)

    def updated(self, counts: object) -> Usage:
        """With newer counts of the API. What is no count is ignored: it costs no answer."""
        counts = mapping(counts)
        newer = {field.name: counts.get(field.name) for field in fields(self)}
        for group, name in DETAILS:
            newer[name] = mapping(counts.get(group)).get(name)
        # No answer has a hundred million, and what that would cost is more than the ledger can hold.
        return replace(self, **{name: n for name, n in newer.items() if type(n) is int and 0 <= n < 10**8})

    def __add__(self, other: Usage) -> Usage:
        mine = self.as_dict()
        return Usage(**{name: mine[name] + count for name, count in other.as_dict().items()})


@dataclass(frozen=True)
class Cost:
    """What a call cost, in US dollars: `amount` is None where a price is unknown. `is_shown` says whether its user may know."""

    amount: Decimal | None
    is_estimated: bool = False
    is_shown: bool = True

    def as_json(self) -> dict[str, Any]:
        """What its user is told."""
        usd = None if self.amount is None else format(self.amount.normalize(), "f")
        return {"cost": {"usd": usd, "is_estimated": self.is_estimated}} if self.is_shown else {}


@dataclass
class Iteration:
    """What one model did for a call. There are several where one declined and another answered."""

    model: str | None = None
    stop_reason: str | None = None
    refusal_category: str | None = None
    usage: Usage = Usage()
    anthropic_request_id: str | None = None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class Answer(str):
    """The text of an answer, which also knows what it took.

    `stop_reason` says why it ended: "end_turn" is a whole answer, "max_tokens" one cut off at its longest, "refusal" none;
    `refusal_category` is what the API takes a refused question for, or None. `usage` is the sum over its `iterations`.
    `content` is the API's own blocks, with the thinking. `cost` is None where nothing counts it. `parsed` is the instance of a `schema` that was asked for.
    https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons
    """

    usage: Usage = Usage()
    iterations: list[Iteration] = []
    stop_reason: str | None = None
    refusal_category: str | None = None
    model: str | None = None
    message_id: str | None = None
    anthropic_request_id: str | None = None
    content: list[dict[str, Any]] = []
    cost: Cost | None = None
    parsed: Any = None

    def __new__(cls, text: str, **attributes: Any) -> Answer:
        answer = super().__new__(cls, text)
        vars(answer).update(attributes)
        return answer

    @property
    def refusal(self) -> str:
        """What the user reads where Claude declined, else empty."""
        declined = self.stop_reason == "refusal"
        return str(REFUSALS.get(self.refusal_category or "", REFUSALS[""])) if declined else ""

    def as_dict(self) -> dict[str, Any]:
        """The answer as JSON: `{"answer": text, "stop_reason": …, "usage": {…}}`, and why there is none in a refusal."""
        refusal = {"refusal": self.refusal, "refusal_category": self.refusal_category} if self.refusal else {}
        cost = self.cost.as_json() if self.cost else {}
        return {"answer": str(self), "stop_reason": self.stop_reason, **refusal, "usage": self.usage.as_dict(), **cost}


def mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
