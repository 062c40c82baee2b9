"""Signing in and out."""

import pytest

pytestmark = pytest.mark.django_db


def test_the_page_sends_a_visitor_to_the_sign_in_page_and_back(anonymous):
    reply = anonymous.get("/")
    assert reply.status == 302
    assert reply.headers["Location"] == "/accounts/sign-in/?next=/"


def test_a_password_signs_in(client, django_user_model):
    django_user_model.objects.create_user("user", password="right")
    assert client.post("/accounts/sign-in/", {"username": "user", "password": "wrong"}).status_code == 200
    reply = client.post("/accounts/sign-in/", {"username": "user", "password": "right"})
    assert (reply.status_code, reply.headers["Location"]) == (302, "/")


def test_signing_out_takes_a_post(client, django_user_model):
    client.force_login(django_user_model.objects.create_user("user"))
    assert client.get("/accounts/sign-out/").status_code == 405
    client.post("/accounts/sign-out/")
    assert "_auth_user_id" not in client.session


def test_in_development_a_button_signs_in_a_user_who_has_no_password(client, settings, django_user_model):
    settings.DEBUG = True
    assert b'action="/accounts/demo/"' in client.get("/accounts/sign-in/").content
    assert client.post("/accounts/demo/", {"next": "https://elsewhere.example/"}).headers["Location"] == "/"
    assert client.post("/accounts/demo/", {"next": "/admin/"}).headers["Location"] == "/admin/"
    demo = django_user_model.objects.get(pk=client.session["_auth_user_id"])
    assert not demo.has_usable_password()
    assert not demo.is_staff


def test_in_production_there_is_no_such_button_and_no_such_way_in(client):
    assert b"/accounts/demo/" not in client.get("/accounts/sign-in/").content
    assert client.post("/accounts/demo/").status_code == 404


def test_the_admin_pages_work_under_the_content_security_policy(admin_client):
    reply = admin_client.get("/admin/accounts/user/")
    assert reply.status_code == 200
    assert "script-src 'self'" in reply.headers["Content-Security-Policy"]


def test_a_session_survives_a_new_secret_key(user, settings):
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "a new key"
    assert user.get("/").status == 200
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [], "one that replaces a leaked key"
    assert user.get("/").status == 302
