"""Choosing a password with a link: who gets one, where it leads, and how often it works."""

import re
import threading
from datetime import timedelta

import pytest
from django.conf import settings as project_settings
from django.contrib.auth.models import Permission
from django.contrib.sessions.models import Session
from django.core import mail
from django.test.utils import override_script_prefix
from django.utils import timezone

from accounts import links
from accounts.models import LinkRequest

pytestmark = pytest.mark.django_db

FORGOT = "/accounts/forgot-password/"
CHOSEN = {"new_password1": "seven-small-otters", "new_password2": "seven-small-otters"}


def sent():
    """The e-mails that are sent, with the threads that send them."""
    for thread in threading.enumerate():
        if thread.name == "account-mail":
            thread.join(10)
    messages, mail.outbox[:] = list(mail.outbox), []
    return messages


def link_in(text):
    """The path of the link."""
    return re.search(r"https://example\.com(/[^\s<]+)", text.replace("&amp;", "&"))[1]


@pytest.fixture(autouse=True)
def no_mail_before(settings):
    settings.SITE_ORIGIN = "https://example.com"
    mail.outbox[:] = []


@pytest.fixture
def ada(django_user_model):
    return django_user_model.objects.create_user("ada", "Ada@example.com", "forgotten")


@pytest.fixture
def link(client, ada):
    client.post(FORGOT, {"email": ada.email})
    return link_in(sent()[0].body)


def choose(client, link):
    """Follows the link and chooses a password."""
    reply = client.get(link)
    return client.post(reply.headers.get("Location", link), CHOSEN)


def can_sign_in(client, password=CHOSEN["new_password1"]):
    client.logout()
    return client.post("/accounts/sign-in/", {"username": "ada", "password": password}).status_code == 302


def test_a_forgotten_password_is_replaced_by_a_link_that_signs_in(client, ada, link):
    page = client.get(link)
    assert (page.status_code, page.headers["Location"]) == (302, "/accounts/choose-password/")  # without its token
    assert "no-store" in client.get(page.headers["Location"]).headers["Cache-Control"]
    reply = client.post(page.headers["Location"], CHOSEN)
    assert (reply.status_code, reply.headers["Location"]) == (302, "/")
    assert client.session["_auth_user_id"] == str(ada.pk)
    assert can_sign_in(client)


def test_a_link_works_once(client, link):
    choose(client, link)
    client.logout()
    assert b"This link no longer works" in choose(client, link).content
    assert "_auth_user_id" not in client.session


def test_a_link_is_of_no_use_after_a_while(client, link, settings):
    settings.PASSWORD_RESET_TIMEOUT = -1
    assert b"This link no longer works" in choose(client, link).content
    assert not can_sign_in(client)


@pytest.mark.parametrize("change", [{"email": "new@example.com"}, {"is_active": False}, {"last_login": timezone.now()}])
def test_a_link_is_of_no_use_when_its_account_has_changed(client, ada, link, django_user_model, change):
    django_user_model.objects.filter(pk=ada.pk).update(**change)
    assert b"This link no longer works" in choose(client, link).content


@pytest.mark.parametrize(
    "query", ["token=set-password", "token=", "user=MQ&token=x-y", "user=%00&token=%00", f"user={'9' * 40}&token=x", ""]
)
def test_a_link_that_nobody_was_sent_is_none(client, ada, query):
    reply = client.get(f"/accounts/choose-password/?{query}")
    assert (reply.status_code, b"This link no longer works" in reply.content) == (200, True)
    assert client.post(f"/accounts/choose-password/?{query}", CHOSEN).status_code == 200
    assert not Session.objects.exists()
    assert can_sign_in(client, "forgotten")


def test_a_link_of_one_is_not_good_for_another(client, link, django_user_model):
    other = django_user_model.objects.create_user("other", password="x")
    client.get(link)
    reply = choose(client, re.sub(r"user=\w+", f"user={links.urlsafe_base64_encode(str(other.pk).encode())}", link))
    assert b"This link no longer works" in reply.content


def test_whoever_has_signed_in_as_somebody_else_is_then_the_user_of_the_link(client, ada, link, django_user_model):
    client.force_login(django_user_model.objects.create_user("other"))
    choose(client, link)
    assert client.session["_auth_user_id"] == str(ada.pk)


@pytest.mark.parametrize("address", ["nobody@example.com", "ada@example.com", "ADA@EXAMPLE.COM"])
def test_the_page_does_not_say_who_has_an_account(client, ada, address):
    reply = client.post(FORGOT, {"email": address}, follow=True)
    assert b"If all is right with this address" in reply.content
    assert [message.to for message in sent()] == ([[ada.email]] if "nobody" not in address else [])


def test_nobody_can_flood_a_mailbox(client, ada, django_user_model):
    django_user_model.objects.create_user("second", "ada@example.com", "x")
    written = ("ada@example.com", "Ada@Example.com", "ada@example.com ")
    replies = [client.post(FORGOT, {"email": address}) for address in written]
    assert {(reply.status_code, reply.headers["Location"]) for reply in replies} == {(302, "/accounts/sign-in/")}
    assert len(sent()) == 2  # one for each of the accounts
    LinkRequest.objects.update(asked_at=timezone.now() - links.PAUSE + timedelta(seconds=5))
    client.post(FORGOT, {"email": "ada@example.com"})
    assert sent() == []
    LinkRequest.objects.update(asked_at=timezone.now() - links.PAUSE)
    client.post(FORGOT, {"email": "ada@example.com"})
    assert len(sent()) == 2
    assert "ada" not in str(LinkRequest.objects.values())


def test_nobody_can_flood_a_mailbox_by_giving_its_address_to_many_accounts(client, django_user_model):
    for number in range(12):
        django_user_model.objects.create_user(f"user{number}", "victim@example.com", "x")
    client.post(FORGOT, {"email": "victim@example.com"})
    assert len(sent()) == 10


def test_only_an_account_that_can_be_used_gets_a_link(client, django_user_model):
    users = django_user_model.objects
    users.create_user("left", "a@example.com", "x", is_active=False)
    users.create_user("without a password", "a@example.com", last_login=timezone.now())
    users.create_user("never signed in", "a@example.com")
    users.create_user("no address", "", "x")
    client.post(FORGOT, {"email": "a@example.com"})
    assert ["never signed in" in message.body for message in sent()] == [True]


def test_a_false_host_name_gets_into_no_link(client, ada, settings):
    settings.ALLOWED_HOSTS = ["*"]
    client.post(FORGOT, {"email": ada.email}, headers={"Host": "evil.example", "X-Forwarded-Host": "evil.example"})
    (message,) = sent()
    assert "evil" not in message.body
    assert "https://example.com/accounts/choose-password/?user=" in message.body


def test_on_this_machine_a_link_has_the_host_of_the_request(client, ada, settings):
    settings.SITE_ORIGIN, settings.ALLOWED_HOSTS = "", ["localhost"]
    client.post(FORGOT, {"email": ada.email}, headers={"Host": "localhost:8001"})
    assert "http://localhost:8001/accounts/choose-password/?user=" in sent()[0].body


def test_below_a_path_a_link_has_the_path(client, ada):
    with override_script_prefix("/app/"):
        client.post(FORGOT, {"email": ada.email})
    link = link_in(sent()[0].body)
    assert link.startswith("/app/accounts/choose-password/?user=")
    reply = client.get(link.removeprefix("/app"), SCRIPT_NAME="/app")
    assert reply.headers["Location"] == "/app/accounts/choose-password/"


def test_an_e_mail_that_cannot_be_sent_is_a_line_in_the_log(client, ada, settings, monkeypatch, caplog):
    settings.DEFAULT_FROM_EMAIL = "two\nlines"  # which Django refuses
    reply = client.post(FORGOT, {"email": ada.email})
    sent()
    assert reply.status_code == 302
    (line,) = [line for line in caplog.records if line.name == "accounts"]
    assert (line.levelname, "Ada" in line.getMessage()) == ("ERROR", False)


def test_without_a_mail_server_nobody_is_offered_a_link(client, settings):
    assert FORGOT.encode() in client.get("/accounts/sign-in/").content
    settings.SENDS_MAIL = False
    assert FORGOT.encode() not in client.get("/accounts/sign-in/").content
    assert client.get(FORGOT).status_code == client.post(FORGOT, {"email": "a@example.com"}).status_code == 404


# --- Invitations ---


def invite(admin_client, email="ada@example.com"):
    fields = {"username": "ada", "email": email}
    return admin_client.post("/admin/accounts/user/add/", fields, follow=True).content.decode()


def test_an_administrator_invites_somebody_by_e_mail(admin_client, client, django_user_model):
    page = invite(admin_client)
    assert "A link is on its way to ada@example.com" in page
    assert "choose-password" not in page
    assert not django_user_model.objects.get(username="ada").has_usable_password()
    (message,) = sent()
    choose(client, link_in(message.body))
    assert can_sign_in(client)


@pytest.mark.parametrize(("email", "sends"), [("", True), ("ada@example.com", False)])
def test_without_e_mail_the_administrator_gets_the_link(admin_client, client, settings, email, sends):
    settings.SENDS_MAIL = sends
    page = invite(admin_client, email)
    assert sent() == []
    choose(client, link_in(page))
    assert can_sign_in(client)


def test_an_administrator_sends_another_link(admin_client, client, ada, django_user_model):
    left = django_user_model.objects.create_user("left", "left@example.com", is_active=False)
    chosen = {"action": "invite", "_selected_action": [ada.pk, left.pk]}
    admin_client.post("/admin/accounts/user/", chosen)
    (message,) = sent()
    choose(client, link_in(message.body))
    assert can_sign_in(client)


def test_whoever_may_only_look_at_users_invites_nobody(client, ada, django_user_model):
    staff = django_user_model.objects.create_user("staff", is_staff=True)
    staff.user_permissions.add(Permission.objects.get(codename="view_user"))
    client.force_login(staff)
    client.post("/admin/accounts/user/", {"action": "invite", "_selected_action": [ada.pk]})
    assert client.get("/admin/accounts/user/add/").status_code == 403
    assert sent() == []


def test_an_invited_user_who_has_lost_the_link_asks_for_another(admin_client, client):
    invite(admin_client)
    sent()
    client.post(FORGOT, {"email": "ada@example.com"})
    choose(client, link_in(sent()[0].body))
    assert can_sign_in(client)


# --- Signing up ---

SIGN_UP = "/accounts/sign-up/"


def test_nobody_signs_up_unless_a_setting_allows_it(client, django_user_model):
    assert project_settings.ACCOUNTS_SIGN_UP is False
    fields = {"username": "ada", "email": "ada@example.com"}
    assert client.get(SIGN_UP).status_code == client.post(SIGN_UP, fields).status_code == 404
    assert SIGN_UP.encode() not in client.get("/accounts/sign-in/").content
    assert not django_user_model.objects.exists()


def test_whoever_signs_up_gets_a_link_first(client, settings, django_user_model):
    settings.ACCOUNTS_SIGN_UP = True
    assert SIGN_UP.encode() in client.get("/accounts/sign-in/").content
    fields = {"username": "ada", "email": "ada@example.com", "is_staff": "on", "is_superuser": "on"}
    reply = client.post(SIGN_UP, fields)
    assert (reply.status_code, "_auth_user_id" in client.session) == (302, False)
    user = django_user_model.objects.get()
    assert (user.has_usable_password(), user.is_staff, user.is_superuser) == (False, False, False)
    (message,) = sent()
    choose(client, link_in(message.body))
    assert can_sign_in(client)
    # Nobody can have many e-mails sent by making many accounts.
    client.logout()
    client.post(SIGN_UP, {"username": "second", "email": "ada@example.com"})
    assert (sent(), django_user_model.objects.count()) == ([], 1)
    # But that keeps no link to a new password from whoever has the address.
    client.post(FORGOT, {"email": "ada@example.com"})
    assert len(sent()) == 1


@pytest.mark.parametrize("fields", [{"username": "new"}, {"username": "ADA", "email": "a@example.com"}])
def test_an_account_needs_an_address_and_a_name_of_its_own(client, settings, ada, django_user_model, fields):
    settings.ACCOUNTS_SIGN_UP = True
    assert client.post(SIGN_UP, fields).status_code == 200
    assert (sent(), django_user_model.objects.count()) == ([], 1)
