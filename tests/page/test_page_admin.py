"""The admin in a real browser, over HTTPS through nginx, under the content security policy that production sends."""

import pytest
from playwright.sync_api import expect, sync_playwright

from browser import button, launch, watch
from claude_server.client import refused_url
from environments import PYTHONS
from nginx_server import Site, find_nginx

PASSWORD = "seven-small-otters"
# One Django and one kind of server each; the policy is the same in all.
STYLES = dict(zip(PYTHONS, ["streaming", "async"], strict=True))


@pytest.fixture(scope="module", params=PYTHONS)
def site(request, production, tmp_path_factory):
    """A project in production behind nginx, with a user who may do everything."""
    folder = tmp_path_factory.mktemp("admin")
    answers = {"view_style": STYLES[request.param], "client_wrapper": True}
    with refused_url() as nobody, production.serve(answers, folder, nobody, python=request.param) as served:
        account = ["--username", "boss", "--email", "boss@example.com"]
        served.manage("createsuperuser", "--no-input", *account, DJANGO_SUPERUSER_PASSWORD=PASSWORD)
        site = Site(served.project, folder / "site", served.server.port, static=served.project / "staticfiles")
        with site.start(find_nginx("system")):
            yield site


@pytest.fixture
def page(site):
    """A browser that finds the domain here, at the port that the world uses."""
    with sync_playwright() as playwright:
        browser = launch(playwright, f"--host-resolver-rules=MAP {site.domain}:443 127.0.0.1:{site.https_port}")
        context = browser.new_context(base_url=f"https://{site.domain}", ignore_https_errors=True)
        yield context.new_page()
        browser.close()


def test_the_admin_works_under_the_policy(page, site):
    wrong = watch(page, f"https://{site.domain}/")
    loaded = {}
    page.on("response", lambda response: loaded.update({response.url: response.status}))

    page.goto("/admin/")
    page.get_by_label("Username").fill("boss")
    page.get_by_label("Password").fill(PASSWORD)
    button(page, "Log in").click()
    page.get_by_role("link", name="Users").click()
    page.get_by_role("link", name="boss").click()
    expect(page.get_by_label("Email address")).to_have_value("boss@example.com")
    # Of groups and of permissions; without the admin's own script there are plain lists.
    expect(page.locator(".selector-chosen")).to_have_count(2)

    page.goto("/admin/accounts/user/add/")
    page.get_by_label("Username").fill("new")
    page.locator("[name=password1]").fill(PASSWORD)
    page.locator("[name=password2]").fill(PASSWORD)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("was added successfully")).to_be_visible()
    page.goto("/admin/accounts/user/")
    expect(page.get_by_role("link", name="new")).to_be_visible()

    assets = {url: status for url, status in loaded.items() if "/static/" in url}
    assert {url.rpartition(".")[2] for url in assets} >= {"css", "js", "svg"}
    assert set(loaded.values()) <= {200, 302}, loaded
    assert wrong == []

    # Inline code is what the policy forbids: the browser would have said so.
    with page.expect_console_message(lambda message: "Content Security Policy" in message.text):
        page.evaluate("document.body.insertAdjacentHTML('beforeend', '<p style=\"color: red\">No</p>')")
