"""The project as a developer serves it, with the stand-in in the place of Claude, and the browser of this machine."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Error, Page, expect, sync_playwright

PROJECT = Path(__file__).resolve().parent.parent
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PATIENCE = 30  # seconds

expect.set_options(timeout=PATIENCE * 1000)


@pytest.fixture(scope="session")
def url(tmp_path_factory) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = str(probe.getsockname()[1])
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "DEBUG": "true",
        "ANTHROPIC_API_KEY": "",
# % if cookiecutter.database == "postgresql"
        "DATABASE_URL": "",
# % endif
        "DATABASE_PATH": str(tmp_path_factory.mktemp("database") / "db.sqlite3"),
    }
    migrate = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    subprocess.run(migrate, cwd=PROJECT, env=environment, check=True)
# % if cookiecutter.view_style == "async"
    serve = [sys.executable, "-m", "uvicorn", "config.asgi:application", "--port", port, "--log-level", "warning"]
# % else
    serve = [sys.executable, "manage.py", "runserver", "--noreload", port]
# % endif
    with subprocess.Popen(serve, cwd=PROJECT, env=environment) as server:
        try:
            wait_for(server, int(port))
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


def wait_for(server: "subprocess.Popen[bytes]", port: int) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and server.poll() is None:
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    pytest.fail("the server does not start: what it says stands above")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    with sync_playwright() as playwright:
        try:
            # A Chrome that is not on PATH, as on macOS, is a channel.
            browser = playwright.chromium.launch(executable_path=path, channel=None if path else "chrome")
        except Error as error:
            pytest.skip(f"no Chromium and no Chrome starts on this machine: {error.message.splitlines()[0]}")
        yield browser
        browser.close()


@pytest.fixture
def page(browser, url) -> Iterator[Page]:
    """The page of a user who has signed in. What its console complains of fails the test."""
    complaints = []
    page = browser.new_page(base_url=url, reduced_motion="reduce")
    page.on("console", lambda message: message.type in ("error", "warning") and complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto("/")
    page.get_by_role("button", name="Continue as demo user").click()
    page.wait_for_load_state()  # before the script of the page is there, Enter is a line break
    yield page
    page.close()
    assert [text for text in complaints if not text.startswith("Failed to load resource")] == []
