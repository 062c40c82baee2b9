"""The failures that can be typed: errors as the API and gateways report them, and networks that break.

https://platform.claude.com/docs/en/api/errors
"""

from typing import Any, NamedTuple

import httpx2


class Report(NamedTuple):
    """An error as the API, or a gateway, reports it."""

    status: int
    type: str
    message: str
    code: str | None = None


# Errors that the API reports by names of their own: the status they come with.
TYPES = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
# Errors that the API tells apart by a code or by its words, and errors of gateways.
SAID = {
    "no_credit": Report(
        400,
        "invalid_request_error",
        "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or "
        "purchase credits.",
    ),
    "usage_limit": Report(
        400,
        "invalid_request_error",
        "You have reached your specified API usage limits. You will regain access on 2030-01-01 at 00:00 UTC.",
    ),
    "spend_limit": Report(429, "rate_limit_error", "Monthly limit reached", "enforced_spend_limit_reached"),
    "disabled": Report(400, "invalid_request_error", "This organization has been disabled."),
    "on_hold": Report(400, "invalid_request_error", "This organization is on hold.", "organization_on_hold"),
    "forbidden": Report(403, "forbidden", "Request not allowed"),
    "prompt_too_long": Report(400, "invalid_request_error", "prompt is too long: 208310 tokens > 200000 maximum"),
    "content_filter": Report(400, "invalid_request_error", "Output blocked by content filtering policy"),
    "gateway_key": Report(401, "auth_error", "Authentication Error, Invalid proxy server token passed"),
    "gateway_budget": Report(429, "budget_exceeded", "Budget has been exceeded! Current cost: 10, Max budget: 10"),
    "redirect": Report(308, "None", "Permanent Redirect"),
}
REPORTED = {name: Report(status, name, f"The stand-in fails as asked: {name}") for name, status in TYPES.items()} | SAID
# Errors of the network before an answer begins.
BROKEN_BEFORE = {"connect": httpx2.ConnectError, "reset": httpx2.ReadError, "timeout": httpx2.ReadTimeout}
# What a proxy may send in place of an answer, with status 200.
IN_PLACE = {"html": "<!doctype html><title>Sign in to the network</title>", "broken_json": '{"type": "mess'}
# What can end a stream after its first words.
MID_STREAM = (
    "stream_error",
    "stream_no_credit",
    "stream_cut",
    "stream_broken_event",
    "stream_reset",
    "stream_timeout",
)
FAILURES = (*REPORTED, *BROKEN_BEFORE, *IN_PLACE, *MID_STREAM)


def error(report: Report) -> dict[str, Any]:
    details = {"details": {"error_code": report.code}} if report.code else {}
    return {"type": "error", "error": {"type": report.type, "message": report.message, **details}}
