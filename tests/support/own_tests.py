"""Nine rendered projects whose own tests are run: with which answers, on which Python, and how.

A run takes a minute, so no answer has runs of its own. Each view style is there with the wrapper on the oldest and the
newest pair of Python and Django, and without it on one of the two; all other answers are spread over these nine. A new
question is a new column. `projects/test_projects.py` says how well they are spread.
"""

import re

import preloaded
from bakery import name_of

QUESTIONS = "view_style client_wrapper usage python env_file nginx database package_manager docker sentry ci"
QUESTIONS += " python_version claude_model"
SPREAD = """
streaming yes no  oldest no  no  sqlite     uv  yes no  none   3.12 claude-fable-5-2
streaming yes yes newest no  yes postgresql pip no  yes github 3.13 claude-sonnet-4-6
streaming no  yes newest yes no  sqlite     pip yes no  github 3.11 claude-sonnet-5-5
async     yes yes oldest no  no  postgresql pip yes yes github 3.11 claude-haiku-5-5
async     yes yes newest yes yes sqlite     uv  no  no  github 3.14 claude-fable-5-2
async     no  no  oldest yes yes sqlite     pip no  yes none   3.13 claude-sonnet-4-6
sync      yes yes oldest yes no  sqlite     pip no  yes none   3.14 claude-sonnet-5-5
sync      yes no  newest yes yes postgresql uv  no  yes github 3.12 claude-opus-5-5
sync      no  yes newest no  yes postgresql uv  yes no  none   3.14 claude-haiku-5-5
"""


def run_of(line):
    """The answers and the Python of a line."""
    values = [{"yes": True, "no": False}.get(text, text) for text in line.split()]
    answers = dict(zip(QUESTIONS.split(), values, strict=True))
    return answers, answers.pop("python")


RUNS = [run_of(line) for line in SPREAD.strip().splitlines()]
ON_POSTGRESQL = [run for run in RUNS if run[0]["database"] == "postgresql" and run[0]["client_wrapper"]]
"""For a real server. The other projects with PostgreSQL are tested as on a machine that has none."""
ON_SQLITE = [run for run in RUNS if run not in ON_POSTGRESQL]


def ids(runs):
    """The names of these runs in a report."""
    return [f"{name_of(answers)}-{python}" for answers, python in runs]


HOSTILE = {
    "DJANGO_SETTINGS_MODULE": "config.settings",
    "ANTHROPIC_API_KEY": "a-real-key",
    "ANTHROPIC_BASE_URL": "https://user:password@192.0.2.1",
    "ANTHROPIC_CUSTOM_HEADERS": "Authorization: Bearer another",
    "ANTHROPIC_LOG": "debug",
    "ANTHROPIC_MODEL": "no model",
    "ALL_PROXY": "socks://192.0.2.1:1080",
    "https_proxy": "http://192.0.2.1:3128",
    "SSL_CERT_FILE": "/gone.pem",
    "SENTRY_DSN": "none",
    "DEBUG": "release",
    "SECRET_KEY": "",
    "TRUST_PROXY": "maybe",
    "ALLOWED_HOSTS": '"',
    "DATABASE_PATH": "/gone/db.sqlite3",
    "CLAUDE_MAX_TOKENS": "many",
    "CLAUDE_DEADLINE": "nan",
    "CHAT_MAX_PROMPTS": "3",
    "CHAT_MAX_PROMPT_CHARS": "1",
    "PORT": "none",
    "LC_ALL": "C",
    "TZ": "Pacific/Kiritimati",
}
"""What a machine may have set; its .env cannot be read, either. No test of a project depends on any of it."""


def number_passed(project, environment, **variables):
    """How many tests of a project there are. All pass, whatever the machine has set, none is skipped, none warns."""
    if (project / ".env.example").exists():
        (project / ".env").write_bytes(b"ANTHROPIC_API_KEY: \xff")
    said = preloaded.run_tests(project, environment, **HOSTILE, **variables)
    summary = said.strip().splitlines()[-1]
    passed = re.fullmatch(r"=*\s*(\d+) passed in .*", summary)
    assert passed, f"not all passed, or some were skipped or warned of:\n{said}"
    return int(passed[1])
