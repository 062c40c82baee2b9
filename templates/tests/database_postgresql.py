# On PostgreSQL where the process environment names one, as in continuous integration; otherwise in memory.
if not os.environ.get("DATABASE_URL"):
    DATABASE_URL = "sqlite://:memory:"
    DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
