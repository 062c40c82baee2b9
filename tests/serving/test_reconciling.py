"""`manage.py usage_reconcile` of a project in production: what the API charged, against what was written down."""

import json
import re
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import preloaded
from bakery import name_of
from claude_server.script import UPSTREAM_MESSAGE, Answer, BrokenJson, EmptyObject, Html, Status
from environments import variables_for
from production import by_turns

YESTERDAY = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=1)
ADMIN_KEY = "sk-ant-admin01-0123456789abcdef"
USAGE = {"input_tokens": 100_000, "output_tokens": 10_000, "cache_creation_input_tokens": 0}
CENTS = {"uncached_input_tokens": "30", "output_tokens": "15"}
"""What that costs with claude-sonnet-4-6."""

TO_YESTERDAY = f"""
import time
from usage.models import DailySpending, LedgerEntry, Reservation
while Reservation.objects.exists():  # the ledger is written after the answer
    time.sleep(0.01)
LedgerEntry.objects.exclude(input_tokens={USAGE["input_tokens"]}).delete()
LedgerEntry.objects.update(started_at="{YESTERDAY.isoformat()}", day="{YESTERDAY.date()}")
DailySpending.objects.all().delete()
"""
EMPTY = "from usage.models import LedgerEntry\nLedgerEntry.objects.all().delete()"


@pytest.fixture
def booked(served, lane):
    """The project has one answer of yesterday in its ledger. Its users have all of their budgets before and after."""
    lane.script(Answer(text="Yes.", usage=USAGE))
    assert served.user().post("/chat/ask/", {"prompt": "Why?"}).status == 200
    served.manage("shell", "-v", "0", "-c", TO_YESTERDAY)
    yield served
    served.manage("shell", "-v", "0", "-c", EMPTY)


def charges(model="claude-sonnet-4-6", cents=CENTS, **more):
    about = {"at": YESTERDAY.isoformat(), "model": model, "cost_type": "tokens", "product": "messages_api", **more}
    return [{**about, "token_type": kind, "amount": amount} for kind, amount in cents.items()]


def reconcile(served, *arguments, **settings):
    """What the command prints, and the code that it ends with."""
    variables = served.settings | {"ANTHROPIC_ADMIN_KEY": ADMIN_KEY} | settings
    command = ["python", "manage.py", "usage_reconcile", "--day", str(YESTERDAY.date()), *arguments]
    with tempfile.NamedTemporaryFile() as log:
        process = preloaded.start(command, served.project, variables_for(served.environment, **variables), log.name)
        code = process.wait(30)
        said = Path(log.name).read_text(encoding="utf-8")
    assert ADMIN_KEY not in said
    assert UPSTREAM_MESSAGE not in said
    return said, code


@pytest.mark.parametrize("served", by_turns("streaming", "async"), ids=name_of, indirect=True)
def test_the_ledger_agrees_with_what_was_charged_and_says_where_it_does_not(booked, lane):
    lane.charge(*charges())
    said, code = reconcile(booked)
    assert code == 0, said
    assert re.search(r"total +0\.4500 +0\.4500 +\+0\.0000 +\+0\.0\n", said)
    lane.charge(*charges(cents=CENTS | {"output_tokens": "20"}), *charges("claude-opus-5-5", {"output_tokens": "5"}))
    said, code = reconcile(booked, "--format", "json")
    told, _ = json.JSONDecoder().raw_decode(said)
    assert (code, told["agrees"]) == (1, False)
    assert [(line["model"], line["kind"], line["difference"]) for line in told["lines"] if line["differs"]] == [
        ("claude-opus-5-5", "output", "-0.05"),
        ("claude-sonnet-4-6", "output", "-0.05"),
    ]


@pytest.mark.parametrize("served", by_turns("streaming"), ids=name_of, indirect=True)
def test_other_workloads_of_the_organization_can_be_left_out(booked, lane):
    others = charges(cents={"output_tokens": "500"}, workspace_id="wrkspc_other", api_key_id="apikey_other")
    chat = charges(cents={"output_tokens": "500"}, product="claude_code")
    lane.charge(*charges(workspace_id="wrkspc_ours", api_key_id="apikey_ours"), *others, *chat)
    assert reconcile(booked)[1] == 1
    assert reconcile(booked, "--workspace", "wrkspc_ours")[1] == 0
    assert reconcile(booked, "--api-key", "apikey_ours", "--api-key", "apikey_older")[1] == 0
    many = [charge for number in range(1001) for charge in charges(f"claude-{number}", {"output_tokens": "0.0001"})]
    lane.charge(*charges(), *many)
    said, code = reconcile(booked)
    assert (code, len(said.splitlines()) > 1000) == (0, True)
    assert len([request for request in lane.requests() if request.endpoint == "cost"]) == 5  # two pages the last time


@pytest.mark.parametrize("served", by_turns("streaming"), ids=name_of, indirect=True)
def test_what_keeps_it_from_asking_is_a_sentence(served, lane):
    sentences = [
        (Status(401), "ANTHROPIC_ADMIN_KEY is not valid"),
        (Status(403), "ANTHROPIC_ADMIN_KEY may not read costs"),
        (Status(429), "The API has had too many requests"),
        (Status(500), "AI service unavailable (500"),
        (Html(), "What came from ANTHROPIC_BASE_URL is no cost report"),
        (BrokenJson(), "AI service unavailable (JSONDecodeError)"),
        (EmptyObject(), "What came from ANTHROPIC_BASE_URL is no cost report"),
    ]
    lane.script(*(step for step, _ in sentences), endpoint="cost")
    for _, sentence in sentences:
        said, code = reconcile(served)
        assert (code, said.startswith(f"CommandError: {sentence}"), said.count("\n")) == (2, True, 1), said
    said, code = reconcile(served, ANTHROPIC_ADMIN_KEY="")
    assert (code, said.startswith("CommandError: Set ANTHROPIC_ADMIN_KEY")) == (2, True)
    said, code = reconcile(served, ANTHROPIC_ADMIN_KEY=served.settings["ANTHROPIC_API_KEY"])
    assert (code, said.startswith("CommandError: ANTHROPIC_ADMIN_KEY may not read costs")) == (2, True)
    lane.settings(costs_known_until=YESTERDAY.isoformat())
    said, code = reconcile(served)
    assert (code, "knows the costs until" in said) == (2, True)
