"""The admin in a real browser, over HTTPS through nginx, under the content security policy that production sends."""

import pytest
from playwright.sync_api import expect

from browser import button, watch
from page_site import PASSWORD
from production import until


# One Django and one kind of server each; the policy is the same in all.
@pytest.mark.parametrize("view_style", ["streaming", "async"])
def test_the_admin_works_under_the_policy(visit, view_style):
    loaded = {}
    page = visit("/admin/", view_style, is_signed_in=False)
    page.on("response", lambda response: loaded.update({response.url: response.status}))
    page.get_by_label("Username").fill("another")
    page.get_by_label("Password").fill(PASSWORD)
    button(page, "Log in").click()
    page.get_by_role("link", name="Users", exact=True).click()
    page.get_by_role("link", name="another").click()
    expect(page.get_by_label("Username")).to_have_value("another")
    # Of groups and of permissions; without the admin's own script there are plain lists.
    expect(page.locator(".selector-chosen")).to_have_count(2)

    page.goto("/admin/accounts/user/add/")
    page.get_by_label("Username").fill("new")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("was added successfully")).to_be_visible()
    expect(page.get_by_text("/accounts/choose-password/?user=")).to_be_visible()
    page.goto("/admin/accounts/user/")
    expect(page.get_by_role("link", name="new")).to_be_visible()

    assets = {url: status for url, status in loaded.items() if "/static/" in url}
    assert {url.rpartition(".")[2] for url in assets} >= {"css", "js", "svg"}
    assert set(loaded.values()) <= {200, 302}, loaded


def test_what_goes_wrong_on_a_page_is_noticed(sites):
    site = sites("streaming")
    page = site.browser.new_page(base_url=site.url, ignore_https_errors=True)
    wrong = watch(page, site.url)
    page.goto("/accounts/sign-in/")
    assert wrong == []
    inline, elsewhere, gone = (
        '<p style="color: red">No',
        '<img src="https://example.net/">',
        '<img src="/static/gone.png">',
    )
    page.evaluate("html => document.body.insertAdjacentHTML('beforeend', html)", inline + elsewhere + gone)
    for words in ("style-src", "img-src", "ContentSecurityPolicyIssue", "404 for"):
        until(lambda words=words: page.title() and any(words in text for text in wrong))
    page.context.close()
