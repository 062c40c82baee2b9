"""What each model can do, as read on 2026-11-26 in the documentation of October 2026.

A model that is not listed here may do anything.
`manage.py check` compares the settings with it; `manage.py claude_models` asks the API itself.

https://platform.claude.com/docs/en/about-claude/models/overview
https://platform.claude.com/docs/en/about-claude/model-deprecations
https://platform.claude.com/docs/en/build-with-claude/thinking
https://platform.claude.com/docs/en/build-with-claude/effort
https://platform.claude.com/docs/en/build-with-claude/prompt-caching
"""

import re
from dataclasses import dataclass, replace

# The values of CLAUDE_THINKING and CLAUDE_EFFORT.
THINKING = ("adaptive", "disabled", "between_tools")
EFFORTS = ("low", "medium", "high", "xhigh", "max")
UP_TO_HIGH = frozenset(EFFORTS[:3])
UP_TO_MAX = frozenset(EFFORTS)


@dataclass(frozen=True)
class Capabilities:
    """`thinks` is "always", "by default" or "when asked".

    `thinking` and `efforts` are the values of CLAUDE_THINKING and CLAUDE_EFFORT that the model takes,
    `efforts_without_thinking` those that it takes while thinking is turned off. `longest_answer` and `cache_minimum`, the
    shortest prompt that is cached, are in tokens; None is unknown. `retires` is the day when the model goes away, where
    one has been announced.
    """

    thinks: str
    thinking: frozenset[str]
    efforts: frozenset[str] = UP_TO_MAX
    efforts_without_thinking: frozenset[str] = UP_TO_MAX
    longest_answer: int = 128_000
    cache_minimum: int | None = 512
    retires: str = ""

    def thinks_with(self, thinking: str) -> bool:
        """Whether it thinks before it answers, with this CLAUDE_THINKING; one that it does not take is left out."""
        return thinking == "adaptive" if thinking in self.thinking else self.thinks != "when asked"

    def efforts_with(self, thinking: str) -> frozenset[str]:
        """The values of CLAUDE_EFFORT that it takes with this CLAUDE_THINKING."""
        turned_off = thinking in self.thinking - {"adaptive"}
        return self.efforts & self.efforts_without_thinking if turned_off else self.efforts


ALWAYS = Capabilities("always", frozenset({"adaptive"}))
BY_DEFAULT = Capabilities("by default", frozenset({"adaptive", "disabled"}), efforts_without_thinking=UP_TO_HIGH)
WHEN_ASKED = Capabilities("when asked", frozenset({"adaptive", "disabled"}), cache_minimum=1024)
# Those before 4.6 know no other way to think than a budget in tokens, which CLAUDE_THINKING does not give.
WITH_A_BUDGET = replace(
    WHEN_ASKED, thinking=frozenset({"disabled"}), efforts=frozenset(), longest_answer=64_000, cache_minimum=4096
)

MODELS = {
    "claude-fable-5-2": replace(ALWAYS, cache_minimum=None),
    "claude-mythos-5-2": replace(ALWAYS, cache_minimum=None),
    "claude-fable-5-1": ALWAYS,
    "claude-fable-5": ALWAYS,
    "claude-opus-5-5": ALWAYS,
    "claude-opus-5": BY_DEFAULT,
    "claude-sonnet-5-5": replace(BY_DEFAULT, thinking=frozenset({"adaptive", "between_tools"})),
    "claude-haiku-5-5": BY_DEFAULT,
    "claude-sonnet-5": replace(BY_DEFAULT, efforts_without_thinking=UP_TO_MAX, cache_minimum=1024),
    "claude-opus-4-8": WHEN_ASKED,
    "claude-opus-4-7": replace(WHEN_ASKED, cache_minimum=2048),
    "claude-sonnet-4-6": replace(WHEN_ASKED, efforts=UP_TO_HIGH | {"max"}),
    "claude-opus-4-6": replace(WHEN_ASKED, efforts=UP_TO_HIGH | {"max"}, cache_minimum=4096),
    "claude-haiku-4-5": WITH_A_BUDGET,
    "claude-opus-4-5": replace(WITH_A_BUDGET, efforts=UP_TO_HIGH, retires="2027-01-22"),
    "claude-sonnet-4-5": replace(WITH_A_BUDGET, cache_minimum=1024, retires="2026-11-30"),
}

# For a model that is not listed: no setting is wrong for it.
UNKNOWN = Capabilities("when asked", frozenset(THINKING), longest_answer=10**9)

# The API answers 404 to each of these.
RETIRED = re.compile(
    r"claude-(instant-)?[123]([.-].*)?"
    r"|claude-opus-4-(0|20250514|1|1-20250805)|claude-sonnet-4-(0|20250514)|claude-4-(opus|sonnet)-20250514"
)


def of(model: str) -> Capabilities | None:
    """What a model can do, None where that is unknown."""
    return MODELS.get(family(model))


def family(model: str) -> str:
    """The id without the date that some end in."""
    return re.sub(r"-20\d{6}$", "", model)


def is_retired(model: str) -> bool:
    return RETIRED.fullmatch(model) is not None
