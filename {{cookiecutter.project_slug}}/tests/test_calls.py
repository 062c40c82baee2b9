"""The line that the log has for each call to Claude, and what of it the rest of the project is told."""

import logging

import pytest

from claude.calls import TOKENS, Call, call_ended, recorded

pytestmark = pytest.mark.django_db

# % if cookiecutter.view_style == "sync"
PATHS = ["/chat/ask/"]


# % else
PATHS = ["/chat/ask/", "/chat/stream/"]


# % endif
def lines(caplog):
    return [record for record in caplog.records if record.name == "claude"]


@pytest.fixture(autouse=True)
def info(caplog):
    caplog.set_level(logging.INFO)


@pytest.mark.parametrize("path", PATHS)
def test_an_answer_says_what_it_took(reader, caplog, path):
    reply = reader.post(path, {"prompt": "my secret question"})
    told = reply.json if path == "/chat/ask/" else reply.events[-1]
    (line,) = lines(caplog)
    assert line.levelno == logging.INFO
    assert (line.outcome, line.stop_reason, line.model) == ("answered", "end_turn", "claude-test-model")
    assert {name: getattr(line, name) for name in TOKENS} == told["usage"]
    assert line.anthropic_request_id.startswith("req_offline_")
    assert line.seconds >= (line.seconds_to_first_token or 0) >= 0
    assert (line.seconds_to_first_token is None) == (path == "/chat/ask/")
    assert "secret" not in str(vars(line))
    assert "stand-in" not in str(vars(line))


@pytest.mark.parametrize("path", PATHS)
def test_a_failure_says_what_it_took_in_the_line_that_finds_its_cause(reader, caplog, path):
    reader.post(path, {"prompt": "fail overloaded_error"})
    (line,) = lines(caplog)
    assert (line.levelno, line.outcome, line.stop_reason) == (logging.WARNING, "unavailable", None)
    assert line.anthropic_request_id in line.getMessage()
    assert line.output_tokens == 0


# % if cookiecutter.view_style != "sync"
def test_a_stream_that_fails_in_the_middle_keeps_what_was_counted(reader, caplog):
    reader.post("/chat/stream/", {"prompt": "fail stream_cut"})
    (line,) = lines(caplog)
    assert line.outcome == "unavailable"
    assert line.input_tokens > 0
    assert line.seconds_to_first_token is not None


# % endif
def test_a_call_that_is_left_says_so_with_what_was_counted(caplog):
    def leave():
        with recorded("a model") as call:
            call.count({"input_tokens": 7, "output_tokens": 1})
            raise GeneratorExit

    with pytest.raises(GeneratorExit):
        leave()
    (line,) = lines(caplog)
    assert (line.outcome, line.input_tokens, line.stop_reason) == ("left", 7, None)


@pytest.mark.parametrize("path", PATHS)
def test_a_listener_that_fails_takes_nothing_from_an_answer(reader, caplog, path):
    def fail(**told):
        raise ZeroDivisionError

    call_ended.connect(fail)
    try:
        reply = reader.post(path, {"prompt": "Why is the sky blue?"})
    finally:
        call_ended.disconnect(fail)
    assert reply.status == 200
    assert "error" not in reply.text
    assert "ZeroDivisionError" in caplog.text


def test_a_call_ends_once_and_every_listener_is_told():
    heard = []

    def listen(*, sender, signal, **told):
        heard.append((sender, told["outcome"], told["input_tokens"]))

    call_ended.connect(listen)
    try:
        call = Call("a model")
        call.count({"input_tokens": 7, "output_tokens": None})
        call.end("unavailable")
        call.end("answered")
    finally:
        call_ended.disconnect(listen)
    assert heard == [(Call, "unavailable", 7)]
