"""The first question of a worker finds what the second does, and a worker that cannot have it starts all the same."""

import subprocess
import sys

# % if cookiecutter.view_style == "async"
START = """
import asyncio
from claude.client import clients
from config.asgi import application

async def start():
    messages = iter(["lifespan.startup", "lifespan.shutdown"])

    async def receive():
        return {"type": next(messages)}

    async def send(message):
        if message["type"] == "lifespan.startup.complete":
            say(len(clients))

    await application({"type": "lifespan"}, receive, send)

spoil()
asyncio.run(start())
"""
# % else
START = """
from claude.client import get_client
from config.gunicorn import post_worker_init

spoil()
post_worker_init(None)
say(get_client.cache_info().currsize)
"""
# % endif
PROGRAM = (
    """
import gc, os, sys
import django
from django.conf import settings

django.setup()
settings.DEBUG, settings.CLAUDE_OFFLINE, settings.ANTHROPIC_API_KEY = "DEBUG" in sys.argv, False, "sk-ant-test"

def spoil():
    if "broken" in sys.argv:
        os.environ["SSL_CERT_FILE"] = "/nowhere"

def steps_to_an_error():
    import anthropic, httpx2

    response, steps = httpx2.Response(400, request=httpx2.Request("POST", "https://example.com")), []
    sys.setprofile(lambda *event: steps.append(event[1]))
    anthropic.BadRequestError("", response=response, body={})
    sys.setprofile(None)
    return len(steps)

def say(clients):
    loaded = sorted({"anthropic", "genai_prices", "opentelemetry.propagate"} & sys.modules.keys())
    first, second = steps_to_an_error(), steps_to_an_error()
    loaded += ["errors"] * (first < 2 * second) + ["frozen"] * (gc.get_freeze_count() > 0)
    print("ready with", clients, *loaded)
"""
    + START
)
LOADED = "anthropic {{ 'genai_prices ' if cookiecutter.usage }}opentelemetry.propagate errors frozen"


def ready(*arguments):
    """What a worker has when it is ready for its first question, and what it has logged."""
    environment = {"DJANGO_SETTINGS_MODULE": "tests.settings"}
    command = [sys.executable, "-c", PROGRAM, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.rpartition("ready with ")[2].strip(), done.stderr


def test_a_worker_in_production_has_loaded_the_sdk_and_built_its_client_before_its_first_question():
    said, logged = ready()
    assert said == f"1 {LOADED}"
    assert "A worker starts without" not in logged


def test_in_development_a_start_stays_quick():
    assert ready("DEBUG")[0] == "0"


def test_a_worker_whose_environment_cannot_work_starts_and_says_so():
    said, logged = ready("broken")
    assert said.startswith("0 anthropic")
    assert "A worker starts without what its first question needs: Failure" in logged
