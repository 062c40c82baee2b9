"""A user who asks over HTTP, and the wire between the project and Claude.

The answers come from claude/offline.py: the real SDK runs above it, and no test needs a network or a key. A
question that begins with `fail` makes a call fail; `claude.offline.FAILURES` lists the ways.
"""

import itertools
from typing import Any

import httpx2
import pytest

from claude import offline
from tests.asking import Browser


@pytest.fixture
def anonymous() -> Browser:
    """Somebody who has not signed in."""
    return Browser()


@pytest.fixture
def user(django_user_model) -> Browser:
    """Somebody who has."""
    user = Browser()
    user.sign_in(django_user_model.objects.create_user("user"))
    return user


@pytest.fixture
def wire(monkeypatch) -> list[dict[str, Any]]:
    """What went out to Claude, one entry for each attempt: its `headers` and its `body`."""
    seen = []
    respond = offline.respond

    def recorded(request, body):
        seen.append({"headers": request.headers, "body": body})
        return respond(request, body)

    monkeypatch.setattr(offline, "respond", recorded)
    return seen


@pytest.fixture
def trickle(monkeypatch, settings) -> list[Any]:
    """Has Claude send a space now and then, and nothing else, ever. Gives the requests that it was sent."""
    seen = []

    def respond(request, body):
        seen.append(body)
        return httpx2.Response(200, stream=offline.EventStream(itertools.repeat(" ")))

    settings.CLAUDE_OFFLINE_PAUSE = 0.02
    monkeypatch.setattr(offline, "respond", respond)
    return seen
