"""What a worker in production loads before its first question, which would else wait for it, and block an event loop.

It takes over a second. In development a start stays quick, and the first question is slow.
"""

import logging

from django.conf import settings

from chat.keeper import Keeper
# % if cookiecutter.view_style == "async"
from claude.client import aget_client as get_client
# % else
from claude.client import get_client
# % endif
from claude.offline import StandIn
# % if cookiecutter.usage
from usage import prices
# % endif

logger = logging.getLogger("claude")

# It has what most requests have: the SDK reads its types when it first meets them.
REQUEST = {
    "model": "claude-sonnet-4-6",
    "max_tokens": 1,
    "system": [{"type": "text", "text": "Hello", "cache_control": {"type": "ephemeral"}}],
    "messages": [{"role": "user", "content": "Hello"}],
    "metadata": {"user_id": "nobody"},
    "stream": True,
}


def warm_up() -> None:
    """Asks nobody. What cannot be loaded is left to the first question, whose failure says why."""
    if settings.DEBUG:
        return
    try:
        get_client()
        ask_stand_in()
# % if cookiecutter.usage
        prices.price(settings.ANTHROPIC_MODEL, prices.Usage())
# % endif
    except Exception as error:
        logger.warning("A worker starts without what its first question needs: %s", type(error).__name__)
    Keeper.of_this_process().start()


def ask_stand_in() -> None:
    import anthropic

    http_client = anthropic.DefaultHttpxClient(transport=StandIn())
    with (
        anthropic.Anthropic(api_key="offline", http_client=http_client, open_telemetry=False) as client,
        client.messages.with_streaming_response.create(**REQUEST),
    ):
        pass
