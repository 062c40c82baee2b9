"""What an organization is charged, as `GET /v1/organizations/analytics/cost` answers it: a test says what was charged.

The tests compare the names with the SDK's types. https://platform.claude.com/docs/en/manage-claude/usage-cost-analytics-api
"""

import base64
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from .validation import Refused, invalid

PATH = "/v1/organizations/analytics/cost"
BETA = "analytics-usage-cost-2026-08-24"
ADMIN = "sk-ant-admin"
"""How a key begins that may read it."""

FANNED_OUT = {"cost_type", "token_type"}
"""Rows that these add do not count towards `limit`."""
DIMENSIONS = FANNED_OUT | {"api_key_id", "model", "product", "service_tier", "workspace_id"}
"""What is played of `group_by[]`; a charge has each of them, or null."""
FILTERS = {f"{name}s[]": name for name in DIMENSIONS - FANNED_OUT}
PARAMETERS = {"starting_at", "ending_at", "limit", "page", "group_by[]", "beta", *FILTERS}


def check(parameters: list[tuple[str, str]], headers: dict[str, str], key: str | None) -> None:
    """Raise what the API would answer to a request that is at fault. What is not played here is at fault, too."""
    if key is None or not key.startswith(ADMIN):
        raise Refused("permission_error", "The API key lacks the scope read:analytics")
    if BETA not in headers.get("anthropic-beta", "").split(","):
        raise invalid(f"anthropic-beta: {BETA} is required")
    for name, value in parameters:
        if name not in PARAMETERS:
            raise invalid(f"{name}: Extra inputs are not permitted")
        if name == "group_by[]" and value not in DIMENSIONS:
            raise invalid(f"group_by: {value!r} is not played here")
    single = dict(parameters)
    if not 1 <= int(single.get("limit", "20")) <= 1000:
        raise invalid("limit: Input should be from 1 to 1000")
    start, end = period(single)
    if not timedelta(0) < end - start <= timedelta(days=31):
        raise invalid("ending_at: the range may span at most 31 days")


def period(single: dict[str, str]) -> tuple[datetime, datetime]:
    """The whole hours that are asked for."""
    try:
        times = [datetime.fromisoformat(single[name]) for name in ("starting_at", "ending_at")]
        start, end = (time.astimezone(UTC).replace(minute=0, second=0, microsecond=0) for time in times)
    except (KeyError, ValueError):
        raise invalid("starting_at and ending_at: Input should be a valid datetime") from None
    if any(time.tzinfo is None for time in times):
        raise invalid("starting_at: Input should have timezone info")
    return start, end


def report(
    charges: Iterable[dict[str, Any]], parameters: list[tuple[str, str]], known_until: str | None
) -> dict[str, Any]:
    """A page of the report. Charges have `at`, `amount` in cents, perhaps `list_amount`, and dimensions."""
    single = dict(parameters)
    (start, end), wanted = period(single), [value for name, value in parameters if name == "group_by[]"]
    sums: dict[tuple[Any, ...], list[Decimal]] = {}
    for charge in charges:
        others = any(charge.get(name) not in values for name, values in filters(parameters).items())
        if others or not start <= datetime.fromisoformat(charge["at"]) < end:
            continue
        if "token_type" in wanted and "cost_type" not in wanted and not charge.get("token_type"):
            continue
        group = tuple(charge.get(name) if name in wanted else None for name in sorted(DIMENSIONS))
        amounts = sums.setdefault(group, [Decimal(0), Decimal(0)])
        amounts[0] += Decimal(charge["amount"])
        amounts[1] += Decimal(charge.get("list_amount", charge["amount"]))
    rows = [
        {
            "starting_at": start.isoformat(),
            "ending_at": end.isoformat(),
            "cost": {"amount": str(amount), "list_amount": str(listed), "currency": "USD", "requests": None},
            "group": dict(zip(sorted(DIMENSIONS), group, strict=True)),
        }
        for group, (amount, listed) in sorted(sums.items(), key=lambda item: -item[1][0])
    ]
    combinations = list(dict.fromkeys(combination(row) for row in rows))
    first = int(base64.b64decode(single["page"])) if "page" in single else 0
    last = first + int(single.get("limit", "20"))
    return {
        "data": [row for row in rows if combination(row) in combinations[first:last]],
        "has_more": last < len(combinations),
        "next_page": base64.b64encode(str(last).encode()).decode() if last < len(combinations) else None,
        "data_refreshed_at": known_until or datetime.now(UTC).isoformat(),
    }


def combination(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(value for name, value in row["group"].items() if name not in FANNED_OUT)


def filters(parameters: list[tuple[str, str]]) -> dict[str, set[str]]:
    """The values that each dimension may have."""
    found: dict[str, set[str]] = {}
    for name, value in parameters:
        if name in FILTERS:
            found.setdefault(FILTERS[name], set()).add(value)
    return found
