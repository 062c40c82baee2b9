"""What a worker in production loads before its first question, which would otherwise wait for it.

It takes over a second. In development a start stays quick, and the first question is slow.
"""

import gc
import logging
from contextlib import suppress
from importlib import import_module

from django.conf import settings

from chat.keeper import Keeper
# % if cookiecutter.view_style == "async"
from claude.client import aget_client as get_client
# % else
from claude.client import get_client
# % endif
from claude.offline import rehearse
# % if cookiecutter.usage
from usage import prices
# % endif
{{ "" }}
logger = logging.getLogger("claude")


def warm_up() -> None:
    """Asks nobody. What cannot be loaded is left to the first question, whose failure says why."""
    if settings.DEBUG:
        return
    try:
        get_client()
        rehearse()
        with suppress(ImportError):
            import_module("opentelemetry.propagate")  # as the SDK does with its first request
# % if cookiecutter.usage
        prices.price(settings.ANTHROPIC_MODEL, prices.Usage())
# % endif
    except Exception as error:
        logger.warning("A worker starts without what its first question needs: %s", type(error).__name__)
    # What is loaded stays. To look through it again for garbage would take a tenth of a second of every stream each time.
    gc.collect()
    gc.freeze()
    Keeper.of_this_process().start()
