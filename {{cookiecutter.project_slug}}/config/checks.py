"""What `manage.py check` says about the project's own settings.

https://docs.djangoproject.com/en/stable/topics/checks/
"""

from collections.abc import Iterator

from django.conf import settings
# % if cookiecutter.view_style == "async"
from django.core.checks import CheckMessage, Error, register
from django.utils.module_loading import import_string


# % else
from django.core.checks import CheckMessage, Error, register


# % endif
# % if cookiecutter.database == "postgresql"
@register
def check_database(app_configs: object, **kwargs: object) -> Iterator[CheckMessage]:
    if not (settings.DEBUG or settings.DATABASE_URL):
        yield Error(
            "DATABASE_URL is not set: SQLite is there for development, and production runs on PostgreSQL.",
            hint="Set DATABASE_URL to postgres://user:password@host:5432/name.",
            id="config.E002",
        )


# % endif
# % if cookiecutter.view_style == "async"
@register
def check_middleware(app_configs: object, **kwargs: object) -> Iterator[CheckMessage]:
    """https://docs.djangoproject.com/en/stable/topics/http/middleware/#asynchronous-support"""
    for path in settings.MIDDLEWARE:
        if not getattr(import_string(path), "async_capable", False):
            yield Error(
                f"{path} in MIDDLEWARE is not asynchronous: a stream would lose its thread, and break off at its end.",
                hint="Use one whose async_capable is true, or write one: config/request_body.py is an example.",
                id="config.E003",
            )


# % endif
@register
def check_secret_key(app_configs: object, **kwargs: object) -> Iterator[CheckMessage]:
    if not settings.DEBUG and settings.SECRET_KEY == settings.INSECURE_SECRET_KEY:
        yield Error(
            "SECRET_KEY is not set: everybody knows the default, and could sign in as anybody.",
            hint="Set SECRET_KEY to the output of: python -c 'import secrets; print(secrets.token_urlsafe(50))'",
            id="config.E001",
        )
