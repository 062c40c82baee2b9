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
