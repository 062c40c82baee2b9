"""What `manage.py check` says about the project's own settings.

https://docs.djangoproject.com/en/stable/topics/checks/
"""

from django.conf import settings
from django.core.checks import CheckMessage, Error, register


# % if cookiecutter.database == "postgresql"
@register
def check_database(app_configs: object, **kwargs: object) -> list[CheckMessage]:
    if settings.DEBUG or settings.DATABASE_URL:
        return []
    return [
        Error(
            "DATABASE_URL is not set: SQLite is there for development, and production runs on PostgreSQL.",
            hint="Set DATABASE_URL to postgres://user:password@host:5432/name.",
            id="config.E002",
        )
    ]


# % endif
@register
def check_secret_key(app_configs: object, **kwargs: object) -> list[CheckMessage]:
    if settings.DEBUG or settings.SECRET_KEY != settings.INSECURE_SECRET_KEY:
        return []
    return [
        Error(
            "SECRET_KEY is not set: everybody knows the default, and could sign in as anybody.",
            hint="Set SECRET_KEY to the output of: python -c 'import secrets; print(secrets.token_urlsafe(50))'",
            id="config.E001",
        )
    ]
