"""Whose wrong passwords are counted together, and what strangers may send without breaking the sign-in page."""

import pytest
from axes.models import AccessAttempt

from accounts.throttle import client_address

CONNECTION = "198.51.100.9"
V4 = "192.0.2.7"
V6 = "2001:db8::"
FORWARDED = {
    # What proxies send.
    "192.0.2.7": V4,
    "192.0.2.7:5678": V4,  # Azure, IIS
    " 192.0.2.7\t": V4,
    '"192.0.2.7:5678"': V4,
    "203.0.113.1, 192.0.2.7": V4,
    "203.0.113.1,192.0.2.7": V4,  # two header lines
    "unknown, 10.0.0.1, 192.0.2.7": V4,
    "::ffff:192.0.2.7": V4,
    "::FFFF:c000:207": V4,
    "[::ffff:192.0.2.7]:443": V4,
    "2001:db8::1": V6,
    "2001:DB8:0:0:0:0:0:1": V6,
    "2001:db8::ffff:ffff:ffff:ffff": V6,
    "[2001:db8::1]": V6,
    "[2001:db8::1]:443": V6,
    '"[2001:db8::1]:443"': V6,
    "[2001:db8::1%eth0]:443": V6,
    "2001:db8::1%25eth0": V6,
    "fe80::1%eth0": "fe80::",
    "2001:db8:0:1::1": "2001:db8:0:1::",
    # What is no address, or none of which it is certain that the proxy wrote it.
    "": CONNECTION,
    " ": CONNECTION,
    ",": CONNECTION,
    "192.0.2.7,": CONNECTION,
    "192.0.2.7, ": CONNECTION,
    "192.0.2.7, unknown": CONNECTION,
    "_hidden": CONNECTION,
    "_SEVKISEK:8080": CONNECTION,
    "localhost": CONNECTION,
    "unix:": CONNECTION,
    "unix:/run/project.sock": CONNECTION,
    "for=192.0.2.7": CONNECTION,
    'for="[2001:db8::1]:443";proto=https': CONNECTION,
    "192.0.2.7 203.0.113.1": CONNECTION,
    "192.0.2.256": CONNECTION,
    "192.0.2": CONNECTION,
    "192.0.2.07": CONNECTION,
    "192.0.2.7/32": CONNECTION,
    "3221225991": CONNECTION,
    "0xc0000207": CONNECTION,
    "2001:db8:::1": CONNECTION,
    "[2001:db8::1": V6,
    "[": CONNECTION,
    "[]:443": CONNECTION,
    ":443": CONNECTION,
    "::1%": CONNECTION,
    "\u0661.\u0662.\u0663.\u0664": CONNECTION,
    "\xff\xfe": CONNECTION,
    "null": CONNECTION,
    "192.0.2.7\x00": CONNECTION,
    "'; DROP TABLE axes_accessattempt; --": CONNECTION,
    "9" * 8192: CONNECTION,
    "::1%" + "x" * 8192: "::",
    "203.0.113.1, " * 600 + "192.0.2.7": V4,
}
# What a stranger may type. The database counts in bytes or characters, and refuses some of them.
NAMES = {
    "no user": "nobody",
    "5,000 letters": "x" * 5000,
    "300 emoji": "\U0001f600" * 300,
    "300 letters of three bytes": "\u20ac" * 300,
    "a name that grows when it is normalised": "\ufdfa" * 150,
    "a NUL": "a\0b",
    "only a NUL": "\0",
    "half an emoji": b"\xed\xa0\x80",
    "what is not UTF-8": b"\xff\xfe",
    "every control character": "".join(map(chr, range(1, 32))),
    "nothing": "",
    "white space": " \t",
}


@pytest.fixture(autouse=True)
def behind_a_proxy(settings):
    settings.TRUST_PROXY = True
    settings.AXES_FAILURE_LIMIT = 3


@pytest.mark.parametrize(("forwarded", "address"), FORWARDED.items(), ids=lambda text: repr(text[:40]))
def test_the_address_that_the_proxy_forwards_counts_or_that_of_the_connection(rf, forwarded, address):
    request = rf.get("/", REMOTE_ADDR=CONNECTION, HTTP_X_FORWARDED_FOR=forwarded)
    assert client_address(request) == address


def test_nobody_but_a_trusted_proxy_says_where_a_request_comes_from(rf, settings):
    settings.TRUST_PROXY = False
    said = {"X-Forwarded-For": V4, "Forwarded": f"for={V4}", "X-Real-IP": V4}
    assert client_address(rf.get("/", REMOTE_ADDR="::ffff:198.51.100.9", headers=said)) == CONNECTION


@pytest.mark.parametrize("connection", ["", "unix:", "@"])
def test_a_connection_without_an_address_has_none(rf, connection):
    assert client_address(rf.get("/", REMOTE_ADDR=connection)) is None


@pytest.mark.django_db
@pytest.mark.parametrize("page", ["/accounts/sign-in/", "/admin/login/"])
def test_a_password_that_is_wrong_too_often_is_no_longer_tried(client, django_user_model, settings, page):
    django_user_model.objects.create_superuser("user", password="right")
    django_user_model.objects.create_superuser("another", password="right")

    def sign_in(username, password, forwarded="203.0.113.1"):
        return client.post(page, {"username": username, "password": password}, HTTP_X_FORWARDED_FOR=forwarded)

    # From another port and through another header each time: this is one address all the same.
    statuses = [
        sign_in("user", "wrong", f"192.0.2.{port}, 203.0.113.1:{port}").status_code
        for port in range(settings.AXES_FAILURE_LIMIT)
    ]
    assert statuses == [200] * (settings.AXES_FAILURE_LIMIT - 1) + [429]
    refused = sign_in("user", "right")
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "900")
    assert b"Please wait a quarter of an hour" in refused.content
    # Neither somebody else's account, nor the same one from elsewhere.
    assert sign_in("another", "right").status_code == 302
    client.logout()
    assert sign_in("user", "right", "203.0.113.2").status_code == 302


@pytest.mark.django_db
@pytest.mark.parametrize(
    "address",
    ["2001:db8::{}", "[2001:db8::{}]:443", "2001:db8::1%{}", "unknown", "_hidden{}", "", "192.0.2.{},", "{}\xff"],
)
@pytest.mark.parametrize("connection", ["198.51.100.9", ""])
def test_no_form_of_an_address_gets_around_the_limit(client, settings, address, connection):
    fields = {"username": "user", "password": "wrong"}
    statuses = [
        client.post(
            "/accounts/sign-in/", fields, REMOTE_ADDR=connection, HTTP_X_FORWARDED_FOR=address.format(number)
        ).status_code
        for number in range(1, settings.AXES_FAILURE_LIMIT + 1)
    ]
    assert statuses == [200] * (settings.AXES_FAILURE_LIMIT - 1) + [429]


@pytest.mark.django_db
@pytest.mark.parametrize("page", ["/accounts/sign-in/", "/admin/login/"])
@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_whatever_is_typed_the_sign_in_page_answers(client, page, name):
    headers = {"User-Agent": "\xff" * 5000, "Accept": "x" * 5000, "Accept-Language": "\xff" * 5000}
    for _ in range(2):
        reply = client.post(f"{page}?next={'x' * 5000}", {"username": name, "password": name}, headers=headers)
        assert reply.status_code == 200


@pytest.mark.django_db
def test_a_name_too_long_for_the_database_is_counted_like_any_other(client, settings):
    statuses = [
        client.post("/accounts/sign-in/", {"username": "x" * (300 + number), "password": "wrong"}).status_code
        for number in range(settings.AXES_FAILURE_LIMIT)
    ]
    assert statuses[-1] == 429
    assert AccessAttempt.objects.get().failures_since_start == settings.AXES_FAILURE_LIMIT
