# On PostgreSQL where the process environment names one, as in continuous integration; otherwise in memory.
if "DATABASE_URL" not in os.environ:
    DATABASE_URL = "sqlite://:memory:"
    DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
