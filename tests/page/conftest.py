"""The page in a real browser: a user who has signed in, and a server whose answers the test writes."""

import ssl
from contextlib import ExitStack

import pytest
from playwright.sync_api import expect, sync_playwright

from browser import watch
from page_site import served_site
from wire import Wire

expect.set_options(timeout=30_000)


@pytest.fixture(scope="session")
def playwright():
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="session")
def sites(production, playwright, tmp_path_factory):
    """sites("async") is a project in production behind nginx, with a browser; once for all tests."""
    served = {}
    with ExitStack() as stack:

        def site(view_style):
            if view_style not in served:
                folder = tmp_path_factory.mktemp(view_style)
                served[view_style] = stack.enter_context(served_site(view_style, production, playwright, folder))
            return served[view_style]

        yield site


@pytest.fixture
def visit(sites):
    """visit(path, …) opens a page as a user who has signed in. Whatever goes wrong on it unseen fails the test."""
    opened = []

    def visit(path="/", view_style="streaming", is_signed_in=True, **options):
        site = sites(view_style)
        # What moves takes most of a page's time.
        options = {"reduced_motion": "reduce", **options}
        context = site.browser.new_context(base_url=site.url, ignore_https_errors=True, **options)
        if is_signed_in:
            context.add_cookies(site.cookies)
        page = context.new_page()
        opened.append((page, watch(page, f"{site.url}/")))
        page.goto(path)
        return page

    yield visit
    for page, wrong in opened:
        page.context.close()
        assert wrong == []


@pytest.fixture
def page(visit):
    return visit()


@pytest.fixture(scope="session")
def certificate(sites):
    """For servers that a page reaches in place of its own."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    folder = sites("streaming").certificate
    context.load_cert_chain(folder / "fullchain.pem", folder / "privkey.pem")
    return context


@pytest.fixture
def new_wire(certificate):
    """new_wire(page) gets the questions of a page, and the test answers them."""
    with ExitStack() as stack:

        def new_wire(page):
            wire = stack.enter_context(Wire(certificate=certificate))
            wire.answer_for(page)
            return wire

        yield new_wire


@pytest.fixture
def wire(page, new_wire):
    return new_wire(page)
