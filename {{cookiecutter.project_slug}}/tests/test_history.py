"""How much of a conversation goes to Claude."""

import pytest

from chat import history
from chat.models import Conversation, Turn, text_block

State = Turn.State

pytestmark = pytest.mark.django_db


@pytest.fixture
def conversation(django_user_model):
    return Conversation.objects.create(user=django_user_model.objects.create_user("user"), title="Numbers")


def add(conversation, *prompts, answer="An answer", state=State.ANSWERED):
    content = text_block(answer)
    Turn.objects.bulk_create(
        Turn(conversation=conversation, user=conversation.user, prompt=prompt, state=state, content=content, ending={})
        for prompt in prompts
    )


def remembered(conversation):
    return [turn.prompt for turn in history.remembered(conversation.turns.all())]


def test_the_longest_tail_of_whole_turns_that_fits_is_remembered_oldest_first(conversation, settings):
    add(conversation, "one", "two", "three")
    turn = history.tokens("three") + history.tokens("An answer")
    assert turn == (2 + 4) + (3 + 4)
    settings.CHAT_HISTORY_TOKENS = 3 * turn
    assert remembered(conversation) == ["one", "two", "three"]
    settings.CHAT_HISTORY_TOKENS = 2 * turn
    assert remembered(conversation) == ["two", "three"]
    settings.CHAT_HISTORY_TOKENS = turn - 1
    assert remembered(conversation) == []


def test_no_older_turn_takes_the_place_of_a_long_one(conversation, settings):
    add(conversation, "one", "long " * 100, "three")
    settings.CHAT_HISTORY_TOKENS = 100
    assert remembered(conversation) == ["three"]


def test_without_tokens_there_is_no_memory(conversation, settings):
    add(conversation, "one")
    settings.CHAT_HISTORY_TOKENS = 0
    assert remembered(conversation) == []


@pytest.mark.parametrize("state", State)
def test_a_turn_is_remembered_unless_it_is_under_way_declined_or_lost(conversation, state):
    add(conversation, "one", state=state)
    forgotten = state in (State.ASKED, State.DECLINED, State.LOST)
    assert remembered(conversation) == ([] if forgotten else ["one"])


@pytest.mark.parametrize("answer", ["", " \n"])
def test_a_turn_without_text_is_left_out_as_the_api_would_refuse_it(conversation, answer):
    add(conversation, "one")
    add(conversation, "two", answer=answer)
    assert remembered(conversation) == ["one"]


@pytest.mark.parametrize(("text", "tokens"), [("", 4), ("abc", 5), ("abcd", 6), ("語", 5), ("🌍", 6), ("\ud83d", 5)])
def test_tokens_are_estimated_by_bytes(text, tokens):
    assert history.tokens(text) == tokens


def test_of_many_turns_few_are_read(conversation, settings, django_assert_max_num_queries):
    add(conversation, *map(str, range(1000)))
    settings.CHAT_HISTORY_TOKENS = 300
    with django_assert_max_num_queries(2):
        assert remembered(conversation) == [str(number) for number in range(975, 1000)]
    settings.CHAT_HISTORY_TOKENS = 900_000
    with django_assert_max_num_queries(4):
        assert len(remembered(conversation)) == 1000
