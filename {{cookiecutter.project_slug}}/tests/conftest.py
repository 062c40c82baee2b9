"""A user who asks over HTTP, and the wire between the project and Claude.

The answers come from claude/offline.py: the real SDK runs above it, and no test needs a network or a key. A
question that begins with `fail` makes a call fail; `claude.offline.FAILURES` lists the ways.
"""

import ipaddress
import itertools
import sys
from typing import Any

import httpx2
import pytest

from claude import offline
from tests.asking import Browser

left_the_machine = []


def refuse_network(event: str, args: tuple[Any, ...]) -> None:
    """Python calls this before it asks for an address or connects. https://docs.python.org/3/library/audit_events.html"""
    if event == "socket.getaddrinfo":
        host = args[0]
    elif event in ("socket.connect", "socket.sendto") and isinstance(args[1], tuple):
        host = args[1][0]
    else:
        return
    host = host.decode() if isinstance(host, bytes) else host or "localhost"
    try:
        is_here = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_here = False
    if not is_here:
        left_the_machine.append(host)
        raise PermissionError(f"a test may not reach {host}")


sys.addaudithook(refuse_network)


@pytest.fixture(autouse=True)
def no_network():
    """Fails a test that would leave this machine, even where its code caught the error."""
    left_the_machine.clear()
    yield
    assert left_the_machine == []


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
