"""What a load balancer asks: `/healthz`, whether the process is alive, and `/readyz`, whether it can answer.

Before all other middleware: neither needs a host name, HTTPS or a session, and neither asks Claude.
"""

import logging
from collections.abc import Callable

# % if cookiecutter.view_style == "async"
from asgiref.sync import sync_to_async
# % endif
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, Error, connections
from django.db.migrations.executor import MigrationExecutor
# % if cookiecutter.view_style == "async"
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.decorators import async_only_middleware

# % else
from django.http import HttpRequest, HttpResponse, JsonResponse

# % endif
logger = logging.getLogger("health")


# % if cookiecutter.view_style == "async"
@async_only_middleware
def health(get_response: Callable) -> Callable:
    async def middleware(request: HttpRequest) -> HttpResponse:
        if request.path == "/healthz":
            return alive()
        if request.path == "/readyz":
            return await sync_to_async(ready)()
        return await get_response(request)

    return middleware


# % else
def health(get_response: Callable) -> Callable:
    def middleware(request: HttpRequest) -> HttpResponse:
        if request.path == "/healthz":
            return alive()
        if request.path == "/readyz":
            return ready()
        return get_response(request)

    return middleware


# % endif
def alive() -> HttpResponse:
    return never_kept(HttpResponse("alive\n", content_type="text/plain"))


def ready() -> HttpResponse:
    """200 when all is well, otherwise 503 and what is not. Why it is not is in the log."""
    parts = {"database": "failed", "migrations": "unknown", "key": "ok" if has_key() else "missing"}
    try:
        connection = connections[DEFAULT_DB_ALIAS]
        executor = MigrationExecutor(connection)
        parts["database"] = "ok"
        behind = executor.migration_plan(executor.loader.graph.leaf_nodes())
        parts["migrations"] = "behind" if behind else "ok"
    except Error as error:
        logger.warning("The database does not answer: %s", type(error).__name__)
    return never_kept(JsonResponse(parts, status=200 if set(parts.values()) == {"ok"} else 503))


def has_key() -> bool:
    return settings.CLAUDE_OFFLINE or bool(settings.ANTHROPIC_API_KEY.strip())


def never_kept(response: HttpResponse) -> HttpResponse:
    response["Cache-Control"] = "no-store"
    return response
