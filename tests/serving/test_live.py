"""Each view style under its production server, asked over HTTP, with a stand-in for Claude in another process."""

import uuid

import pytest

from claude_server.script import Answer, Status
from event_loop import BLOCKED
from production import Log, served_with

PASSWORD = "seven-small-otters"
ADDRESSES = {
    "sync": ["/chat/ask/"],
    "streaming": ["/chat/ask/", "/chat/stream/"],
    "async": ["/chat/ask/", "/chat/stream/", "/chat/ask-many/"],
}
WORDS = ["The ", "sky ", "is ", "blue."]


@pytest.fixture
def user(served):
    return served.user()


@served_with(*ADDRESSES)
def test_the_page_is_for_those_who_sign_in(served):
    account = ["--username", "new", "--email", "new@example.com"]
    served.manage("createsuperuser", "--no-input", *account, DJANGO_SUPERUSER_PASSWORD=PASSWORD)
    user = served.anonymous()
    reply = user.get("/")
    assert (reply.status, reply.headers["Location"]) == (302, "/accounts/sign-in/?next=/")
    user.sign_in("new", PASSWORD)
    assert user.get("/").status == 200


@served_with(*ADDRESSES)
def test_an_answer_comes_as_json(user, lane):
    lane.script(Answer(deltas=WORDS))
    reply = user.post("/chat/ask/", {"prompt": "Why is the sky blue?"})
    answer = reply.json
    assert reply.status == 200
    assert reply.headers["Content-Type"] == "application/json"
    assert answer["answer"] == "The sky is blue."
    assert answer["stop_reason"] == "end_turn"
    assert answer["usage"]["output_tokens"] > 0
    (request,) = lane.requests()
    assert request.prompt == "Why is the sky blue?"


@served_with(*ADDRESSES)
def test_a_failure_comes_as_a_sentence_with_its_status(user, lane):
    lane.script(otherwise=Status(401))
    reply = user.post("/chat/ask/", {"prompt": "Why is the sky blue?"})
    assert (reply.status, reply.json["status"]) == (500, 500)


@served_with("streaming", "async")
def test_the_first_words_are_read_before_the_last_are_written(user, lane):
    """Nothing on the way holds the stream back: Claude sends no word before the user has the one before it."""
    lane.script(Answer(deltas=WORDS, gated=True))
    lane.release(1)
    reply = user.post("/chat/stream/", {"prompt": "Why is the sky blue?"})
    events = reply.events()
    assert next(events) == {"delta": "The "}
    for sent, word in enumerate(WORDS[1:], start=2):
        assert lane.requests()[0].deltas == sent - 1
        lane.release(1)
        assert next(events) == {"delta": word}
    done = next(events)
    assert (done["done"], done["stop_reason"]) == (True, "end_turn")
    assert done["usage"]["output_tokens"] > 0
    assert list(events) == []


@served_with("streaming", "async")
def test_a_stream_tells_every_proxy_to_pass_it_on(user, lane):
    lane.script(Answer(deltas=WORDS))
    reply = user.post("/chat/stream/", {"prompt": "Why is the sky blue?"})
    assert reply.status == 200
    assert reply.headers["Content-Type"].startswith("text/event-stream")
    assert reply.headers["Cache-Control"] == "no-cache, no-transform"
    assert reply.headers["X-Accel-Buffering"] == "no"
    assert reply.headers["Content-Encoding"] in (None, "identity")
    assert reply.headers["Content-Length"] is None
    assert "".join(event.get("delta", "") for event in reply.events()) == "The sky is blue."


@served_with("async", nginx=False)
def test_a_stream_ends_where_the_project_serves_its_own_static_files(user, lane):
    """They are served by middleware: if that were not asynchronous, the stream's use of the database would fail."""
    question = {"prompt": "Why is the sky blue?", "idempotency_key": str(uuid.uuid4())}
    lane.script(Answer(deltas=WORDS))
    for _ in range(2):
        assert list(user.post("/chat/stream/", question).events())[-1]["done"]
    assert user.get("/static/icon.svg").status == 200


@served_with("async")
def test_many_questions_get_their_answers_in_order(user, lane):
    lane.rule("first", Answer(text="one", delay=0.2))
    lane.rule("second", otherwise=Status(400))
    lane.rule("third", Answer(text="three"))
    reply = user.post("/chat/ask-many/", {"prompt": ["the first", "the second", "the third"]})
    first, second, third = reply.json["answers"]
    assert reply.status == 200
    assert (first["answer"], third["answer"]) == ("one", "three")
    assert second["status"] == 502


@served_with(*ADDRESSES)
def test_each_style_has_the_addresses_it_serves_and_no_other(user, served):
    """GET is refused where something is, and unknown where nothing is."""
    asked = {path: user.get(path).status for path in ADDRESSES["async"]}
    assert asked == {path: 405 if path in ADDRESSES[served.view_style] else 404 for path in asked}


def test_a_step_that_blocks_the_event_loop_is_found(in_production):
    """The control: `served` looks for one after each test with this project."""
    served = in_production({"view_style": "async", "client_wrapper": False})
    log = Log(served.server)
    served.anonymous().get("/block")
    assert log.lines(BLOCKED)
