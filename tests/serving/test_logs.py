"""What an operator reads: a JSON line for each request and each call to Claude, and in none of them what was said."""

import json
import re
import time
import uuid

import pytest

from bakery import name_of
from claude_server.client import KEY
from claude_server.script import UPSTREAM_MESSAGE, Answer, Status
from environments import run, uv
from http_client import FORM
from production import Log, change_line, served_with, until, variants

STYLES = ["sync", "streaming", "async"]
WORDS = ["An ", "answer ", "that ", "nobody ", "else ", "reads."]
QUESTION = "A question that nobody else reads?"
TOKENS = [
    "input_tokens",
    "output_tokens",
    "cache_creation_input_tokens",
    "cache_read_input_tokens",
    "thinking_tokens",
    "ephemeral_1h_input_tokens",
    "web_search_requests",
]
HELD = 0.3
"""Seconds for which Claude is made to hold back its last words, at least."""


@pytest.fixture
def log(served):
    return Log(served.server)


def lines_of(log, reply, calls=1):
    """The line of a request and those of its calls, as soon as they are there: the first follows the last byte."""
    request_id = reply.headers["X-Request-ID"]
    until(lambda: log.records(logger="access", request_id=request_id))
    (request,) = log.records(logger="access", request_id=request_id)
    found = log.records(logger="claude", request_id=request_id)
    assert len(found) == calls
    return request, *found


@served_with(*STYLES)
def test_a_request_and_its_call_are_a_line_each_under_one_id(served, lane, log):
    lane.script(Answer(deltas=WORDS))
    reply = served.user().post("/chat/ask/", {"prompt": QUESTION})
    usage = reply.json["usage"]
    request, call = lines_of(log, reply)
    (exchange,) = lane.requests()
    assert call["anthropic_request_id"] == exchange.request_id
    assert (call["outcome"], call["stop_reason"], call["model"]) == ("answered", "end_turn", "claude-sonnet-4-6")
    assert {name: call[name] for name in TOKENS} == {name: request[name] for name in TOKENS} == usage
    assert (request["method"], request["path"], request["status"]) == ("POST", "/chat/ask/", 200)
    assert request["calls"] == 1
    assert request["seconds"] >= call["seconds"] > 0


@served_with("streaming", "async")
def test_a_stream_says_when_its_first_word_came_and_when_its_last(served, lane, log):
    lane.script(Answer(deltas=WORDS, gated=True))
    lane.release(1)
    reply = served.user().post("/chat/stream/", {"prompt": QUESTION})
    events = reply.events()
    assert next(events) == {"delta": WORDS[0]}
    end = time.monotonic() + HELD
    while time.monotonic() < end:
        time.sleep(0.01)
    assert not log.records(request_id=reply.headers["X-Request-ID"])
    lane.release(len(WORDS))
    *_, done = events
    request, call = lines_of(log, reply)
    assert {name: call[name] for name in TOKENS} == {name: request[name] for name in TOKENS} == done["usage"]
    assert call["seconds"] - call["seconds_to_first_token"] > HELD * 0.9
    assert request["seconds"] - request["seconds_to_first_byte"] > HELD * 0.9


@served_with("streaming", "async")
def test_a_stream_that_is_left_says_what_was_counted_until_then(served, lane, log):
    lane.script(Answer(deltas=WORDS, gated=True))
    lane.release(1)
    reply = served.user().post("/chat/stream/", {"prompt": QUESTION})
    assert next(reply.events()) == {"delta": WORDS[0]}
    reply.close()
    lane.release(len(WORDS) - 2)
    request, call = lines_of(log, reply)
    (exchange,) = lane.requests()
    assert (call["outcome"], call["level"], call["stop_reason"]) == ("left", "INFO", None)
    assert call["input_tokens"] == request["input_tokens"] > 0
    assert call["anthropic_request_id"] == exchange.request_id


@served_with("async")
def test_the_line_of_a_fan_out_adds_up_its_calls(served, lane, log):
    lane.rule("fails", otherwise=Status(529))
    reply = served.user().post("/chat/ask-many/", {"prompt": ["one", "this one fails", "three"]})
    request, *calls = lines_of(log, reply, calls=3)
    assert sorted(call["outcome"] for call in calls) == ["answered", "answered", "unavailable"]
    assert request["calls"] == 3
    answered = [answer for answer in reply.json["answers"] if "usage" in answer]
    assert request["output_tokens"] == sum(answer["usage"]["output_tokens"] for answer in answered)


@served_with(*STYLES)
def test_no_line_holds_a_question_an_answer_a_key_or_a_session(served, lane, log):
    lane.rule("fails", otherwise=Status(500))
    lane.rule("nobody else", Answer(thinking="A thought that nobody else reads.", deltas=WORDS))
    user = served.user()
    for path in ("/chat/ask/?about=" + QUESTION.replace(" ", "+"), "/"):
        user.post(path, {"prompt": QUESTION, "idempotency_key": str(uuid.uuid4())})
        user.post(path, {"prompt": f"{QUESTION} fails"})
    user.get("/nowhere/?about=secret")
    served.anonymous().post("/accounts/sign-in/", {"username": "user", "password": "not-my-password"})
    until(lambda: log.records(logger="access", path="/accounts/sign-in/"))
    assert len(log.records(logger="claude")) == 4
    text = log.lines().__repr__()
    secrets = ["nobody", "answer that", KEY, UPSTREAM_MESSAGE, "about=", "not-my-password", *served.cookies().values()]
    assert [secret for secret in secrets if secret in text] == []


@served_with(*STYLES)
def test_a_body_that_is_too_large_is_refused_whatever_it_calls_itself(served, log):
    """A form, or a file in one, which would be written to disk first."""
    boundary = "part"
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n'.encode()
    bodies = [
        (b"prompt=" + b"x" * 2_000_000, FORM),
        (head + b"x" * 2_000_000 + f"\r\n--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"),
    ]
    for body, content_type in bodies:
        reply = served.user().send("POST", "/chat/ask/", body, {"Content-Type": content_type})
        assert reply.status == 413
        assert reply.json == {"error": "Your question is too long: please shorten it.", "status": 413}
        assert lines_of(log, reply, calls=0)[0]["status"] == 413
    assert served.user().post("/chat/ask/", {"prompt": "Who is next?"}).status == 200


def warn_of_something(project):
    line = "    form = PromptForm(data)\n"
    warning = "    import warnings\n\n    warnings.warn('something will change')\n"
    change_line(project / "chat/forms.py", line, warning + line)


@pytest.mark.parametrize("answers", variants("sync", "async", nginx=False)[::2], ids=name_of)
def test_every_line_is_json_also_a_warning_of_a_package(production, lane, answers, tmp_path):
    """WhiteNoise under ASGI has Django warn of every file, which nobody can do anything about."""
    with production.serve(answers, tmp_path, lane.base_url, change=warn_of_something) as served:
        log = Log(served.server)
        user = served.user()
        style = re.findall(r'href="(/static/[^"]+\.css)"', user.get("/").text)[0]
        assert user.get(style).status == 200
        assert user.post("/chat/ask/", {"prompt": QUESTION}).status == 200
        until(lambda: log.records(logger="access", path="/chat/ask/"))
        warned = [record["message"] for record in log.records(level="WARNING")]
    assert len(warned) == 1
    assert "something will change" in warned[0]


@served_with(*STYLES)
def test_it_is_alive_and_ready_for_whoever_asks_and_asks_nobody(served, lane, log):
    for path in ("/healthz", "/readyz"):
        reply = served.anonymous().get(path, headers={"Host": "10.0.0.1:8000", "X-Forwarded-Proto": "http"})
        assert reply.status == 200
    assert reply.json == {"database": "ok", "migrations": "ok", "key": "ok"}
    assert lane.requests() == []
    assert not log.records(request_id=reply.headers["X-Request-ID"])


TRACED = """
import json, os
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

spans = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(spans))
trace.set_tracer_provider(provider)
from claude.client import get_client
messages = [{"role": "user", "content": os.environ["ASKED"]}]
request = {"model": "claude-sonnet-4-6", "max_tokens": 9, "messages": messages}
answer = get_client().messages.create(**request)
list(get_client().messages.create(**request, stream=True))
print(answer.content[0].text)
print(json.dumps([span.to_json() for span in spans.get_finished_spans()]))
"""


@pytest.mark.parametrize("answers", variants("streaming")[:1], ids=["streaming"])
def test_traces_hold_no_content_even_where_the_environment_asks_for_it(production, lane, answers, tmp_path):
    project, environment = production.prepared(answers)
    uv(["pip", "install", "--target", tmp_path, "--python", environment / "bin/python", "opentelemetry-sdk"])
    variables = production.settings(
        ANTHROPIC_BASE_URL=lane.base_url,
        ANTHROPIC_OPEN_TELEMETRY_TRACES_CONTENT_MODE="content",
        PYTHONPATH=str(tmp_path),
        ASKED=QUESTION,
    )
    said = run(["python", "manage.py", "shell", "-v", "0", "-c", TRACED], project, environment, **variables)
    answer, traced = said.splitlines()[-2:]
    spans = json.loads(traced)
    assert QUESTION in answer
    assert len(spans) == 2
    assert all('"gen_ai.usage.output_tokens"' in span for span in spans)
    assert "nobody else" not in traced
