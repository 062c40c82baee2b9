"""Rendered projects in production: each prepared once per run, and served with the settings that a test asks for."""

import json
import shutil
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from filelock import FileLock

from bakery import choices, name_of
from claude_server.client import KEY
from environments import find_python, run, start
from http_client import HttpClient
from project_server import production_server

USERS = ["user", "another"]
"""The accounts of every project, each with a session that lasts."""

PREPARE = """
import json
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user_model
from django.contrib.sessions.backends.db import SessionStore
from django.core.management import call_command
import anthropic  # so that it is compiled

call_command("migrate", verbosity=0)
call_command("collectstatic", interactive=False, verbosity=0)
sessions = {}
for name in %r:
    user = get_user_model().objects.create(username=name, password="!")
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.create()
    sessions[name] = session.session_key
with open("sessions.json", "w") as file:
    json.dump(sessions, file)
"""

SETTINGS = {
    "DEBUG": "false",
    "SECRET_KEY": "0a1b2c3d4e" * 6,
    "EMAIL_HOST": "none",
    "ANTHROPIC_API_KEY": KEY,
    "TRUST_PROXY": "true",
    "ALLOWED_HOSTS": "127.0.0.1,example.com",
    "DATABASE_PATH": "db.sqlite3",
    "WEB_WORKERS": "1",
    # Most tests ask as one user, and more than a user may.
    "USAGE_CALLS_AT_ONCE": "1000",
    "USAGE_USER_DAY": "100000",
    "USAGE_USER_MONTH": "100000",
    "USAGE_PROJECT_MONTH": "100000",
}


class Served(NamedTuple):
    """A project that is being served."""

    view_style: str
    client_wrapper: bool
    project: Path
    environment: Path
    settings: dict
    server: object
    sessions: dict

    @property
    def url(self):
        return self.server.url

    def user(self, name="user"):
        """A user who has signed in."""
        return HttpClient.in_place_of_proxy(self.url, self.cookies(name))

    def anonymous(self):
        """A user who has not signed in."""
        return HttpClient.in_place_of_proxy(self.url)

    def cookies(self, name="user"):
        """What the browser of a user who has signed in sends along."""
        slug = self.project.name
        return {f"{slug}_sessionid": self.sessions[name], f"{slug}_csrftoken": "a" * 32}

    def logged(self, words):
        """The lines of the server's log that have these words."""
        return [line for line in self.server.printed().splitlines() if words in line]

    def manage(self, *arguments, **settings):
        """What `manage.py` prints, with the settings of the server."""
        return run(["python", "manage.py", *arguments], self.project, self.environment, **self.settings | settings)


class Log:
    """What a server has written since this was made."""

    def __init__(self, server):
        self.server = server
        self.start = len(server.printed())

    def lines(self, words=""):
        """The lines that have these words."""
        return [line for line in self.server.printed()[self.start :].splitlines() if words in line]

    def records(self, **wanted):
        """The lines whose fields have these values, as dictionaries. A line that is no JSON is an error."""
        whole, _, _ = self.server.printed()[self.start :].rpartition("\n")
        lines = [json.loads(line) for line in whole.splitlines()]
        return [line for line in lines if wanted.items() <= line.items()]


def until(true, seconds=10):
    """Return once it is true, for what can only be looked at; fails when it takes too long."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.01)


def change_line(path, old, new):
    """Put something else where a file says this, as it must, and once."""
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{path} says {text.count(old)} times: {old}"
    path.write_text(text.replace(old, new), encoding="utf-8")


def wait_until_loaded(server, prefix=""):
    """gunicorn listens before its workers have loaded the project, which may yet keep them from starting."""
    try:
        status = HttpClient.in_place_of_proxy(server.url).get(f"{prefix}/accounts/sign-in/").status
    except OSError:
        status = None
    assert status == 200, f"the project does not answer:\n{server.printed()}"


class Production:
    """Prepares a project once for all test processes that share a folder, and serves copies of it."""

    def __init__(self, folder, bake, environment, start=start):
        self.folder = folder
        self.bake = bake
        self.environment = environment
        self.start = start
        self.folder.mkdir(parents=True, exist_ok=True)

    def prepared(self, answers, python="oldest"):
        """The folder of a project with its tables, static files and accounts, and its environment. To be copied."""
        baked = self.bake(**answers)
        environment = self.environment(baked, find_python(python))
        shelf = self.folder / f"{baked.parent.name}-{python}"
        with FileLock(f"{shelf}.lock"):
            if not (shelf / "ready").exists():
                shutil.rmtree(shelf, ignore_errors=True)
                project = shutil.copytree(baked, shelf / baked.name)
                script = PREPARE % (USERS,)
                run(["python", "manage.py", "shell", "-c", script], project, environment, self.start, **self.settings())
                (shelf / "ready").touch()
        return shelf / baked.name, environment

    def settings(self, **more):
        """The environment variables of a project in production; with None, one is left to the project's default."""
        return {name: value for name, value in (SETTINGS | more).items() if value is not None}

    @contextmanager
    def serve(self, answers, folder, base_url, *, change=None, python="oldest", **settings):
        """Serve a copy of a project below `folder` by its production server, until the end of the block.

        `change` gets the copy before it is served.
        """
        prepared, environment = self.prepared(answers, python)
        project = Path(shutil.copytree(prepared, folder / prepared.name))
        if change:
            change(project)
        variables = self.settings(ANTHROPIC_BASE_URL=base_url, **settings)
        with production_server(project, environment, self.start, **variables) as server:
            wait_until_loaded(server, variables.get("SCRIPT_NAME", ""))
            sessions = json.loads((project / "sessions.json").read_text(encoding="utf-8"))
            yield Served(
                answers["view_style"],
                answers.get("client_wrapper", True),
                project,
                environment,
                variables,
                server,
                sessions,
            )

    @contextmanager
    def serving(self, new_folder, base_url, **settings):
        """serve(answers, **more) serves each project once, all with these settings, until the end of the block."""
        served = {}
        with ExitStack() as servers:

            def serve(answers, **more):
                key = tuple(sorted(answers.items()))
                if key not in served:
                    serving = self.serve(answers, new_folder(name_of(answers)), base_url, **settings, **more)
                    served[key] = servers.enter_context(serving)
                return served[key]

            yield serve


def variants(*view_styles, **more):
    """The answers for these view styles, with the wrapper and without."""
    return [
        {"view_style": view_style, "client_wrapper": client_wrapper, **more}
        for view_style in view_styles
        for client_wrapper in choices("client_wrapper")
    ]


def by_turns(*view_styles, **more):
    """The answers for these view styles, once each: the first with the wrapper, the next without, and so on."""
    return [variants(view_style, **more)[number % 2] for number, view_style in enumerate(view_styles)]


def served_with(*view_styles, **more):
    """Has a test run on these view styles, with the wrapper and without."""
    return pytest.mark.parametrize("served", variants(*view_styles, **more), ids=name_of, indirect=True)
