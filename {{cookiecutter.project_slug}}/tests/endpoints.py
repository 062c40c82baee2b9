"""The endpoints that answer a question, and what they reply."""

import json
from dataclasses import dataclass
from typing import Any

from django.urls import reverse

from chat.urls import urlpatterns

PATHS = [reverse(f"chat:{route.name}") for route in urlpatterns if getattr(route, "name", "") in {"ask", "stream"}]
"""Where one question is asked: for an answer in one piece, and as a stream where the project has streams."""


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
        """The events of a stream, without its comments and without thinking, which comes first with some models."""
        return [event for event in self.all_events if event != {"status": "thinking"}]

    @property
    def all_events(self) -> list[dict[str, Any]]:
        """The events of a stream, without its comments."""
        blocks = self.text.split("\n\n")
        return [json.loads(block.removeprefix("data: ")) for block in blocks if block.startswith("data: ")]
