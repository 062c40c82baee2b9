"""The pages of conversations, without a script: open, find, rename, export, delete."""

import json
import re
import uuid
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone

from chat import keeper
from chat.models import Conversation, Turn, text_block
from chat.rendering import render
from tests import streams
from tests.asking import Browser
from tests.test_ask import HIDDEN

pytestmark = pytest.mark.django_db

FORGOTTEN = "Claude no longer remembers what stands above."


@pytest.fixture
def conversation(user, django_user_model) -> Conversation:
    user.post("/", {"prompt": "Why is the sky blue?"})
    return Conversation.objects.get()


def add_turns(conversation, number):
    Turn.objects.bulk_create(
        Turn(
            conversation=conversation,
            user_id=conversation.user_id,
            prompt=f"Question {n}",
            state=Turn.State.ANSWERED,
            content=text_block(f"Answer {n}"),
            ending={"stop_reason": "end_turn", "usage": {}},
        )
        for n in range(number)
    )


def questions(page):
    return re.findall('<div class="question"[^>]*>(.+)</div>', page)


def test_a_conversation_goes_on_from_its_page(user, wire, conversation):
    page = user.get(f"/c/{conversation.pk}/").text
    assert questions(page) == ["Why is the sky blue?"]
    reply = user.post(f"/c/{conversation.pk}/", {"prompt": "And grass?", **dict(HIDDEN.findall(page))}, follow=True)
    assert questions(reply.text) == ["Why is the sky blue?", "And grass?"]
    assert len(wire[-1]["body"]["messages"]) == 3
    assert (Conversation.objects.count(), Turn.objects.count()) == (1, 2)


def test_an_answer_is_shown_as_markdown_and_there_to_be_copied(user, conversation, play):
    play(streams.whole(streams.text("It **is**.\n\n- a")))
    page = user.post(f"/c/{conversation.pk}/", {"prompt": "Sure?"}, follow=True).text
    assert '<p dir="auto">It <strong>is</strong>.</p>\n<ul dir="auto">\n<li>\n<p>a</p>\n</li>\n</ul>' in page
    assert 'data-text="It **is**.\n\n- a"' in page


def test_half_a_character_looks_the_same_after_a_reload_as_while_it_came(user, conversation, play):
    text = "a\ud800b"
    play(streams.whole(streams.text(text)))
    page = user.post(f"/c/{conversation.pk}/", {"prompt": "Sure?"}, follow=True).text
    assert f">{render(text)}</div>" in page


@pytest.mark.parametrize("text", ["", " \n"])
def test_an_answer_without_a_word_is_said_to_be_empty(user, conversation, play, text):
    play(streams.whole(streams.text(text)))
    page = user.post(f"/c/{conversation.pk}/", {"prompt": "Sure?"}, follow=True).text
    assert re.search(r'data-note="empty"\s*>The answer was empty', page)


def test_the_first_page_begins_a_new_conversation_each_time(user, conversation):
    first, second = (dict(HIDDEN.findall(user.get("/").text))["conversation"] for _ in range(2))
    assert len({first, second, str(conversation.pk)}) == 3
    assert f"/c/{conversation.pk}/" in user.get("/").text


def test_the_last_question_can_be_asked_in_other_words(user, wire, conversation):
    page = user.get(f"/c/{conversation.pk}/?edit").text
    assert "Why is the sky blue?</textarea>" in page
    reply = user.post(f"/c/{conversation.pk}/", {"prompt": "Why is it red?", **dict(HIDDEN.findall(page))}, follow=True)
    assert questions(reply.text) == ["Why is it red?"]
    assert len(wire[-1]["body"]["messages"]) == 1


def test_after_a_failure_the_next_attempt_takes_its_place(user, conversation):
    page = user.post(f"/c/{conversation.pk}/", {"prompt": "fail overloaded_error", "idempotency_key": uuid.uuid4()})
    assert (page.status, questions(page.text)) == (502, ["Why is the sky blue?", "fail overloaded_error"])
    fields = dict(HIDDEN.findall(page.text))
    reply = user.post(f"/c/{conversation.pk}/", {"prompt": "And grass?", **fields}, follow=True)
    assert questions(reply.text) == ["Why is the sky blue?", "And grass?"]


def test_the_form_of_an_answered_question_asks_no_other(user, conversation):
    fields = {"conversation": conversation.pk, "idempotency_key": conversation.turns.get().idempotency_key}
    page = user.post("/", fields | {"prompt": "After the button Back"})
    assert (page.status, questions(page.text)) == (422, ["Why is the sky blue?", "After the button Back"])
    user.post(f"/c/{conversation.pk}/", {"prompt": "After the button Back", **dict(HIDDEN.findall(page.text))})
    assert conversation.turns.count() == 2


def test_what_can_no_longer_be_edited_can_be_asked_next(user, conversation):
    edited = dict(HIDDEN.findall(user.get(f"/c/{conversation.pk}/?edit").text))
    user.post(f"/c/{conversation.pk}/", {"prompt": "From another tab"})
    page = user.post(f"/c/{conversation.pk}/", {"prompt": "Why is it red?", **edited})
    assert (page.status, "Why is it red?</textarea>" in page.text) == (422, True)
    hidden = dict(HIDDEN.findall(page.text))
    reply = user.post(f"/c/{conversation.pk}/", {"prompt": "Why is it red?", **hidden}, follow=True)
    assert (reply.status, len(questions(reply.text))) == (200, 3)


def test_what_cannot_be_asked_is_said_below_the_conversation(user, conversation):
    page = user.post(f"/c/{conversation.pk}/", {"prompt": " "})
    assert (page.status, "Please type a question first." in page.text) == (400, True)
    assert questions(page.text) == ["Why is the sky blue?", " "]


def test_the_page_says_where_the_memory_of_claude_begins(user, conversation, settings):
    add_turns(conversation, 3)
    assert FORGOTTEN not in user.get(f"/c/{conversation.pk}/").text
    settings.CHAT_HISTORY_TOKENS = 29
    before, after = user.get(f"/c/{conversation.pk}/").text.split(FORGOTTEN)
    assert (questions(before)[-1], questions(after)) == ("Question 1", ["Question 2"])
    settings.CHAT_HISTORY_TOKENS = 0
    assert questions(user.get(f"/c/{conversation.pk}/").text.split(FORGOTTEN)[1]) == []


def test_conversations_are_found_by_title_and_by_question(user, conversation):
    user.post("/", {"prompt": "Why is grass green?"})
    add_turns(conversation, 2)
    for words, found in [("", 2), ("GRASS", 1), ("question 1", 1), ("Answer 1", 0), ("\0", 2), ("100%", 0)]:
        page = user.get(f"/c/?q={words}").text if words != "100%" else user.get("/c/?q=100%25").text
        assert page.count("<time") == found, words
    assert "Nothing has these words." in user.get("/c/?q=<b>").text
    assert "Nothing has these words." in user.get("/c/?q=" + 60_000 * "x").text


def test_the_list_comes_page_by_page_the_newest_first(user, conversation, django_assert_max_num_queries):
    now = timezone.now()
    Conversation.objects.bulk_create(
        Conversation(user_id=conversation.user_id, title=f"Title {n}", updated_at=now - timedelta(hours=n))
        for n in range(1, 41)
    )
    with django_assert_max_num_queries(5):
        page = user.get("/c/").text
    assert page.count("<time") == 30
    assert page.index("Why is the sky blue?") < page.index("Title 1<") < page.index("Title 29<")
    assert user.get("/c/?page=2").text.count("<time") == 11
    assert user.get("/c/?page=x").status == 404


def test_a_conversation_gets_another_title(user, conversation):
    assert 'value="Why is the sky blue?"' in user.get(f"/c/{conversation.pk}/rename/").text
    assert user.post(f"/c/{conversation.pk}/rename/", {"title": " "}).status == 200
    assert user.post(f"/c/{conversation.pk}/rename/", {"title": 81 * "x"}).status == 200
    user.post(f"/c/{conversation.pk}/rename/", {"title": "<i>Sky</i>"})
    assert "&lt;i&gt;Sky&lt;/i&gt;" in user.get("/c/").text


def test_a_conversation_is_deleted_by_its_form_alone(client, conversation):
    client.force_login(conversation.user)
    assert client.delete(f"/c/{conversation.pk}/delete/").status_code == 405
    assert Conversation.objects.count() == 1


def test_a_conversation_is_deleted_with_all_its_turns_once_that_is_confirmed(user, conversation):
    user.post("/", {"prompt": "Why is grass green?"})
    assert "nobody can bring them back" in user.get(f"/c/{conversation.pk}/delete/").text
    assert Conversation.objects.count() == 2
    assert "Why is grass green?" in user.post(f"/c/{conversation.pk}/delete/", follow=True).text
    assert user.get(f"/c/{conversation.pk}/").status == 404
    assert [turn.prompt for turn in Turn.objects.all()] == ["Why is grass green?"]


def test_all_conversations_of_one_user_are_deleted_at_once(user, anonymous, conversation, django_user_model):
    anonymous.sign_in(django_user_model.objects.create_user("another"))
    anonymous.post("/", {"prompt": "Mine"})
    user.post("/chat/ask/", {"prompt": "Alone", "idempotency_key": uuid.uuid4()})
    assert "all your conversations" in user.get("/c/delete/").text
    user.post("/c/delete/")
    assert [turn.prompt for turn in Turn.objects.all()] == ["Mine"]


def test_conversations_are_exported(user, conversation):
    user.post("/", {"prompt": "fail stream_cut"})
    everything = json.loads(user.get("/c/export.json").text)["conversations"]
    (one,) = json.loads(user.get(f"/c/{conversation.pk}/export.json").text)["conversations"]
    assert one in everything
    assert len(everything) == 2
    assert (one["turns"][0]["question"], one["turns"][0]["stop_reason"]) == ("Why is the sky blue?", "end_turn")
    reply = user.get("/c/export.md")
    assert reply.headers["Content-Disposition"] == 'attachment; filename="conversations.md"'
    assert "# Why is the sky blue?\n\n## Question" in reply.text
    assert "> This is the \n\n(Failed)" in reply.text
    assert user.get("/c/export.exe").status == 404


def test_nothing_in_an_exported_question_or_answer_looks_like_a_heading_of_the_export(user, conversation, play):
    play(streams.whole(streams.text("```\r## Question, 2026\u2028\n<!--")))
    user.post(f"/c/{conversation.pk}/", {"prompt": "## Answer\n\n```\r# x"})
    conversation.turns.filter(prompt__startswith="##").update(state=Turn.State.STOPPED)
    user.post(f"/c/{conversation.pk}/rename/", {"title": "a\n## b"})
    lines = user.get(f"/c/{conversation.pk}/export.md").text.splitlines()
    title, *ours = [line for line in lines if line and not line.startswith("> ")]
    assert title == "# a ## b"
    assert [line.split(",")[0] for line in ours] == ["## Question", "## Answer", "## Question", "## Answer", "(Stopped"]


def test_a_browser_keeps_no_copy_of_conversations(user, conversation):
    for path in ("c/", f"c/{conversation.pk}/", f"c/{conversation.pk}/rename/", "c/export.json"):
        assert "no-store" in user.get(f"/{path}").headers["Cache-Control"]


def test_old_conversations_are_deleted_by_a_command(user, conversation, settings, capsys):
    age = timezone.now() - timedelta(days=31)
    old = [Conversation(user_id=conversation.user_id, title="Old", updated_at=age) for _ in range(keeper.AT_ONCE + 1)]
    Conversation.objects.bulk_create(old)
    Turn.objects.bulk_create(Turn(conversation=one, user_id=one.user_id, prompt="Old") for one in old)
    # Of this one only the beginning is old.
    Conversation.objects.filter(pk=conversation.pk).update(created_at=age)
    call_command("delete_old_conversations")
    assert Conversation.objects.count() == len(old) + 1
    settings.CHAT_RETENTION_DAYS = 30
    call_command("delete_old_conversations")
    assert [turn.prompt for turn in Turn.objects.all()] == ["Why is the sky blue?"]
    assert f"{len(old)} conversations and 0 single answers deleted" in capsys.readouterr().out


def test_who_is_deleted_takes_all_along(user, conversation, django_user_model):
    django_user_model.objects.get(username="user").delete()
    assert not Turn.objects.exists()
    assert not Conversation.objects.exists()


# --- The admin ------------------------------------------------------------------------------------


@pytest.fixture
def staff(django_user_model) -> Browser:
    browser = Browser()
    browser.sign_in(django_user_model.objects.create_superuser("staff"))
    return browser


def test_in_the_admin_each_look_at_a_conversation_is_logged(staff, conversation, caplog):
    caplog.set_level("INFO", "chat")
    listed = staff.get("/admin/chat/conversation/").text
    assert "sky" not in listed
    page = staff.get(f"/admin/chat/conversation/{conversation.pk}/change/").text
    assert "Why is the sky blue?" in page
    assert "You asked, in 5 words" in page
    assert 'name="title"' not in page
    (line,) = [record.getMessage() for record in caplog.records if "looks at" in record.getMessage()]
    assert str(conversation.pk) in line
    assert f"of user {conversation.user_id} in the admin" in line
    assert "sky" not in line


def test_in_the_admin_no_address_searches_titles(staff, conversation):
    assert staff.get(f"/admin/chat/conversation/?user__id__exact={conversation.user_id}").status == 200
    assert staff.get("/admin/chat/conversation/?title__icontains=sky").status == 400


def test_in_the_admin_an_answer_is_shown_as_markdown(staff, conversation):
    conversation.turns.update(content=text_block("**one** <b>"))
    page = staff.get(f"/admin/chat/conversation/{conversation.pk}/change/").text
    assert '<p dir="auto"><strong>one</strong> &lt;b&gt;</p>' in page


def test_in_the_admin_nobody_changes_a_conversation_and_not_everybody_sees_one(staff, conversation, django_user_model):
    changed = staff.post(f"/admin/chat/conversation/{conversation.pk}/change/", {"title": "Another"})
    assert changed.status == 403
    assert staff.get("/admin/chat/conversation/add/").status == 403
    helper = Browser()
    helper.sign_in(django_user_model.objects.create_user("helper", is_staff=True))
    assert helper.get(f"/admin/chat/conversation/{conversation.pk}/change/").status == 403
    assert helper.get("/admin/chat/conversation/").status == 403
