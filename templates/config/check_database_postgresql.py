@register
def check_database(app_configs: object, **kwargs: object) -> Iterator[CheckMessage]:
    if not (settings.DEBUG or settings.DATABASE_URL):
        yield Error(
            "DATABASE_URL is not set: SQLite is there for development, and production runs on PostgreSQL.",
            hint="Set DATABASE_URL to postgres://user:password@host:5432/name.",
            id="config.E002",
        )


