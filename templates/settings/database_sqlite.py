# With WAL, reads go on while one process writes; with IMMEDIATE, a second writer waits its turn.
# https://docs.djangoproject.com/en/stable/ref/databases/#sqlite-notes

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": config("DATABASE_PATH", default="db.sqlite3", cast=file_path),
        "OPTIONS": {
            "timeout": 5,  # seconds
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        },
    }
}
