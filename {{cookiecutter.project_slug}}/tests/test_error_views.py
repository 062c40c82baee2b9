"""What Django answers where no view does: JSON for endpoints and for whoever prefers it, a page for people."""

import pytest
from django.conf import settings
from django.test import Client

PAGE, JSON = "text/html", "application/json"


def test_there_is_nothing_at_an_address(client):
    said = client.get("/none/", headers={"Accept": JSON})
    assert (said.status_code, said.json()) == (404, {"error": "There is nothing at this address.", "status": 404})
    shown = client.get("/none/", headers={"Accept": PAGE})
    assert (shown.status_code, shown["Content-Type"]) == (404, "text/html; charset=utf-8")


@pytest.mark.django_db
def test_a_form_of_another_site_is_refused():
    browser = Client(enforce_csrf_checks=True)
    said = browser.post("/chat/ask/", {"prompt": "Why?"}, headers={"Accept": PAGE})
    assert (said.status_code, said.json()["error"]) == (403, "Please reload the page, then ask once more.")
    shown = browser.post("/accounts/sign-in/", headers={"Accept": PAGE})
    assert (shown.status_code, shown["Content-Type"]) == (403, "text/html; charset=utf-8")


@pytest.mark.django_db
def test_a_form_that_cannot_be_read_is_refused_to_an_endpoint_as_json(user):
    said = user.post("/chat/ask/", "prompt", content_type="multipart/form-data")
    assert (said.status, said.json["status"]) == (400, 400)


@pytest.mark.parametrize(("path", "accepts", "content_type"), [("/", PAGE, "text/html"), ("/", JSON, JSON)])
def test_something_went_wrong_before_a_view(path, accepts, content_type):
    """Without the mark django_db, nobody reaches the database: not even the session can be read."""
    browser = Client(raise_request_exception=False)
    browser.cookies[settings.SESSION_COOKIE_NAME] = "a" * 32
    failed = browser.get(path, headers={"Accept": accepts})
    assert (failed.status_code, failed["Content-Type"].partition(";")[0]) == (500, content_type)
    if accepts == JSON:
        assert failed.json() == {"error": "Something went wrong", "status": 500}
