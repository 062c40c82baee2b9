"""Every setting of the project; what differs between machines comes from the environment.

https://docs.djangoproject.com/en/stable/ref/settings/
"""

# % from "text.jinja" import python
import logging
import os
from datetime import timedelta

# % if cookiecutter.database == "postgresql"
import dj_database_url
from django.core.exceptions import ImproperlyConfigured

# % endif
from claude import prompts
from config.env import BASE_DIR, choice, config, csv, file_path, time_zone
from config.mail import mail_server, mail_settings
# % if cookiecutter.usage
from usage.casts import amount, email_addresses, json_object
# % endif
{{ "" }}
PROJECT_NAME = {{ python(cookiecutter.project_name) }}

# --- Security -------------------------------------------------------------------------------------
# https://docs.djangoproject.com/en/stable/howto/deployment/checklist/

DEBUG = config("DEBUG", default=False, cast=bool)

# `manage.py check` refuses this key, and an empty one, outside DEBUG.
INSECURE_SECRET_KEY = "insecure-key-for-development-only"  # noqa: S105
SECRET_KEY = config("SECRET_KEY", default=INSECURE_SECRET_KEY)
# Former keys: what they signed stays valid. docs/operations.md says how to change the key.
SECRET_KEY_FALLBACKS = config("SECRET_KEY_FALLBACKS", default="", cast=csv)

DOMAIN = "{{ cookiecutter.domain_name }}"
ALLOWED_HOSTS = config("ALLOWED_HOSTS", default="localhost,127.0.0.1,[::1]" if DEBUG else DOMAIN, cast=csv)
CSRF_TRUSTED_ORIGINS = config("CSRF_TRUSTED_ORIGINS", default=f"https://{DOMAIN}", cast=csv)

# Whether a proxy in front sets X-Forwarded-Proto, X-Forwarded-For and X-Request-ID.
# {{ "deploy/nginx.conf does. " if cookiecutter.nginx }}Without a proxy, any client could set them.
TRUST_PROXY = config("TRUST_PROXY", default={{ cookiecutter.nginx }}, cast=bool)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUST_PROXY else None
# `make serve` turns this off, to try the production server on one's own machine.
HTTPS = config("HTTPS", default=not DEBUG, cast=bool)
SECURE_SSL_REDIRECT = HTTPS
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SECURE = HTTPS
# Browsers ignore the port of a cookie's site: projects on one machine need names of their own.
SESSION_COOKIE_NAME = "{{ cookiecutter.project_slug }}_sessionid"
CSRF_COOKIE_NAME = "{{ cookiecutter.project_slug }}_csrftoken"

# A browser that has seen this header uses HTTPS only, for so many seconds; nobody can take that back. docs/deploy.md
# says how to raise it. The domain's other sites are not this project's to decide, so two checks are silent.
HSTS_SECONDS = config("HSTS_SECONDS", default=3600, cast=int)
SECURE_HSTS_SECONDS = 0 if DEBUG else HSTS_SECONDS
SECURE_HSTS_INCLUDE_SUBDOMAINS = config("HSTS_SUBDOMAINS", default=False, cast=bool)
SECURE_HSTS_PRELOAD = config("HSTS_PRELOAD", default=False, cast=bool)
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]

# The path below which the proxy serves the project, such as /app; it passes whole paths on.{{ " gunicorn reads it, too." if cookiecutter.view_style != "async" }}
FORCE_SCRIPT_NAME = config("SCRIPT_NAME", default="") or None

# No inline code and no other origin: if a model's output ever reached a page as HTML, it could run nothing.
# https://django-csp.readthedocs.io/en/latest/configuration.html
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    }
}

# What the links in e-mails begin with, whatever host name a request has. Where this is empty, its own.
SITE_ORIGIN = config("SITE_ORIGIN", default=f"https://{DOMAIN}" if HTTPS else "").rstrip("/")

# Browser features that no page of this site needs.
# https://github.com/adamchainz/django-permissions-policy
UNUSED_FEATURES = "accelerometer camera display-capture geolocation gyroscope magnetometer microphone payment usb"
PERMISSIONS_POLICY: dict[str, list[str]] = {name: [] for name in UNUSED_FEATURES.split()}

# The largest request body, in bytes. A larger one is refused before it is read. Uploads would need more.
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024

# A failed CSRF check answers JSON to a script and a page to a person.
CSRF_FAILURE_VIEW = "config.error_views.csrf_failure"

# --- Application ----------------------------------------------------------------------------------

INSTALLED_APPS = [
    "accounts",
    "chat",
    "claude",
    "config",
    "evals",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "axes",
]

MIDDLEWARE = [
    "config.health.health",
    "django.middleware.security.SecurityMiddleware",
# % if not cookiecutter.nginx and cookiecutter.view_style == "async"
    "config.static_files.static_files",
# % elif not cookiecutter.nginx
    "whitenoise.middleware.WhiteNoiseMiddleware",
# % endif
    "{{ 'config.loop_middleware' if cookiecutter.view_style == 'async' else 'csp.middleware' }}.CSPMiddleware",
    "django_permissions_policy.PermissionsPolicyMiddleware",
    "config.request_body.check_body",
    "{{ 'config.loop_middleware' if cookiecutter.view_style == 'async' else 'django.contrib.sessions.middleware' }}.SessionMiddleware",
    "{{ 'config.loop_middleware' if cookiecutter.view_style == 'async' else 'django.middleware.common' }}.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "{{ 'config.loop_middleware' if cookiecutter.view_style == 'async' else 'django.contrib.auth.middleware' }}.AuthenticationMiddleware",
    "{{ 'config.loop_middleware' if cookiecutter.view_style == 'async' else 'django.contrib.messages.middleware' }}.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "config.urls"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "config.context_processors.project",
            ],
        },
    },
]

# --- Accounts -------------------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
LOGIN_URL = "accounts:sign_in"
LOGIN_REDIRECT_URL = "chat:page"
LOGOUT_REDIRECT_URL = "accounts:sign_in"

VALIDATORS = "UserAttributeSimilarity MinimumLength CommonPassword NumericPassword"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}Validator"} for name in VALIDATORS.split()
]

# Lock an account for 15 minutes after 10 failures, per name and address, so that nobody can lock somebody else out. The
# admin's sign-in page counts, too. https://django-axes.readthedocs.io/en/latest/4_configuration.html
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_USERNAME_CALLABLE = "accounts.throttle.attempted_name"
AXES_CLIENT_IP_CALLABLE = "accounts.throttle.client_address"
AXES_LOCKOUT_CALLABLE = "accounts.throttle.locked_out"
AXES_RESET_ON_SUCCESS = True
# Successful sign-ins are not stored.
AXES_DISABLE_ACCESS_LOG = True
AXES_VERBOSE = False

# For how many seconds a link to choose a password works.
PASSWORD_RESET_TIMEOUT = 3 * 24 * 60 * 60
# Whether strangers can make an account, with an address at which they get e-mail.
ACCOUNTS_SIGN_UP = config("ACCOUNTS_SIGN_UP", default=False, cast=bool)

# --- E-mail ---------------------------------------------------------------------------------------

# The server that e-mail goes out by; without one development prints it, and production sends none. Encrypted is from the
# first byte at port 465, by STARTTLS at others.
MAIL = {
    "host": config("EMAIL_HOST", default="", cast=mail_server),
    "port": config("EMAIL_PORT", default=587, cast=int),
    "username": config("EMAIL_HOST_USER", default=""),
    "password": config("EMAIL_HOST_PASSWORD", default=""),
    "timeout": 10,  # seconds
}
MAIL_ENCRYPTED = config("EMAIL_USE_TLS", default=True, cast=bool)
MAIL |= {"use_ssl": MAIL_ENCRYPTED and MAIL["port"] == 465, "use_tls": MAIL_ENCRYPTED and MAIL["port"] != 465}
globals().update(mail_settings(MAIL, debug=DEBUG))
SENDS_MAIL = DEBUG or bool(MAIL["host"])
DEFAULT_FROM_EMAIL = config("DEFAULT_FROM_EMAIL", default=f"no-reply@{DOMAIN}")

# --- Database -------------------------------------------------------------------------------------
# % include "settings/database_" ~ cookiecutter.database ~ ".py"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Language, time, static files -----------------------------------------------------------------

LANGUAGE_CODE = "en"
# For a second language, docs/settings.md says what to do. With one, LocaleMiddleware would cost every request time, and
# tell caches that it varies, for nothing.
LANGUAGES = [("en", "English")]
LOCALE_PATHS = [BASE_DIR / "locale"]
# A name of the time zone database, such as Europe/Paris.
TIME_ZONE = config("TIME_ZONE", default="UTC", cast=time_zone)
USE_TZ = True

STATIC_URL = f"{FORCE_SCRIPT_NAME or ''}/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]

# File names carry a hash of the content, so that browsers can cache them for ever; plain names without HTTPS.
# % include "settings/static_files_by_nginx.py" if cookiecutter.nginx else "settings/static_files_by_whitenoise.py"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": STATIC_STORAGE if HTTPS else "django.contrib.staticfiles.storage.StaticFilesStorage",
    },
}

# --- Logs -----------------------------------------------------------------------------------------
# Text in development, one JSON object a line in production. An ERROR means that somebody must act: alert on those.
# At DEBUG the SDK logs whole prompts, at INFO each request: both stay off, whatever ANTHROPIC_LOG says.

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"text": {"()": "config.logging.TextFormatter"}, "json": {"()": "config.logging.JsonFormatter"}},
    "filters": {
        "add_request_id": {"()": "config.logging.AddRequestId"},
        "lower_security_errors": {"()": "config.logging.LowerSecurityErrors"},
        "drop_explained_errors": {"()": "config.logging.DropExplainedErrors"},
    },
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": "text" if DEBUG else "json",
            "filters": ["add_request_id", "lower_security_errors"],
        },
    },
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {
        # No handlers of its own: each line would appear twice.
        "django": {"level": "INFO"},
        "accounts": {"level": "INFO"},
        "claude": {"level": "INFO"},
        "chat": {"level": "INFO"},
# % if cookiecutter.usage
        "usage": {"level": "INFO"},
# % endif
        # One line for each request. In development the server writes its own.
        "access": {"level": "WARNING" if DEBUG else "INFO"},
        "django.request": {"filters": ["drop_explained_errors"]},
        "django.dispatch": {"filters": ["drop_explained_errors"]},
        "anthropic": {"level": "WARNING"},
        "httpx2": {"level": "WARNING"},
        "{{ 'uvicorn' if cookiecutter.view_style == 'async' else 'gunicorn' }}.error": {"level": "INFO", "propagate": True},
    },
}
# Warnings of Python packages go to the log, too.
logging.captureWarnings(not DEBUG)

# % if cookiecutter.sentry
# --- Errors ---------------------------------------------------------------------------------------

# Where errors are reported; empty: nowhere. https://docs.sentry.io/concepts/key-terms/dsn-explainer/
SENTRY_DSN = config("SENTRY_DSN", default="")
if SENTRY_DSN:
    from config.sentry import report_to

    report_to(SENTRY_DSN)

# % endif
# --- Server ---------------------------------------------------------------------------------------
# For config/{{ "uvicorn" if cookiecutter.view_style == "async" else "gunicorn" }}.py.

WEB_HOST = config("WEB_HOST", default="127.0.0.1")
PORT = config("PORT", default=8000, cast=int)
WEB_WORKERS = config("WEB_WORKERS", default=2, cast=int)
# % include "settings/server_" ~ ("uvicorn" if cookiecutter.view_style == "async" else "gunicorn") ~ ".py" ignore missing
# When the server stops, the answers under way may take so many whole seconds to end.
WEB_GRACE = config("WEB_GRACE", default=30, cast=int)

# --- Claude ---------------------------------------------------------------------------------------

# https://platform.claude.com/settings/keys
ANTHROPIC_API_KEY = config("ANTHROPIC_API_KEY", default="")
# https://platform.claude.com/docs/en/about-claude/models/overview
ANTHROPIC_MODEL = config("ANTHROPIC_MODEL", default="{{ cookiecutter.claude_model }}")
ANTHROPIC_BASE_URL = config("ANTHROPIC_BASE_URL", default="https://api.anthropic.com")
# % if cookiecutter.usage
# Reads what the organization is charged, for `manage.py usage_reconcile` alone. https://platform.claude.com/settings/admin-keys
ANTHROPIC_ADMIN_KEY = config("ANTHROPIC_ADMIN_KEY", default="")
# % endif
# The SDK would read more: headers, a profile, and in ANTHROPIC_LOG whether to log every prompt. Only those above count.
for name in [name for name in os.environ if name.startswith("ANTHROPIC_") and name not in globals()]:
    del os.environ[name]

# Without a key, development uses the stand-in in claude/offline/, and production refuses to start.
CLAUDE_OFFLINE = DEBUG and not ANTHROPIC_API_KEY
# The pause between two pieces of the stand-in's answer, in seconds.
CLAUDE_OFFLINE_PAUSE = 0.04
# Where the stand-in keeps batches.
CLAUDE_OFFLINE_BATCHES = BASE_DIR / ".offline-batches"

# Another model, which answers where ANTHROPIC_MODEL refuses to; empty: none. And whether it also answers where
# ANTHROPIC_MODEL is gone, or overloaded after all retries.
CLAUDE_FALLBACK_MODEL = config("CLAUDE_FALLBACK_MODEL", default="")
CLAUDE_FALLBACK_WHEN_DOWN = config("CLAUDE_FALLBACK_WHEN_DOWN", default=False, cast=bool)

# Sent with every question: what prompts/system.md says, unless the environment says otherwise. The API caches it for this
# long, 5m or 1h, once it is long enough for the model:
# https://platform.claude.com/docs/en/build-with-claude/prompt-caching
DEFAULT_SYSTEM_PROMPT = prompts.read("system")
CLAUDE_SYSTEM_PROMPT = config("CLAUDE_SYSTEM_PROMPT", default="") or DEFAULT_SYSTEM_PROMPT
CLAUDE_CACHE_TTL = config("CLAUDE_CACHE_TTL", default="5m", cast=str.lower)
# The longest answer, in tokens, with the thinking before it. Both are billed by the token: this caps the cost of one.
CLAUDE_MAX_TOKENS = config("CLAUDE_MAX_TOKENS", default={{ "1024" if cookiecutter.claude_model == "claude-sonnet-4-6" else "16_000" }}, cast=int)
# How much work an answer is worth: low, medium, high, xhigh or max; `default` leaves it to the model.
# https://platform.claude.com/docs/en/build-with-claude/effort
CLAUDE_EFFORT = config("CLAUDE_EFFORT", default="{{ '' if cookiecutter.claude_model == 'claude-sonnet-4-6' else 'medium' }}", cast=choice)
# Whether the model thinks first: adaptive, disabled or between_tools, none of which every model takes; empty leaves it to
# the model. https://platform.claude.com/docs/en/build-with-claude/thinking
CLAUDE_THINKING = config("CLAUDE_THINKING", default="", cast=choice)
# How long an attempt may be silent, in seconds, and how often a failed one is retried.
CLAUDE_TIMEOUT = config("CLAUDE_TIMEOUT", default=60.0, cast=float)
CLAUDE_MAX_RETRIES = config("CLAUDE_MAX_RETRIES", default=3, cast=int)
# The longest Retry-After of the API that is waited for, in seconds. After a longer one the user is told to wait.
CLAUDE_RETRY_AFTER_CAP = config("CLAUDE_RETRY_AFTER_CAP", default=5.0, cast=float)
# The longest that one call may take, with all retries and the whole stream, in seconds.
CLAUDE_DEADLINE = config("CLAUDE_DEADLINE", default=300.0, cast=float)

# --- Chat -----------------------------------------------------------------------------------------

# The longest question, in characters.
CHAT_MAX_PROMPT_CHARS = config("CHAT_MAX_PROMPT_CHARS", default=20_000, cast=int)
# How much of a conversation goes to Claude with each question, in tokens, by an estimate; 0: nothing. chat/history.py says
# how good it is. Each of these tokens is paid for with each question, and little where the API has them in its cache.
CHAT_HISTORY_TOKENS = config("CHAT_HISTORY_TOKENS", default=16_000, cast=int)
# After how many days without a question `manage.py delete_old_conversations` deletes a conversation; 0: never.
CHAT_RETENTION_DAYS = config("CHAT_RETENTION_DAYS", default=0, cast=int)
# How long an answer outside of conversations is kept for another request with its idempotency_key, in seconds.
CHAT_REMEMBER = config("CHAT_REMEMBER", default=24 * 60 * 60, cast=int)
# % include "settings/chat_" ~ cookiecutter.view_style ~ ".py" ignore missing
# % include "settings/usage_" ~ cookiecutter.usage ~ ".py" ignore missing
