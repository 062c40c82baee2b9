"""The settings of the tests: no network, no key, nothing from this machine, nothing slow."""

import os
import re

from config import env

# Neither the environment nor .env counts: a setting is as it stands here, or its default.
env.values = {
    "SECRET_KEY": "only-for-tests",
# % if cookiecutter.database == "postgresql"
    "DATABASE_URL": os.environ.get("DATABASE_URL", ""),
# % endif
    "EMAIL_HOST": "localhost",  # which the tests replace with a list
}.get
# Libraries read the environment, too.
for name in filter(re.compile(r"(?i)ANTHROPIC_|SENTRY_|SSL_CERT_|\w+_PROXY$").match, list(os.environ)):
    del os.environ[name]

from config.settings import *  # noqa: E402, F403

ANTHROPIC_BASE_URL = "https://api.anthropic.com"
CLAUDE_OFFLINE = True
CLAUDE_OFFLINE_PAUSE = 0
CLAUDE_SYSTEM_PROMPT = "Answer plainly."
CLAUDE_MAX_RETRIES = 0
CLAUDE_TIMEOUT = 60.0
CLAUDE_RETRY_AFTER_CAP = 10.0
CLAUDE_DEADLINE = 300.0
# % if cookiecutter.view_style == "async"
CLAUDE_FAN_OUT = 2
# % endif

SECURE_SSL_REDIRECT = False
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
# % include "tests/database_" ~ cookiecutter.database ~ ".py"
