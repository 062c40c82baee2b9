# PostgreSQL where DATABASE_URL names one, which production requires; SQLite for development.
#
# % include "settings/database_sqlite.py"
# postgres://user:password@host:5432/name: https://github.com/jazzband/dj-database-url#url-schema
DATABASE_URL = config("DATABASE_URL", default="")
# Per process. A request holds a connection for some milliseconds, and a stream holds none: a few serve many.
# https://docs.djangoproject.com/en/stable/ref/databases/#connection-pool
DATABASE_POOL = config("DATABASE_POOL", default=8, cast=int)
if DATABASE_URL:
    try:
        # Test a connection before a request uses it: the server may have restarted.
        DATABASES["default"] = dict(dj_database_url.parse(DATABASE_URL, conn_health_checks=True))
    except ValueError:
        DATABASES["default"] = {}
    if DATABASES["default"].get("ENGINE") != "django.db.backends.postgresql":
        # Without its value, which may hold a password.
        raise ImproperlyConfigured(
            "DATABASE_URL must look like postgres://user:password@host:5432/name, with %23 for # and so on."
        )
    DATABASES["default"].setdefault("OPTIONS", {})["pool"] = {
        "min_size": 1,
        "max_size": DATABASE_POOL,
        "timeout": 5,  # seconds that a request waits for one
        # While the server is down, the pool waits twice as long before each new attempt, up to minutes. After this time
        # it gives up, and the next request makes it start again.
        "reconnect_timeout": 10,  # seconds
    }
