"""A user who asks over HTTP, and the wire between the project and Claude.

The answers come from claude/offline.py: the real SDK runs above it, and no test needs a network or a key. A
question that begins with `fail` makes a call fail; `claude.offline.FAILURES` lists the ways.
"""

import itertools
import json
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
# % if cookiecutter.view_style == "async"
from asgiref.sync import async_to_sync
from django.test import AsyncClient

# % else
from django.test import Client

# % endif
from claude import offline


@dataclass
class Reply:
    """What a user got."""

    status: int
    headers: Any
    text: str

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.text)

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events of a stream, without its comments."""
        blocks = self.text.split("\n\n")
        return [json.loads(block.removeprefix("data: ")) for block in blocks if block.startswith("data: ")]


class Browser:
    """Somebody with a browser."""

# % if cookiecutter.view_style == "async"
    def __init__(self, **options: Any) -> None:
        self.browser = AsyncClient(**options)

    def sign_in(self, user: Any) -> None:
        async_to_sync(self.browser.aforce_login)(user)

    def get(self, path: str) -> Reply:
        return async_to_sync(self._ask)("get", path)

    def post(self, path: str, data: Any = None, **options: Any) -> Reply:
        return async_to_sync(self._ask)("post", path, data or {}, **options)

    async def _ask(self, method: str, *args: Any, **options: Any) -> Reply:
        response = await getattr(self.browser, method)(*args, **options)
        if response.streaming:
            content = b"".join([chunk async for chunk in response.streaming_content])
        else:
            content = response.content
        return Reply(response.status_code, response.headers, content.decode())


# % else
    def __init__(self, **options: Any) -> None:
        self.browser = Client(**options)

    def sign_in(self, user: Any) -> None:
        self.browser.force_login(user)

    def get(self, path: str) -> Reply:
        return self._reply(self.browser.get(path))

    def post(self, path: str, data: Any = None, **options: Any) -> Reply:
        return self._reply(self.browser.post(path, data or {}, **options))

    def _reply(self, response: Any) -> Reply:
        content = b"".join(response.streaming_content) if response.streaming else response.content
        return Reply(response.status_code, response.headers, content.decode())


# % endif
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
