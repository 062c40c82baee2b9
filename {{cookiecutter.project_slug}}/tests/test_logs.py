"""How the log looks in production, and what it never holds."""

import json
import logging

import pytest
from django.test import RequestFactory

from config.logging import AddRequestId, JsonFormatter, LowerSecurityErrors, TextFormatter
from config.request_log import RequestRecord, current

KEY = "-".join(["sk", "ant", "api03", "a_key", "that", "leaked"])  # git would refuse it whole


def record(message, *values, **extra):
    made = logging.LogRecord("claude", logging.WARNING, __file__, 1, message, values, None)
    vars(made).update(extra)
    return made


def test_a_line_is_one_json_object_with_its_extras():
    line = json.loads(JsonFormatter().format(record("Two\nlines: %s", "é", outcome="left", seconds=1.5)))
    assert (line["level"], line["logger"], line["message"]) == ("WARNING", "claude", "Two\nlines: é")
    assert (line["outcome"], line["seconds"]) == ("left", 1.5)
    assert line["time"].endswith("+00:00")


def test_a_line_of_django_does_not_show_the_query_of_a_request():
    request = RequestFactory().get("/", {"prompt": "secret"})
    assert "secret" not in JsonFormatter().format(record("Not found", request=request))


@pytest.mark.parametrize("formatter", [JsonFormatter, TextFormatter])
def test_no_secret_gets_past_the_last_line_of_defence(settings, formatter):
    settings.ANTHROPIC_API_KEY = "no-prefix-but-ours"
    settings.SECRET_KEY = 'the-"secret"-of-the-séssions'
    try:
        raise ValueError(f"{KEY} {settings.SECRET_KEY}")
    except ValueError as error:
        failed = record(KEY, header=f"Bearer {settings.ANTHROPIC_API_KEY}")
        failed.exc_info = (type(error), error, error.__traceback__)
    line = formatter().format(failed)
    assert "ValueError" in line
    assert "[a key]" in line
    secrets = KEY, settings.ANTHROPIC_API_KEY, settings.SECRET_KEY, json.dumps(settings.SECRET_KEY)[1:-1]
    assert not [secret for secret in secrets if secret in line]


def test_a_security_error_that_a_client_caused_is_a_warning():
    line = record("Invalid HTTP_HOST header")
    line.name, line.levelno, line.levelname = "django.security.DisallowedHost", logging.ERROR, "ERROR"
    assert LowerSecurityErrors().filter(line)
    assert json.loads(JsonFormatter().format(line))["level"] == "WARNING"
    ours = record("A stream failed")
    ours.levelno = logging.ERROR
    assert LowerSecurityErrors().filter(ours)
    assert ours.levelno == logging.ERROR


def test_a_line_says_which_request_it_belongs_to():
    request = RequestRecord("GET", "/")
    token = current.set(request)
    try:
        line = record("Anything")
        assert AddRequestId().filter(line)
        assert line.request_id == request.request_id
    finally:
        current.reset(token)
    line = record("Anything")
    assert AddRequestId().filter(line)
    assert not hasattr(line, "request_id")


@pytest.mark.parametrize(
    ("trusted", "claimed", "believed"),
    [
        (True, "0123456789abcdef", True),
        (False, "0123456789abcdef", False),
        (True, "", False),
        (True, "a b", False),
        (True, 'x"y\nz12345', False),
        (True, "x" * 65, False),
    ],
)
def test_a_request_keeps_the_id_that_a_trusted_proxy_gave_it(settings, trusted, claimed, believed):
    settings.TRUST_PROXY = trusted
    request = RequestRecord("GET", "/", claimed)
    assert (request.request_id == claimed) == believed
    assert len(request.request_id) >= 8
