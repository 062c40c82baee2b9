"""Which row of the table an error belongs to."""

import json

import anthropic
import httpx2
import pytest

from claude.failures import Failure, classify, reported

REQUEST = httpx2.Request("POST", "https://api.anthropic.com/v1/messages")


def caused_by(error, cause):
    error.__cause__ = cause
    return error


RAISED = [
    (httpx2.ReadTimeout(""), "timed_out"),
    (TimeoutError(), "timed_out"),
    (anthropic.APITimeoutError(REQUEST), "timed_out"),
    (httpx2.ReadError(""), "unavailable"),
    (httpx2.RemoteProtocolError(""), "unavailable"),
    (httpx2.StreamClosed(), "unavailable"),
    (json.JSONDecodeError("", "", 0), "unavailable"),
    (UnicodeDecodeError("utf-8", b"", 0, 0, ""), "unavailable"),
    (anthropic.APIConnectionError(request=REQUEST), "unavailable"),
    (caused_by(anthropic.APIConnectionError(request=REQUEST), httpx2.ReadTimeout("")), "timed_out"),
    (caused_by(anthropic.APIConnectionError(request=REQUEST), httpx2.UnsupportedProtocol("")), "misconfigured"),
    (caused_by(anthropic.APIConnectionError(request=REQUEST), OSError()), "unavailable"),
    (httpx2.UnsupportedProtocol(""), "misconfigured"),
    (httpx2.LocalProtocolError(""), "misconfigured"),
    (anthropic.CredentialsError(), "misconfigured"),
    (anthropic.APIResponseValidationError(httpx2.Response(200, request=REQUEST), None), "unexpected"),
    (ZeroDivisionError(), "unexpected"),
]


@pytest.mark.parametrize(("error", "kind"), RAISED, ids=lambda value: value if isinstance(value, str) else repr(value))
def test_what_is_raised_becomes_one_kind_of_failure(error, kind):
    assert classify(error).kind == kind


def test_a_failure_is_its_public_sentence():
    failure = Failure("restarting")
    assert (failure.detail, str(failure)) == ("", "The server is restarting, please ask again in a moment")


def test_what_never_reaches_the_api_names_the_settings_to_check():
    assert classify(httpx2.UnsupportedProtocol("")).detail == (
        "UnsupportedProtocol: check ANTHROPIC_API_KEY and ANTHROPIC_BASE_URL"
    )


REPORTED = [
    ("authentication_error", None, "misconfigured", "200 authentication_error: check ANTHROPIC_API_KEY"),
    (
        "permission_error",
        None,
        "misconfigured",
        "200 permission_error: check what the workspace of ANTHROPIC_API_KEY may use, and ANTHROPIC_MODEL",
    ),
    (
        "billing_error",
        None,
        "misconfigured",
        "200 billing_error: check the account's credit, https://platform.claude.com/settings/billing",
    ),
    (
        "rate_limit_error",
        "enforced_spend_limit_reached",
        "misconfigured",
        "200 enforced_spend_limit_reached: check the spend limits, https://platform.claude.com/settings/limits",
    ),
    ("rate_limit_error", None, "rate_limited", "200 rate_limit_error"),
    ("overloaded_error", None, "unavailable", "200 overloaded_error"),
    (None, None, "unavailable", "200 None"),
]


@pytest.mark.parametrize(("error_type", "error_code", "kind", "detail"), REPORTED)
def test_what_the_api_reports_says_what_to_check(error_type, error_code, kind, detail):
    failure = reported(error_type, error_code=error_code)
    assert (failure.kind, failure.detail) == (kind, detail)


def test_a_status_error_is_known_by_its_type():
    """Also where a proxy on the way has changed the status."""
    body = {"type": "error", "error": {"type": "authentication_error", "message": "invalid x-api-key"}}
    response = httpx2.Response(429, request=REQUEST, headers={"retry-after": "3"})
    assert classify(anthropic.RateLimitError("no", response=response, body=body)).kind == "misconfigured"
