"""Takes the pictures of the page that the README shows: the default project, offline, as its users meet it.

    make pictures

Beside them it records the files that the page is made of, as `sha256sum` does: a test fails when these have changed.
"""

import hashlib
import shutil

from playwright.sync_api import expect, sync_playwright

from bakery import PROJECT_SOURCE, TEMPLATE, render
from browser import ask, launch, sign_in
from environments import Environments, find_python, run
from production import change_line
from project_server import development_server, development_settings

DOCS = TEMPLATE / "docs"
SHOWN = [
    "chat/static/chat/answer.css",
    "chat/static/chat/chat.css",
    "chat/static/chat/conversations.css",
    "chat/templates/chat/conversation_list.html",
    "chat/templates/chat/conversations.html",
    "chat/templates/chat/page.html",
    "chat/templates/chat/turn.html",
    "static/icon.svg",
    "static/site.css",
    "templates/base.html",
    "usage/static/usage/{% if cookiecutter.usage %}usage.css{% endif %}",
    *(
        f"usage/templates/usage/{{% if cookiecutter.usage %}}{name}.html{{% endif %}}"
        for name in ("budget", "chart", "days", "links", "page", "table", "team")
    ),
]
SEE_ALL = "from django.contrib.auth import get_user_model; get_user_model().objects.update(is_superuser=True)"
DESKTOP = {"viewport": {"width": 1280, "height": 860}, "device_scale_factor": 1.25}
PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "has_touch": True, "is_mobile": True}


def main():
    folder = TEMPLATE / "build/pictures"
    shutil.rmtree(folder / "project", ignore_errors=True)
    project = render({}, folder / "project")
    # Slow enough for the pictures of an answer that has just begun.
    change_line(project / "config/settings.py", "CLAUDE_OFFLINE_PAUSE = 0.04", "CLAUDE_OFFLINE_PAUSE = 0.15")
    environment = Environments(folder / "environments")(project, find_python("oldest"))
    with development_server(project, environment, "streaming") as server, sync_playwright() as playwright:
        browser = launch(playwright)
        page = browser.new_page(base_url=server.url, **DESKTOP)
        sign_in(page)
        an_answer_arrives(page)
        take(page, "page.png")
        take(page, "page-dark.png", "dark")
        finished(page)
        phone = browser.new_context(base_url=server.url, storage_state=page.context.storage_state(), **PHONE).new_page()
        phone.goto(page.url)
        take(phone, "phone.png")
        take(phone, "phone-dark.png", "dark")
        an_error_is_explained(page)
        take(page, "error.png")
        page.goto("/c/")
        take(page, "conversations.png")
        manage = ["python", "manage.py"]
        run([*manage, "usage_demo"], project, environment, **development_settings(project))
        run([*manage, "shell", "-c", SEE_ALL], project, environment, **development_settings(project))
        page.set_viewport_size({"width": 1280, "height": 1010})
        for path, name in [("/usage/", "usage"), ("/usage/team/", "usage-team")]:
            page.goto(path)
            take(page, f"{name}.png")
            take(page, f"{name}-dark.png", "dark")
    hashes = {path: hashlib.sha256((PROJECT_SOURCE / path).read_bytes()).hexdigest() for path in SHOWN}
    lines = [f"{hashed}  {PROJECT_SOURCE.name}/{path}\n" for path, hashed in hashes.items()]
    (DOCS / "pictures.sha256").write_text("".join(lines), encoding="utf-8")


def an_answer_arrives(page):
    """The second answer of a conversation has got as far as its table."""
    ask(page, "How do I read a large CSV file without using up all the memory?")
    finished(page)
    ask(page, "And with async views?")
    expect(page.locator(".turn").last.locator("td")).to_have_count(6, timeout=120_000)


def an_error_is_explained(page):
    page.goto("/")
    ask(page, "Why is the sky blue?")
    finished(page)
    ask(page, "fail overloaded_error")
    expect(page.locator(".turn[aria-busy]")).to_have_count(0, timeout=120_000)


def finished(page):
    expect(page.get_by_role("status")).to_have_text("Answer complete", timeout=120_000)


def take(page, name, scheme="light"):
    page.emulate_media(color_scheme=scheme)
    page.screenshot(path=DOCS / name)


if __name__ == "__main__":
    main()
