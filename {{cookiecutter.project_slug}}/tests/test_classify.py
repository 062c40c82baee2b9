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
    (RecursionError(), "unavailable"),
    (caused_by(anthropic.APIConnectionError(request=REQUEST), Failure("restarting")), "restarting"),
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


CREDIT = "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing."
WRAPPED = 'litellm.BadRequestError: AnthropicException - {"type":"error","error":{"message":"' + CREDIT + '"}}'


def envelope(error_type=None, message="Words of the API", code=None):
    return {"type": "error", "error": {"type": error_type, "message": message, "details": {"error_code": code}}}


INVALID = "invalid_request_error"
REPORTED = [
    (200, envelope("authentication_error"), "misconfigured", "200 authentication_error: check ANTHROPIC_API_KEY"),
    (200, envelope("permission_error"), "misconfigured", "check what the workspace of ANTHROPIC_API_KEY may use"),
    (200, envelope("billing_error"), "misconfigured", "check the account's credit"),
    (200, envelope("rate_limit_error"), "rate_limited", "200 rate_limit_error"),
    (200, envelope("overloaded_error"), "unavailable", "200 overloaded_error"),
    (200, envelope(INVALID, CREDIT), "misconfigured", "check the account's credit"),
    (400, envelope(INVALID, CREDIT), "misconfigured", "check the account's credit"),
    (400, envelope("None", WRAPPED), "misconfigured", "400: check the account's credit"),
    (500, envelope("api_error", WRAPPED), "misconfigured", "check the account's credit"),
    (402, None, "misconfigured", "402: check the account's credit"),
    (402, envelope("billing_error", code="linked_organization_spend_limit_reached"), "misconfigured", "spend limits"),
    (429, envelope("rate_limit_error", code="enforced_spend_limit_reached"), "misconfigured", "check the spend limits"),
    (429, envelope("rate_limit_error", code="contract_spend_limit_reached"), "misconfigured", "check the spend limits"),
    (429, envelope("rate_limit_error", code="ramp_limit_exceeded"), "rate_limited", "429 ramp_limit_exceeded"),
    (429, envelope("rate_limit_error", CREDIT), "rate_limited", "429 rate_limit_error"),
    (400, envelope(INVALID, "You have reached your specified API usage limits."), "misconfigured", "spend limits"),
    (400, envelope(INVALID, "You have reached your specified workspace API usage"), "misconfigured", "spend limits"),
    (400, envelope(INVALID, "This organization has been disabled."), "misconfigured", "organization"),
    (400, envelope(INVALID, code="organization_on_hold"), "misconfigured", "organization"),
    (400, envelope(INVALID, code="region_not_supported"), "misconfigured", "region"),
    (403, {"error": {"type": "forbidden", "message": "Request not allowed"}}, "misconfigured", "403 forbidden: check"),
    (403, "<html>Words of a proxy</html>", "misconfigured", "403: check"),
    (401, envelope("auth_error"), "misconfigured", "401 auth_error: check ANTHROPIC_API_KEY"),
    (401, envelope("token_expired"), "misconfigured", "401 token_expired: check ANTHROPIC_API_KEY"),
    (429, envelope("budget_exceeded"), "rate_limited", "429 budget_exceeded"),
    (400, envelope("budget_exceeded", "ExceededBudget: Budget has been exceeded!"), "misconfigured", "spend limits"),
    (429, envelope("None"), "rate_limited", "429"),
    (429, {"message": "Too many tokens, please wait before trying again."}, "rate_limited", "429"),
    (429, {"error": {"code": 429, "status": "RESOURCE_EXHAUSTED"}}, "rate_limited", "429"),
    (429, [{"error": {"code": 429, "message": "Words of the API"}}], "rate_limited", "429"),
    (400, {"message": "The provided model identifier is invalid."}, "not_found", "check ANTHROPIC_MODEL"),
    (400, envelope(INVALID, "model: String should have at least 1 character"), "not_found", "check ANTHROPIC_MODEL"),
    (400, envelope("None", "/v1/messages: Invalid model name passed in"), "not_found", "check ANTHROPIC_MODEL"),
    (400, envelope(INVALID, "system: text content blocks must be non-empty"), "misconfigured", "CLAUDE_SYSTEM_PROMPT"),
    (400, envelope(INVALID, "system.0: cache_control cannot be set for"), "misconfigured", "CLAUDE_SYSTEM_PROMPT"),
    (400, envelope(INVALID, "max_tokens: 1000000 > 64000, which is"), "misconfigured", "check CLAUDE_MAX_TOKENS"),
    (400, envelope(INVALID, "prompt is too long: 208310 tokens > 200000"), "unavailable", "too long"),
    (400, envelope(INVALID, "input length and `max_tokens` exceed context"), "unavailable", "too long"),
    (413, "<html>", "unavailable", "413: the question with its history is too long"),
    (400, envelope(INVALID, "Output blocked by content filtering policy"), "unavailable", "filter"),
    (400, envelope(INVALID, "messages.0: my system: max_tokens and credit balance"), "unavailable", f"400 {INVALID}"),
    *((status, None, "misconfigured", "check ANTHROPIC_BASE_URL") for status in (301, 304, 307, 308, 405, 407, 511)),
    (404, None, "not_found", "404: check ANTHROPIC_MODEL"),
    (400, None, "unavailable", "400"),
    *((200, body, "unavailable", "200") for body in (None, [], 5, "overloaded", {"error": 5}, {"error": {"type": []}})),
    (400, envelope("Words of the API"), "unavailable", "400"),
    (400, envelope("\ud800", "\ud800", "\ud800"), "unavailable", "400"),
    (400, envelope(["a"], {"a": 1}, 5), "unavailable", "400"),
    (400, envelope(None, "x" * 1_000_000), "unavailable", "400"),
]


@pytest.mark.parametrize(("status", "body", "kind", "detail"), REPORTED)
def test_what_the_api_reports_says_what_to_check_and_quotes_nothing(status, body, kind, detail):
    failure = reported(body, status=status)
    assert (failure.kind, detail in failure.detail) == (kind, True), failure.detail
    assert "Words" not in failure.detail
    failure.detail.encode()


def test_a_status_error_is_known_by_its_type():
    """Also where a proxy on the way has changed the status."""
    body = {"type": "error", "error": {"type": "authentication_error", "message": "invalid x-api-key"}}
    response = httpx2.Response(429, request=REQUEST, headers={"retry-after": "3"})
    assert classify(anthropic.RateLimitError("no", response=response, body=body)).kind == "misconfigured"
