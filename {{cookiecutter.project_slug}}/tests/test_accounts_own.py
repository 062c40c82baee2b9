"""The pages of one's own account."""

import uuid

import pytest
from axes.models import AccessAttempt
from django.contrib.sessions.models import Session
from django.test import Client

from accounts.forms import AccountForm
from chat.models import Conversation, Turn
# % if cookiecutter.usage
from tests.spending import LedgerEntry, spend
from usage.models import DailySpending, UserBudget
# % endif
{{ "" }}
pytestmark = pytest.mark.django_db

PASSWORD = "seven-small-otters"


@pytest.fixture
def ada(django_user_model):
    return django_user_model.objects.create_user("ada", "ada@example.com", PASSWORD)


@pytest.fixture
def browsers(ada):
    """Two of one user."""
    browsers = [Client(), Client()]
    for browser in browsers:
        browser.post("/accounts/sign-in/", {"username": "ada", "password": PASSWORD})
    return browsers


def signed_in(browsers):
    return [browser.get("/").status_code == 200 for browser in browsers]


@pytest.mark.parametrize("path", ["", "change-password/", "sign-out-everywhere/", "delete/"])
def test_a_page_of_an_account_is_for_its_user_and_for_no_cache(client, browsers, path):
    assert client.get(f"/accounts/{path}").status_code == 302
    reply = browsers[0].get(f"/accounts/{path}")
    assert reply.status_code == 200
    assert "no-store" in reply.headers["Cache-Control"]
    assert "default-src 'none'" in reply.headers["Content-Security-Policy"]


def test_users_change_their_names(browsers, ada):
    fields = {"first_name": "Ada", "last_name": "L", "email": ada.email, "is_superuser": "on", "username": "root"}
    reply = browsers[0].post("/accounts/", fields, follow=True)
    assert b"Your account is changed." in reply.content
    ada.refresh_from_db()
    assert (ada.first_name, ada.last_name, ada.username, ada.is_superuser) == ("Ada", "L", "ada", False)


def test_a_new_name_takes_back_nothing_that_has_changed_meanwhile(ada, django_user_model):
    form = AccountForm({"first_name": "Ada", "email": ada.email}, instance=ada, request=None)
    assert form.is_valid()
    django_user_model.objects.update(password="new")
    form.save()
    ada.refresh_from_db()
    assert (ada.first_name, ada.password) == ("Ada", "new")


def test_an_e_mail_address_is_changed_with_the_password(browsers, ada):
    for password, expected in [("", "ada@example.com"), ("wrong", "ada@example.com"), (PASSWORD, "new@example.com")]:
        browsers[0].post("/accounts/", {"email": "new@example.com", "password": password})
        ada.refresh_from_db()
        assert ada.email == expected


def test_a_new_password_ends_all_other_sessions(browsers):
    new = "eight-tall-herons"
    fields = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    assert browsers[0].post("/accounts/change-password/", fields).status_code == 302
    assert signed_in(browsers) == [True, False]
    reply = browsers[1].post("/accounts/sign-in/", {"username": "ada", "password": new})
    assert reply.status_code == 302


def test_signing_out_everywhere_ends_all_other_sessions_and_keeps_the_password(browsers):
    assert browsers[0].post("/accounts/sign-out-everywhere/", {"password": "wrong"}).status_code == 200
    assert signed_in(browsers) == [True, True]
    browsers[0].post("/accounts/sign-out-everywhere/", {"password": PASSWORD})
    assert signed_in(browsers) == [True, False]
    assert browsers[1].post("/accounts/sign-in/", {"username": "ada", "password": PASSWORD}).status_code == 302


@pytest.mark.parametrize("path", ["sign-out-everywhere/", "delete/", "change-password/", ""])
def test_a_stranger_at_the_desk_cannot_try_passwords_for_ever(browsers, settings, path):
    settings.AXES_FAILURE_LIMIT = 3
    fields = {"password": "wrong", "old_password": "wrong", "email": "new@example.com"}
    statuses = [browsers[0].post(f"/accounts/{path}", fields).status_code for _ in range(3)]
    assert statuses == [200, 200, 429]


def test_a_language_can_be_chosen_where_there_are_two(client, ada, settings):
    settings.MIDDLEWARE = ["django.middleware.locale.LocaleMiddleware", *settings.MIDDLEWARE]
    client.force_login(ada)
    assert b"id_language" not in client.get("/accounts/").content
    settings.LANGUAGES = [("en", "English"), ("de", "Deutsch")]
    assert b"Deutsch" in client.get("/accounts/").content
    for following, location in [("/accounts/", "/accounts/"), ("https://elsewhere.example/", "/")]:
        reply = client.post("/accounts/language/", {"language": "de", "next": following})
        assert reply.headers["Location"] == location
    assert b'<html lang="de"' in client.get("/accounts/").content


def test_whoever_has_no_password_is_not_asked_for_it(client, django_user_model):
    client.force_login(django_user_model.objects.create_user("demo"))
    page = client.get("/accounts/").content
    assert b"/accounts/delete/" not in page
    assert client.post("/accounts/delete/", {"password": ""}).status_code == 200
    assert django_user_model.objects.exists()


# --- Deleting ---


def test_an_account_goes_with_all_that_belongs_to_it(browsers, ada, django_user_model, caplog):
    others = Conversation.objects.create(user=django_user_model.objects.create_user("other"), title="Mine")
    conversation = uuid.uuid4()
    browsers[0].post("/chat/ask/", {"prompt": "Hello", "conversation": conversation})
    browsers[0].post("/chat/ask/", {"prompt": "Alone", "idempotency_key": uuid.uuid4()})
    assert Turn.objects.count() == 2
    assert browsers[0].post("/accounts/delete/", {"password": "wrong"}).status_code == 200
    assert Turn.objects.count() == 2
    session = browsers[0].session.session_key
    reply = browsers[0].post("/accounts/delete/", {"password": PASSWORD}, follow=True)
    assert b"Your account is deleted." in reply.content
    assert list(Conversation.objects.all()) == [others]
    assert not Turn.objects.exists()
    assert not django_user_model.objects.filter(username="ada").exists()
    assert signed_in(browsers) == [False, False]
    assert not Session.objects.filter(pk=session).exists()
    assert not AccessAttempt.objects.exists()
    assert f"User {ada.pk} has deleted their account" in caplog.text


# % if cookiecutter.usage
def test_of_what_a_deleted_user_has_spent_the_money_stays(browsers, ada):
    spend(ada, "1.5")
    UserBudget.objects.create(user=ada)
    before = sum(entry.cost for entry in LedgerEntry.objects.all())
    browsers[0].post("/accounts/delete/", {"password": PASSWORD})
    assert sum(entry.cost for entry in LedgerEntry.objects.all()) == before == 1.5
    assert not LedgerEntry.objects.exclude(user=None).exists()
    assert not DailySpending.objects.exclude(user=None).exists()
    assert not UserBudget.objects.exists()


# % endif
def test_the_last_administrator_stays(client, django_user_model):
    one, two = (django_user_model.objects.create_superuser(name, password=PASSWORD) for name in ("one", "two"))
    django_user_model.objects.create_superuser("left", is_active=False)
    client.force_login(one)
    assert client.post("/accounts/delete/", {"password": PASSWORD}).status_code == 302
    client.force_login(two)
    reply = client.post("/accounts/delete/", {"password": PASSWORD})
    assert b"You are the last administrator" in reply.content
    assert django_user_model.objects.filter(pk=two.pk).exists()
