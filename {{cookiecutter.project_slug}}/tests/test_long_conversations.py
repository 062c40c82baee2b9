"""Conversations of a thousand messages, in a database that has many more."""

import re
from datetime import timedelta
from itertools import chain

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from chat.models import Conversation, Turn, text_block
from chat.page import CHARACTERS, TURNS

pytestmark = pytest.mark.django_db

REALISTIC = 4000  # characters
EARLIER = re.compile(r'href="\?(before=[^"#]+)#last">Earlier')
WHOLE_TABLE = re.compile(
    r"\bSCAN chat_turn\b(?! USING INDEX turns_under_way)|Seq Scan on chat_turn|using chat_turn_pkey.*\n(?!\s+Index Cond)"
)


@pytest.fixture
def owner(user, django_user_model):
    return django_user_model.objects.get(username="user")


def conversation_of(owner, answers):
    conversation = Conversation.objects.create(user=owner, title="Title")
    Turn.objects.bulk_create(
        Turn(
            conversation=conversation,
            user=owner,
            prompt=f"Question {n}",
            state=Turn.State.ANSWERED,
            content=text_block(answer),
            ending={"stop_reason": "end_turn", "usage": {}},
        )
        for n, answer in enumerate(answers)
    )
    return conversation


def full(database_user, conversations=300, turns=3000):
    """More conversations of somebody, and turns in them."""
    now = timezone.now()
    made = Conversation.objects.bulk_create(
        Conversation(user=database_user, title=f"Title {n}", updated_at=now - timedelta(hours=n))
        for n in range(conversations)
    )
    Turn.objects.bulk_create(
        Turn(conversation=made[n % conversations], user=database_user, prompt="Why?", state=Turn.State.ANSWERED)
        for n in range(turns)
    )


def pages_of(browser, conversation):
    """The numbers of the questions on each page, from the newest on, by the links of the pages."""
    pages, query = [], ""
    while True:
        page = browser.get(f"/c/{conversation.pk}/?{query}").text
        pages.append([int(number) for number in re.findall('class="question"[^>]*>Question (\\d+)<', page)])
        if not (link := EARLIER.search(page)):
            return pages
        query = link[1]


def test_a_page_has_as_many_turns_as_fit_and_a_link_to_those_before(user, owner):
    pages = pages_of(user, conversation_of(owner, ["Yes."] * 120))
    assert list(map(len, pages)) == [TURNS, TURNS, 120 - 2 * TURNS]
    assert sorted(chain.from_iterable(pages)) == list(range(120))


def test_of_long_answers_fewer_fit_on_a_page_and_one_always_does(user, owner):
    half, more = "x" * (CHARACTERS // 2), "x" * (CHARACTERS + 1)
    assert pages_of(user, conversation_of(owner, [half] * 4)) == [[2, 3], [0, 1]]
    assert pages_of(user, conversation_of(owner, ["Yes.", more, "Yes."])) == [[2], [1], [0]]


def test_a_page_of_earlier_turns_leads_to_the_newest_and_asks_there(user, owner):
    conversation = conversation_of(owner, ["x" * CHARACTERS] * 2)
    query = EARLIER.search(user.get(f"/c/{conversation.pk}/").text)[1]
    page = user.get(f"/c/{conversation.pk}/?{query}").text
    assert f'<a href="/c/{conversation.pk}/">Newest questions</a>' in page
    assert "data-older" in page
    assert user.get(f"/c/{conversation.pk}/?before={conversation.pk}").status == 404
    assert "data-older" not in user.get(f"/c/{conversation.pk}/?before=x").text


def test_a_long_conversation_takes_as_many_queries_as_a_short_one(user, owner):
    def count(path, data=None):
        with CaptureQueriesContext(connection) as queries:
            assert user.post(path, data).status == 302 if data else user.get(path).status == 200
        return len(queries)

    def counts(conversation):
        path = f"/c/{conversation.pk}/"
        return [count(path), count("/c/"), count("/"), count(path, {"prompt": "And now?"})]

    user.post("/chat/ask/", {"prompt": "Hello?"})  # the first of all questions may make rows that the others find
    short = counts(conversation_of(owner, ["x" * REALISTIC] * 3))
    full(owner)
    assert counts(conversation_of(owner, ["x" * REALISTIC] * 500)) == short


def test_no_query_looks_through_all_turns(user, owner, django_user_model):
    full(django_user_model.objects.create_user("another"))
    full(owner, conversations=40, turns=40)
    conversation = conversation_of(owner, ["x" * CHARACTERS] * 20)
    path = f"/c/{conversation.pk}/"
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    key = conversation.turns.get(prompt="Question 0").idempotency_key
    made = []

    def record(execute, sql, params, many, context):
        made.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(record):
        earlier = EARLIER.search(user.get(path).text)[1]
        user.get(f"{path}?{earlier}")
        for page in ("/", "/c/", "/c/?page=2", "/c/?q=why", f"{path}export.json"):
            assert user.get(page).status == 200
        user.post(path, {"prompt": "Why?", "idempotency_key": conversation.pk})
        user.post(path, {"prompt": "And why?", "replaces": conversation.pk})
        user.post("/chat/ask/", {"prompt": "Why?", "idempotency_key": key})
        user.post(f"{path}delete/")
    about_ours = [(sql, params) for sql, params in made if '"chat_' in sql and not sql.startswith("INSERT")]
    assert len(about_ours) > 20
    with connection.cursor() as cursor:
        for sql, params in about_ours:
            cursor.execute(f"{connection.ops.explain_query_prefix()} {sql}", params)
            plan = "\n".join(row[-1] for row in cursor.fetchall())
            assert not WHOLE_TABLE.search(plan), (sql, plan)
