"""What the models that the template offers may answer, and what the user, the log and the bill then say. Data only."""

from dataclasses import replace
from typing import Any, NamedTuple

from claude_server.script import UPSTREAM_MESSAGE, Answer, Refusal, Status, Step

from .causes import ROWS, WORDS


class Model(NamedTuple):
    """A model with the settings that a project rendered for it has, and the one that answers where it declines."""

    name: str
    max_tokens: int
    effort: str
    fallback: str


MODELS = [
    Model("claude-sonnet-4-6", 1024, "", "claude-opus-4-8"),
    Model("claude-sonnet-5-5", 16_000, "medium", "claude-sonnet-4-6"),
    Model("claude-opus-5-5", 16_000, "medium", "claude-sonnet-5-5"),
    Model("claude-haiku-5-5", 16_000, "medium", "claude-sonnet-4-6"),
    Model("claude-fable-5-2", 16_000, "medium", "claude-opus-5-5"),
]
TEXT = "The sky is blue."
BEGUN = "The sky "
THOUGHTS = UPSTREAM_MESSAGE
THOUGHT = len(THOUGHTS.split())
"""Words, and so tokens."""
SENTENCES = {
    "cyber": "Claude declined: this question looks as if it were about attacking computers. "
    "If it is not, ask again and say what you want to protect or to build.",
    "bio": "Claude declined: this question looks as if it were about dangerous biology. "
    "If it is not, ask again and say what you want to find out, and what for.",
    None: "Claude declined to answer this question. Ask it in other words, or ask another.",
}


class Case(NamedTuple):
    """What the API answers, and what comes of it."""

    name: str
    steps: tuple[Step, ...]
    """Of the model, and of CLAUDE_FALLBACK_MODEL where that is asked."""
    paid: tuple[tuple[int, int], ...]
    """For each model that ran: the tokens of its answer, and how many of them it thought."""
    text: str = TEXT
    end: str = "end_turn"
    """The stop reason."""
    category: str | None = None
    failure: str = ""
    """The row of the table of failures, where there is no answer."""
    thinks: bool = False
    taken_back: str = ""
    """Text that the user has read before it was taken back."""
    schema: bool = False
    """Asked by a view that asks for a schema, in JSON alone."""

    @property
    def outcome(self) -> str:
        return self.failure or ("declined" if self.end == "refusal" else "answered")

    @property
    def sentence(self) -> str:
        """What the user reads in place of an answer, if anything."""
        if self.failure:
            return ROWS[self.failure].sentence
        return SENTENCES[self.category] if self.end == "refusal" else ""

    @property
    def level(self) -> str:
        """Of the line in the log."""
        return ROWS[self.failure].level if self.failure else "INFO"

    @property
    def reply(self) -> dict[str, Any]:
        """What JSON and the last event say besides the text and the counts."""
        if self.failure:
            return {"error": self.sentence, "status": ROWS[self.failure].status}
        refusal = {"refusal": self.sentence, "refusal_category": self.category}
        return {"stop_reason": self.end} | (refusal if self.sentence else {})


SHOWN = replace(WORDS, thinking=THOUGHTS, thinks_for=0.4, pings=0.1)
HIDDEN = Answer(thinking=THOUGHTS, display="omitted", deltas=[], stop_reason="max_tokens")
CUT = replace(WORDS, stop_reason="max_tokens")
REFUSED, REFUSED_LATE = Refusal("cyber"), Refusal("bio", 2, answer=WORDS)
BLUE = '{"answer": "blue"}'

CASES = [
    Case("plain", (WORDS,), ((4, 0),)),
    Case("long thinking", (SHOWN,), ((4 + THOUGHT, THOUGHT),), thinks=True),
    Case("all thinking", (HIDDEN,), ((THOUGHT, THOUGHT),), "", "max_tokens", failure="all_thinking", thinks=True),
    Case("refusal at once", (REFUSED,), ((0, 0),), "", "refusal", "cyber"),
    Case("refusal after text", (REFUSED_LATE,), ((2, 0),), "", "refusal", "bio", taken_back=BEGUN),
    Case("fallback", (REFUSED, WORDS), ((0, 0), (4, 0))),
    Case("fallback after text", (REFUSED_LATE, WORDS), ((2, 0), (4, 0)), taken_back=BEGUN),
    Case("fallback that thinks", (REFUSED, SHOWN), ((0, 0), (4 + THOUGHT, THOUGHT)), thinks=True),
    Case("fallback declines too", (REFUSED, Refusal(None)), ((0, 0), (0, 0)), "", "refusal"),
    Case("fallback, overloaded", (Status(529), WORDS), ((0, 0), (4, 0))),
    Case("structured", (Answer(text=BLUE),), ((2, 0),), BLUE, schema=True),
    Case("structured, declined", (REFUSED,), ((0, 0),), "", "refusal", "cyber", "declined", schema=True),
    Case("structured, cut off", (CUT,), ((4, 0),), "", "max_tokens", failure="cut_off", schema=True),
    Case("structured, a misfit", (WORDS,), ((4, 0),), "", failure="misfit", schema=True),
    Case("cut at max_tokens", (CUT,), ((4, 0),), end="max_tokens"),
]
