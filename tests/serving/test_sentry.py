"""What a served project with Sentry would send there: that something is wrong, and nothing that is anybody's own."""

import gzip
import json
from contextlib import contextmanager

import pytest

from bakery import name_of
from claude_server.client import KEY
from claude_server.script import UPSTREAM_MESSAGE, Answer, Status
from production import by_turns, change_line, until
from scripted_server import ScriptedServer

QUESTION = "A question that nobody else reads?"


@contextmanager
def sentry():
    """A place to report to: its DSN, and the list of what has come, as text."""
    received = []

    def receive(report):
        packed = report.headers.get("Content-Encoding") == "gzip"
        received.append((gzip.decompress(report.body) if packed else report.body).decode())
        report.json({})

    with ScriptedServer(receive) as server:
        yield f"http://public@127.0.0.1:{server.port}/1", received


def events_in(received):
    """The error reports in what has come."""
    items = [json.loads(line) for text in received for line in text.splitlines() if line.startswith("{")]
    return [item for item in items if "level" in item and "event_id" in item]


def break_the_page(project):
    """A mistake of the team's own, while it has the question at hand."""
    line = "    form = PromptForm(data)\n"
    broken = '    if "[broken]" in data["prompt"]:\n        raise ZeroDivisionError\n'
    change_line(project / "chat/forms.py", line, broken + line)


@pytest.mark.parametrize("answers", by_turns("streaming", "async", sentry=True), ids=name_of)
def test_errors_are_reported_with_nothing_that_was_said(production, claude, tmp_path, answers):
    lane = claude.lane()
    with sentry() as (dsn, received):
        lane.rule("[key]", otherwise=Status(401))
        lane.rule("[limit]", otherwise=Status(429))
        lane.rule("[fine]", Answer(text="An answer that nobody else reads."))
        settings = {"SENTRY_DSN": dsn, "CLAUDE_MAX_RETRIES": "0"}
        with production.serve(answers, tmp_path, lane.base_url, change=break_the_page, **settings) as served:
            user = served.user()
            asked = {
                words: user.post("/chat/stream/?about=secret", {"prompt": f"{QUESTION} {words}"}).status
                for words in ("[fine]", "[limit]", "[key]", "[broken]")
            }
            until(lambda: len(events_in(received)) >= 2, seconds=30)
            cookies = served.cookies().values()
    assert asked == {"[fine]": 200, "[limit]": 429, "[key]": 500, "[broken]": 500}
    key, mistake = sorted(events_in(received), key=lambda event: "exception" in event)
    assert "check ANTHROPIC_API_KEY" in json.dumps(key["logentry"])
    assert mistake["exception"]["values"][-1]["type"] == "ZeroDivisionError"
    text = "".join(received)
    secrets = ["nobody else", KEY, UPSTREAM_MESSAGE, "about=", "127.0.0.1, ", *cookies]
    assert [secret for secret in secrets if secret in text] == []
