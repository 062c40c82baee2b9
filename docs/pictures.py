"""Takes the pictures of the page that the README shows: the default project, offline, in light and in dark.

    make pictures

Beside them it records the files that the page is made of, as `sha256sum` does: a test fails when these have changed.
"""

import hashlib
import shutil

from playwright.sync_api import expect, sync_playwright

from bakery import PROJECT_SOURCE, TEMPLATE, render
from browser import answer, ask, launch, sign_in
from environments import Environments, find_python
from production import change_line
from project_server import development_server

DOCS = TEMPLATE / "docs"
PICTURES = {"page.png": "light", "page-dark.png": "dark"}
SHOWN = [
    "chat/static/chat/chat.css",
    "chat/templates/chat/page.html",
    "chat/templates/chat/turn.html",
    "static/icon.svg",
    "static/site.css",
    "templates/base.html",
]
WINDOW = {"viewport": {"width": 1080, "height": 790}, "device_scale_factor": 1.5}


def main():
    folder = TEMPLATE / "build/pictures"
    shutil.rmtree(folder / "project", ignore_errors=True)
    project = render({}, folder / "project")
    # Slow enough for the pictures of an answer that has just begun.
    change_line(project / "config/settings.py", "CLAUDE_OFFLINE_PAUSE = 0.04", "CLAUDE_OFFLINE_PAUSE = 0.5")
    environment = Environments(folder / "environments")(project, find_python("oldest"))
    with development_server(project, environment, "streaming") as server, sync_playwright() as playwright:
        page = launch(playwright).new_page(base_url=server.url, **WINDOW)
        sign_in(page)
        ask(page, "How do I read a large CSV file without using up all the memory?")
        expect(page.get_by_role("status")).to_have_text("Answer complete", timeout=120_000)
        ask(page, "And with async views?")
        expect(answer(page)).not_to_be_empty(timeout=120_000)
        for name, scheme in PICTURES.items():
            page.emulate_media(color_scheme=scheme)
            page.screenshot(path=DOCS / name)
    hashes = {path: hashlib.sha256((PROJECT_SOURCE / path).read_bytes()).hexdigest() for path in SHOWN}
    lines = [f"{hashed}  {PROJECT_SOURCE.name}/{path}\n" for path, hashed in hashes.items()]
    (DOCS / "pictures.sha256").write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
