"""What the user reads, and what the log says, when a call to Claude fails. The table is the documentation."""

import logging
import pickle
import re

import pytest
from django.utils.functional import lazystr

from claude import offline
from claude.failures import Failure, Refused, retry_after
from tests.endpoints import PATHS

pytestmark = pytest.mark.django_db

MISCONFIGURED = (500, "Service misconfigured", logging.ERROR)
LIMITED = (429, "Too many requests, please try again in a moment", logging.WARNING)
NOT_FOUND = (502, "AI service unavailable", logging.ERROR)
UNAVAILABLE = (502, "AI service unavailable", logging.WARNING)
TOO_LONG = (504, "The answer took too long", logging.WARNING)

TABLE = {
    "authentication_error": MISCONFIGURED,
    "billing_error": MISCONFIGURED,
    "permission_error": MISCONFIGURED,
    "rate_limit_error": LIMITED,
    "invalid_request_error": UNAVAILABLE,
    "not_found_error": NOT_FOUND,
    "request_too_large": UNAVAILABLE,
    "api_error": UNAVAILABLE,
    "timeout_error": UNAVAILABLE,
    "overloaded_error": UNAVAILABLE,
    "no_credit": MISCONFIGURED,
    "usage_limit": MISCONFIGURED,
    "spend_limit": MISCONFIGURED,
    "disabled": MISCONFIGURED,
    "on_hold": MISCONFIGURED,
    "forbidden": MISCONFIGURED,
    "prompt_too_long": UNAVAILABLE,
    "content_filter": UNAVAILABLE,
    "gateway_key": MISCONFIGURED,
    "gateway_budget": LIMITED,
    "redirect": MISCONFIGURED,
    "connect": UNAVAILABLE,
    "reset": UNAVAILABLE,
    "timeout": TOO_LONG,
    "html": UNAVAILABLE,
    "broken_json": UNAVAILABLE,
    "stream_error": UNAVAILABLE,
    "stream_no_credit": MISCONFIGURED,
    "stream_cut": UNAVAILABLE,
    "stream_broken_event": UNAVAILABLE,
    "stream_reset": UNAVAILABLE,
    "stream_timeout": TOO_LONG,
}


def test_the_table_has_every_failure_that_the_stand_in_knows():
    assert set(TABLE) == set(offline.FAILURES)


@pytest.mark.parametrize("name", TABLE)
def test_a_failed_call_is_one_public_sentence_and_one_line_in_the_log(user, caplog, name):
    status, sentence, level = TABLE[name]
    reply = user.post("/chat/ask/", {"prompt": f"fail {name}"})
    assert reply.status == status
    assert reply.json == {"error": sentence, "status": status}
    assert [record.levelno for record in caplog.records if record.name == "claude"] == [level]
    assert f"fail {name}" not in caplog.text
    assert ("req_offline_" in caplog.text) == (name not in offline.BROKEN_BEFORE)


def test_no_other_line_of_the_log_calls_it_an_error(user, caplog):
    user.post("/chat/ask/", {"prompt": "fail overloaded_error"})
    assert [record.name for record in caplog.records] == ["claude"]


def test_the_documents_list_every_failure_that_can_be_typed(settings):
    listed = (settings.BASE_DIR / "docs/api.md").read_text().partition("## Try them")[2]
    assert set(re.findall(r"`fail (\w+)`", listed)) == set(offline.FAILURES)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("no_credit", "check the account's credit"),
        ("usage_limit", "check the spend limits"),
        ("spend_limit", "check the spend limits"),
        ("disabled", "check whether the organization"),
        ("on_hold", "check whether the organization"),
        ("forbidden", "from which region"),
        ("redirect", "check ANTHROPIC_BASE_URL and the proxy"),
    ],
)
def test_what_the_account_or_the_proxy_refuses_names_what_to_check_and_quotes_nothing(user, caplog, name, words):
    user.post("/chat/ask/", {"prompt": f"fail {name}"})
    assert words in caplog.text
    assert offline.SAID[name].message not in caplog.text


@pytest.mark.parametrize(
    ("setting", "value"), [("ANTHROPIC_MODEL", ""), ("CLAUDE_MAX_TOKENS", 200_000), ("CLAUDE_SYSTEM_PROMPT", " ")]
)
def test_a_setting_that_the_api_refuses_is_named_in_the_log(user, settings, caplog, setting, value):
    setattr(settings, setting, value)
    assert user.post("/chat/ask/", {"prompt": "Hello"}).status >= 500
    (record,) = [record for record in caplog.records if record.name == "claude"]
    assert (record.levelno, f"check {setting}" in record.getMessage()) == (logging.ERROR, True)


def test_a_limit_that_waiting_does_not_lift_is_not_tried_again(user, settings, wire):
    settings.CLAUDE_MAX_RETRIES = 1
    assert user.post("/chat/ask/", {"prompt": "fail spend_limit"}).status == 500
    assert len(wire) == 1


def test_no_redirect_takes_a_question_elsewhere(user, wire):
    user.post("/chat/ask/", {"prompt": "fail redirect"})
    assert len(wire) == 1


def test_a_wrong_key_names_the_setting_in_the_log(user, caplog):
    user.post("/chat/ask/", {"prompt": "fail authentication_error"})
    assert "check ANTHROPIC_API_KEY" in caplog.text


def test_a_model_that_has_gone_away_names_the_setting_in_the_log(user, caplog):
    user.post("/chat/ask/", {"prompt": "fail not_found_error"})
    assert "check ANTHROPIC_MODEL" in caplog.text


def test_what_nobody_expected_is_logged_with_its_traceback(user, caplog, settings):
    settings.ANTHROPIC_MODEL = lazystr("a model that is no string")
    reply = user.post("/chat/ask/", {"prompt": "my secret question"})
    assert (reply.status, reply.json["error"]) == (500, "Something went wrong")
    (record,) = [record for record in caplog.records if record.name == "claude"]
    assert record.levelno == logging.ERROR
    assert record.exc_info is not None
    assert "my secret question" not in caplog.text


def test_a_key_that_cannot_work_is_found_before_the_network_is_asked(user, settings):
    settings.CLAUDE_OFFLINE = False
    for key in ("", "  ", "sk-ant-one\nsk-ant-two", "sk-ant-é"):
        settings.ANTHROPIC_API_KEY = key
        reply = user.post("/chat/ask/", {"prompt": "Hello"})
        assert (reply.status, reply.json["error"]) == (500, "Service misconfigured")


def test_an_overload_is_tried_again(user, settings, wire):
    settings.CLAUDE_MAX_RETRIES = 1
    assert user.post("/chat/ask/", {"prompt": "fail once overloaded_error"}).status == 200
    assert len(wire) == 2
    first, second = (attempt["headers"]["anthropic-idempotency-key"] for attempt in wire)
    assert first == second


@pytest.mark.parametrize("path", PATHS)
def test_an_answer_that_does_not_begin_is_asked_for_again(user, settings, wire, path):
    settings.CLAUDE_MAX_RETRIES = 1
    assert user.post(path, {"prompt": "fail once timeout"}).status == 200
    assert len(wire) == 2


@pytest.mark.parametrize("path", PATHS)
def test_an_answer_that_has_begun_is_not_asked_for_again(user, settings, wire, path):
    settings.CLAUDE_MAX_RETRIES = 1
    user.post(path, {"prompt": "fail once stream_reset"})
    assert len(wire) == 1


def test_a_longer_wait_than_the_cap_is_not_slept_through(user, settings, wire):
    settings.CLAUDE_MAX_RETRIES = 1
    settings.CLAUDE_RETRY_AFTER_CAP = offline.RETRY_AFTER - 1
    reply = user.post("/chat/ask/", {"prompt": "fail once rate_limit_error"})
    assert (reply.status, reply.headers["Retry-After"]) == (429, str(offline.RETRY_AFTER))
    assert len(wire) == 1


@pytest.mark.parametrize("failure", ["overloaded_error", "connect"])
def test_no_retry_waits_past_the_deadline(user, settings, wire, failure):
    settings.CLAUDE_MAX_RETRIES = 1
    settings.CLAUDE_DEADLINE = 0.3
    reply = user.post("/chat/ask/", {"prompt": f"fail {failure}"})
    assert (reply.status, reply.json["error"]) == (502, "AI service unavailable")
    assert len(wire) == 1


def test_a_wait_that_makes_no_sense_is_not_slept_through_either(user, settings, wire, monkeypatch):
    settings.CLAUDE_MAX_RETRIES = 1
    monkeypatch.setattr(offline, "RETRY_AFTER", "inf")
    assert user.post("/chat/ask/", {"prompt": "fail once rate_limit_error"}).status == 200
    assert len(wire) == 2


def test_a_failure_survives_pickling():
    failure = Failure("rate_limited", "429", retry_after=2.5)
    failure.anthropic_request_id = "req_1"
    failure = pickle.loads(pickle.dumps(failure))  # noqa: S301
    assert (failure.status, failure.anthropic_request_id, failure.retry_after) == (429, "req_1", 2.5)
    refused = pickle.loads(pickle.dumps(Refused(402, "Your budget is used up.")))  # noqa: S301
    assert (refused.status, str(refused), refused.kind) == (402, "Your budget is used up.", "refused")


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "12"}, 12),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after-ms": "soon", "retry-after": "9"}, 9),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "0"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, None),
    ],
)
def test_every_form_of_retry_after_is_read(headers, seconds):
    assert retry_after(headers) == seconds
