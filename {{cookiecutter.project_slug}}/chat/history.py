"""What Claude remembers of a conversation: its last turns, as many as fit into CHAT_HISTORY_TOKENS.

They go to Claude with each question, as text: what it thought is bound to all that came before, and stays here.
https://platform.claude.com/docs/en/build-with-claude/thinking
"""

import math
from collections.abc import Iterator

from django.conf import settings
from django.db.models import Q, QuerySet

from chat import keeper
from chat.models import Turn
from claude.messages import Details

# Claude declines more and more once the history has a question that it declined.
# https://platform.claude.com/docs/en/build-with-claude/handle-streaming-refusals
LEFT_OUT = Q(state__in=(Turn.State.DECLINED, Turn.State.LOST)) | keeper.under_way()


def remembered(turns: QuerySet[Turn]) -> list[Turn]:
    """The turns that Claude gets with the next question, oldest first: whole ones, and those whose answer has text."""
    left, chosen = settings.CHAT_HISTORY_TOKENS, []
    fields = turns.only("conversation", "prompt", "content", "message_id")
    for turn in newest_first(fields.exclude(LEFT_OUT)):
        if not turn.text.strip():
            continue
        left -= tokens(turn.prompt) + tokens(turn.text)
        if left < 0:
            break
        chosen.append(turn)
    return chosen[::-1]


def details_of(turn: Turn) -> Details:
    """What goes to Claude with the prompt of a turn."""
    details: Details = {"user": turn.user}
    if turn.conversation_id and not turn.is_first:
        turns = remembered(Turn.objects.filter(conversation=turn.conversation_id, pk__lt=turn.replaces or turn.pk))
        details["history"] = [
            {"role": role, "content": text}
            for before in turns
            for role, text in (("user", before.prompt), ("assistant", before.valid_text))
        ]
        details["previous_message_id"] = turns[-1].message_id if turns else None
    return details


def newest_first(turns: QuerySet[Turn]) -> Iterator[Turn]:
    """The turns of a conversation in few queries, of which the first takes little, as most often it will do."""
    size, earlier = 16, turns
    while page := list(earlier.order_by("-pk")[:size]):
        yield from page
        if len(page) < size:
            return
        size, earlier = 4 * size, turns.filter(pk__lt=page[-1].pk)


def tokens(text: str) -> int:
    """About how many tokens a message has: one for each 3 bytes, and 4 for the message. To count exactly takes a request.

    English prose has a quarter less than that with models before 4.7, and a tenth more with later ones. Code, numbers and
    other languages have between half and twice as many: leave room for that.
    """
    return math.ceil(len(text.encode(errors="replace")) / 3) + 4
