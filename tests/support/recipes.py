"""Runs in a project that has the recipes of docs/make-it-yours.md, as one of its tests: each does what it says."""

import inspect
import json
import uuid
from datetime import date, datetime, timedelta

import pytest
from asgiref.sync import async_to_sync
from claude import prompts
from claude.failures import Failure
from desk import appointments, conversations, summaries, tools
from django.core.cache import cache
from django.utils import timezone
from tests import streams

pytestmark = pytest.mark.django_db
SUMMARY = "/desk/summarise/"


@pytest.fixture(autouse=True)
def nothing_counted():
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def ada(django_user_model):
    return django_user_model.objects.create_user("ada")


def done(function, *arguments):
    """What it returns. In a project with the style "async" it is asynchronous."""

    async def awaited(waiting):
        return await waiting

    result = function(*arguments)
    return async_to_sync(awaited)(result) if inspect.isawaitable(result) else result


def said(wire):
    return [[turn["content"] for turn in sent["body"]["messages"]] for sent in wire]


def test_the_second_page_shows_a_user_their_own_conversations(user, anonymous, ada):
    mine, hers = uuid.uuid4(), uuid.uuid4()
    user.post("/chat/ask/", {"prompt": "Why is the sky blue?", "conversation": mine})
    done(conversations.ask_in, hers, "Why is the sea green?", ada)
    page = user.get("/desk/")
    assert (page.status, "<h1>Desk</h1>" in page.text) == (200, True)
    assert f'href="/c/{mine}/" dir="auto">Why is the sky blue?</a>' in page.text
    assert str(hers) not in page.text
    assert anonymous.get("/desk/").headers["Location"] == "/accounts/sign-in/?next=/desk/"


def test_the_endpoint_answers_to_post_of_users_who_have_signed_in(user, anonymous, wire):
    reply = user.post(SUMMARY, {"prompt": "Dear desk"})
    assert (reply.status, reply.json["stop_reason"]) == (200, "end_turn")
    assert "> Dear desk" in reply.json["answer"]
    refused = [user.get(SUMMARY), anonymous.post(SUMMARY, {"prompt": "Dear desk"}), user.post(SUMMARY, {"prompt": " "})]
    assert [reply.status for reply in refused] == [405, 401, 400]
    assert all(reply.json["error"] for reply in refused)
    assert len(wire) == 1
    failed = user.post(SUMMARY, {"prompt": "fail overloaded_error"})
    assert (failed.status, failed.json["error"]) == (502, "AI service unavailable")


def test_the_prompt_goes_to_claude_and_the_log_has_its_version(ada, wire, caplog):
    caplog.set_level("INFO", logger="claude")
    done(summaries.summarise, "Dear desk", ada)
    assert wire[0]["body"]["system"][0]["text"].startswith("Summarise the letter")
    assert [record.prompt_version for record in caplog.records] == [prompts.read("summary").version]
    assert caplog.records[0].prompt_version.startswith("summary@")


def test_a_conversation_in_code_is_remembered_and_belongs_to_its_user(ada, wire, django_user_model):
    conversation = uuid.uuid4()
    first = done(conversations.ask_in, conversation, "My name is Ada.", ada)
    done(conversations.ask_in, conversation, "What is my name?", ada)
    assert said(wire)[1] == ["My name is Ada.", first, "What is my name?"]
    with pytest.raises(Failure) as failed:
        done(conversations.ask_in, conversation, "And mine?", django_user_model.objects.create_user("eve"))
    assert failed.value.status == 404


def test_the_listener_counts_each_call_once(user, ada):
    done(summaries.summarise, "Dear desk", ada)
    user.post(SUMMARY, {"prompt": "fail overloaded_error"})
    user.post("/chat/ask/", {"prompt": "Why is the sky blue?"})
    counted = {key: cache.get(f"calls:{key}") for key in ("desk:answered", "desk:unavailable", "chat:answered")}
    assert counted == dict.fromkeys(counted, 1)


def wants(name, number):
    """Claude asks for a tool."""
    tool = streams.block("tool_use", id=f"toolu_{number}", name=name, input={})
    argument = streams.delta("input_json_delta", partial_json="{}")
    events = [streams.start(content=[]), tool, argument, ("content_block_stop", {}), *streams.end("tool_use")]
    return numbered(events)


def says(words):
    opening, closing = streams.block("text", text=""), ("content_block_stop", {})
    return numbered([streams.start(content=[]), opening, streams.text(words), closing, *streams.end()])


def numbered(events):
    """As the SDK reads them: with their own name and the index of their block in the data."""
    return [(name, {"type": name, "index": 0, **data}) for name, data in events]


def test_an_answer_is_an_instance_of_the_model_or_a_failure(ada, play):
    letter = {"topic": "the roof", "day": "2026-01-31", "people": ["Ada", "Bo"]}
    seen = play(says(json.dumps(letter)), says(json.dumps(letter | {"topic": "roof" * 20})))
    appointment = done(appointments.appointment_in, "Shall we meet on Saturday?", ada)
    assert appointment == appointments.Appointment(topic="the roof", day=date(2026, 1, 31), people=["Ada", "Bo"])
    assert seen[0]["body"]["output_config"]["format"]["schema"]["required"] == list(letter)
    with pytest.raises(Failure) as failed:
        done(appointments.appointment_in, "Shall we meet on Saturday?", ada)
    assert failed.value.kind == "misfit"


def test_the_tool_loop_ends_with_an_answer_that_has_the_result(ada, play):
    seen = play(wants("get_time", 1), wants("get_weather", 2), says("It is noon."))
    answer = done(tools.ask_with_tools, "How late is it?", ada)
    assert (answer, answer.stop_reason) == ("It is noon.", "end_turn")
    results = [block for turn in seen[2]["body"]["messages"][1:] if turn["role"] == "user" for block in turn["content"]]
    assert [result["tool_use_id"] for result in results] == ["toolu_1", "toolu_2"]
    assert abs(datetime.fromisoformat(results[0]["content"]) - timezone.now()) < timedelta(minutes=1)
    assert results[1]["content"] == "unknown tool"
    assert len({sent["headers"]["anthropic-idempotency-key"] for sent in seen}) == 3
    assert (cache.get("calls:desk:answered"), cache.get("calls:desk:left")) == (3, None)


def test_the_tool_loop_ends_also_where_claude_always_wants_a_tool(ada, play):
    seen = play(*[wants("get_time", number) for number in range(4)], says("Enough."))
    assert done(tools.ask_with_tools, "How late is it?", ada) == "Enough."
    assert [sent["body"]["tool_choice"]["type"] for sent in seen] == 4 * ["auto"] + ["none"]


def test_the_page_is_in_the_language_of_its_user(user, settings):
    assert "<h1>Desk</h1>" in user.get("/desk/").text
    user.browser.cookies[settings.LANGUAGE_COOKIE_NAME] = "de"
    assert "<h1>Schreibtisch</h1>" in user.get("/desk/").text
