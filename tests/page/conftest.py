"""The page in a real browser: a user who has signed in, and a server whose answers the test writes."""

import pytest
from playwright.sync_api import expect, sync_playwright

from browser import launch, sign_in, watch
from wire import Wire

expect.set_options(timeout=30_000)


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def site(live_project):
    return live_project("streaming")


@pytest.fixture(scope="module")
def cookies(browser, site):
    """What a browser holds once the demo user has signed in."""
    page = browser.new_page(base_url=site)
    sign_in(page)
    state = page.context.storage_state()
    page.context.close()
    return state


@pytest.fixture
def visit(browser, site, cookies):
    """visit(path, …) opens a page as the demo user. Whatever goes wrong on it unseen fails the test."""
    opened = []

    def visit(path="/", **options):
        page = browser.new_context(**{"storage_state": cookies, "base_url": site, **options}).new_page()
        opened.append((page, watch(page)))
        page.goto(path)
        return page

    yield visit
    for page, wrong in opened:
        page.context.close()
        assert wrong == []


@pytest.fixture
def page(visit):
    return visit()


@pytest.fixture
def wire(page):
    with Wire() as wire:
        wire.answer_for(page)
        yield wire
