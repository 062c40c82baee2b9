"""What `manage.py check` finds."""

import io
import os
import re
import subprocess
import sys

import pytest
from django.core.mail import EmailMessage
from django.core.management import call_command
from django.core.management.base import SystemCheckError

from accounts.checks import check_mail, check_sign_up, check_site_origin
from chat.checks import RANGES as CHAT_RANGES
from chat.checks import check_numbers
from claude import checks
from claude.failures import Failure
from config.checks import RANGES as SERVER_RANGES
from config.checks import check_hosts, check_secret_key
from config.checks import check_numbers as check_server_numbers
from config.mail import Console, mail_server, mail_settings
from tests.asking import ask


def found(check) -> list[str]:
    return [message.id for message in check(None)]


@pytest.mark.django_db
@pytest.mark.parametrize("key", ["", " ", "\n"])
def test_production_needs_a_key(settings, key):
    settings.CLAUDE_OFFLINE = False
    settings.ANTHROPIC_API_KEY = key
    assert found(checks.check_key) == ["claude.E001"]
    with pytest.raises(SystemCheckError, match="ANTHROPIC_API_KEY is empty"):
        call_command("check")
    settings.DEBUG = True
    assert found(checks.check_key) == []


@pytest.mark.parametrize(
    ("key", "ids"),
    [
        ("sk-ant-whole", []),
        ("sk-ant-whole\n", ["claude.W001"]),
        ("sk-ant-one sk-ant-two", ["claude.E002"]),
        ('"sk-ant-quoted"', ["claude.E002"]),
        ("sk-ant-\u00e9", ["claude.E002"]),
    ],
)
def test_a_key_that_cannot_work_is_named(settings, key, ids):
    settings.ANTHROPIC_API_KEY = key
    assert found(checks.check_key) == ids


@pytest.mark.parametrize(
    ("name", "value", "ids"),
    [
        ("CLAUDE_MAX_TOKENS", 0, ["claude.E003"]),
        ("CLAUDE_MAX_TOKENS", 1_000_000, []),
        ("CLAUDE_TIMEOUT", -1, ["claude.E003"]),
        ("CLAUDE_TIMEOUT", float("nan"), ["claude.E003"]),
        ("CLAUDE_TIMEOUT", 301, ["claude.W004"]),
        ("CLAUDE_MAX_RETRIES", -1, ["claude.E003"]),
        ("CLAUDE_MAX_RETRIES", 0, []),
        ("CLAUDE_RETRY_AFTER_CAP", -1, ["claude.E003"]),
        ("CLAUDE_RETRY_AFTER_CAP", 301, ["claude.W004"]),
        ("CLAUDE_DEADLINE", 0, ["claude.E003"]),
        ("CLAUDE_DEADLINE", float("inf"), ["claude.E003"]),
        ("CLAUDE_DEADLINE", 1e10, ["claude.E003"]),
    ],
)
def test_numbers_that_cannot_work_are_named(settings, name, value, ids):
    setattr(settings, name, value)
    assert found(checks.check_numbers) == ids


def test_the_message_says_the_value_and_the_range(settings):
    settings.CLAUDE_MAX_RETRIES = -1
    (error,) = checks.check_numbers(None)
    assert error.msg == "CLAUDE_MAX_RETRIES is -1: it takes 0 to 100 retries."


def test_the_page_about_the_settings_has_the_range_of_each(settings):
    page = (settings.BASE_DIR / "docs/settings.md").read_text(encoding="utf-8")
    for name, (least, most, _) in {**checks.RANGES, **CHAT_RANGES, **SERVER_RANGES}.items():
        assert re.search(rf"^\| .*`{name}`.* \({least:,} to {most:,}\) \|$", page, re.MULTILINE), name


@pytest.mark.parametrize(
    ("name", "value", "ids"),
    [
        ("CHAT_MAX_PROMPT_CHARS", 0, ["chat.E001"]),
        ("CHAT_REMEMBER", 0, ["chat.E001", "chat.E002"]),
        ("CHAT_REMEMBER", 359, ["chat.E002"]),  # CLAUDE_DEADLINE is 300
        ("CHAT_REMEMBER", 360, []),
        ("CHAT_REMEMBER", 10**30, ["chat.E001"]),
# % if cookiecutter.view_style != "sync"
        ("CHAT_KEEPALIVE", 0, ["chat.E001"]),
        ("CHAT_KEEPALIVE", 56, ["chat.W001"]),
# % endif
    ],
)
def test_a_setting_of_the_chat_that_cannot_work_is_named(settings, name, value, ids):
    setattr(settings, name, value)
    assert found(check_numbers) == ids


@pytest.mark.parametrize(("name", "value"), [("PORT", -1), ("PORT", 65_536), ("WEB_WORKERS", 0), ("WEB_GRACE", -1)])
def test_a_setting_of_the_server_that_cannot_work_is_named(settings, name, value):
    setattr(settings, name, value)
    assert found(check_server_numbers) == ["config.E004"]


@pytest.mark.parametrize("host", ["https://example.com", "example.com:8000", "a b", "a/"])
def test_a_host_that_no_browser_sends_is_named(settings, host):
    settings.ALLOWED_HOSTS = ["example.com", ".example.com", "*", "127.0.0.1", "[::1]"]
    assert found(check_hosts) == []
    settings.ALLOWED_HOSTS = [host]
    assert found(check_hosts) == ["config.E005"]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.anthropic.com",
        "//api.anthropic.com",
        "ftp://api.anthropic.com",
        "https:api.anthropic.com",
        "https://",
        "https:///v1",
        "https://host:abc",
        "https://host:0",
        "https://host:65536",
        "https://user:password@host",
        "https://user@host",
        "https://host?key=1",
        "https://host#part",
        "https://ho st",
        "https://host/a b",
        "https://.host",
        "https://[::1",
        "https://" + "a" * 64,
        '"https://host"',
        "https://host\n",
    ],
)
def test_an_address_of_the_api_that_cannot_work_is_named_and_not_asked(settings, url):
    settings.ANTHROPIC_BASE_URL = url
    assert found(checks.check_base_url) == ["claude.E006"]
    settings.CLAUDE_OFFLINE = False
    settings.ANTHROPIC_API_KEY = "sk-ant-whole"
    with pytest.raises(Failure) as caught:
        ask()
    assert caught.value.kind == "misconfigured"
    assert "check ANTHROPIC_BASE_URL" in caught.value.detail


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "HTTPS://Gateway.example/a/", "http://[::1]:1"])
def test_an_address_of_a_gateway_is_taken(settings, url):
    settings.ANTHROPIC_BASE_URL = url
    assert found(checks.check_base_url) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ALL_PROXY", "socks://127.0.0.1:1080"),
        ("all_proxy", "SOCKS5h://127.0.0.1:1080"),
        ("https_proxy", "ftp://127.0.0.1"),
        ("HTTPS_PROXY", "http://"),
        ("HTTP_PROXY", "http://127.0.0.1:abc"),
        ("HTTPS_PROXY", "http://[::1"),
        ("SSL_CERT_FILE", "/gone.pem"),
        ("SSL_CERT_FILE", __file__),
        ("SSL_CERT_DIR", "/gone"),
    ],
)
def test_a_variable_with_which_nothing_reaches_claude_is_named(settings, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    assert found(checks.check_environment) == []  # the stand-in does not need it
    settings.CLAUDE_OFFLINE = False
    (error,) = checks.check_environment(None)
    assert error.id == "claude.E007"
    assert error.msg.startswith(f"{name} in the environment")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HTTPS_PROXY", "proxy.example:3128"),
        ("HTTPS_PROXY", "http://user:password@127.0.0.1:3128"),
        ("HTTPS_PROXY", ""),
        ("REQUESTS_CA_BUNDLE", "/gone.pem"),
        ("NO_PROXY", "localhost,127.0.0.1,.example.com"),
    ],
)
def test_a_variable_that_works_is_not_named(settings, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    settings.CLAUDE_OFFLINE = False
    assert found(checks.check_environment) == []


@pytest.mark.django_db
@pytest.mark.parametrize("scheme", ["socks", "socks5", "SOCKS5h"])
def test_a_question_that_meets_such_a_variable_is_misconfigured(user, settings, monkeypatch, caplog, scheme):
    monkeypatch.setenv("ALL_PROXY", f"{scheme}://127.0.0.1:1080")
    settings.CLAUDE_OFFLINE = False
    settings.ANTHROPIC_API_KEY = "sk-ant-whole"
    reply = user.post("/chat/ask/", {"prompt": "Hello"})
    assert (reply.status, reply.json["error"]) == (500, "Service misconfigured")
    (line,) = [line for line in caplog.records if line.name == "claude"]
    assert (line.levelname, line.exc_info) == ("ERROR", None)
    assert "check ALL_PROXY" in line.getMessage()


def test_production_needs_a_secret_key_of_its_own(settings):
    settings.SECRET_KEY = settings.INSECURE_SECRET_KEY
    assert found(check_secret_key) == ["config.E001"]
    settings.SECRET_KEY = "one of our own"
    assert found(check_secret_key) == []


def test_a_check_does_not_load_the_sdk_which_will_find_no_setting_of_its_own():
    program = "import os, sys, django; from config import env; env.values = {'DEBUG': 'true'}.get; django.setup(); "
    program += "from django.core.management import call_command; call_command('check'); "
    program += "sys.exit('anthropic' in sys.modules or 'ANTHROPIC_LOG' in os.environ)"
    environment = {"DJANGO_SETTINGS_MODULE": "config.settings", "ANTHROPIC_LOG": "debug"}
    assert subprocess.run([sys.executable, "-c", program], env=environment, check=False).returncode == 0


def test_a_check_works_on_windows_which_cannot_fork(settings):
    program = "import os, socket, sys; del os.fork, os.register_at_fork, socket.MSG_DONTWAIT, socket.AF_UNIX; "
    program += "sys.modules.update(dict.fromkeys(['fcntl', 'grp', 'pwd', 'resource', 'termios'])); "
    program += "from django.core.management import execute_from_command_line as run; run(['manage.py', 'check'])"
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    subprocess.run([sys.executable, "-c", program], cwd=settings.BASE_DIR, env=environment, check=True)


@pytest.mark.parametrize(
    ("name", "value", "ids"),
    [
        ("host", "", ["accounts.W001"]),
        ("host", None, []),  # as EMAIL_HOST=none
        ("host", "smtp.example.com", []),
        ("host", "127.0.0.1", []),
        ("host", "::1", []),
        ("host", "smtp://example.com", ["accounts.E002"]),
        ("host", "smtp.example.com:25", ["accounts.E002"]),
        ("host", "smtp example", ["accounts.E002"]),
        ("port", 0, ["accounts.E001"]),
        ("port", 65_536, ["accounts.E001"]),
        ("username", "user", ["accounts.W002"]),
        ("password", "secret", ["accounts.W002"]),
    ],
)
def test_settings_with_which_no_link_could_be_sent_are_named(settings, name, value, ids):
    settings.MAIL = {**settings.MAIL, name: value}
    assert found(check_mail) == ids
    settings.DEBUG = True  # which prints it
    assert found(check_mail) == [number for number in ids if number != "accounts.W001"]


@pytest.mark.parametrize(
    ("address", "ids"),
    [("no-reply@a.b", []), ("Us <a@localhost>", []), ("nobody", ["accounts.E003"]), ("a@b c@d", ["accounts.E003"])],
)
def test_a_sender_that_no_mail_server_takes_is_named(settings, address, ids):
    settings.DEFAULT_FROM_EMAIL = address
    assert found(check_mail) == ids


def test_nobody_can_sign_up_without_e_mail(settings):
    settings.ACCOUNTS_SIGN_UP = True
    assert found(check_sign_up) == []
    settings.SENDS_MAIL = False
    assert found(check_sign_up) == ["accounts.E004"]


@pytest.mark.parametrize(
    ("origin", "ids"),
    [
        ("", []),
        ("https://example.com", []),
        ("https://WWW.example.com:444", []),
        ("http://[::1]:8000", []),
        ("https://other.example", ["accounts.W003"]),
        ("example.com", ["accounts.E005"]),
        ("https://example.com/app", ["accounts.E005"]),
        ("javascript://example.com", ["accounts.E005"]),
        ("https://user@example.com", ["accounts.E005"]),
    ],
)
def test_an_origin_to_which_no_link_can_lead_is_named(settings, origin, ids):
    settings.SITE_ORIGIN, settings.ALLOWED_HOSTS = origin, [".example.com", "[::1]"]
    assert found(check_site_origin) == ids


def test_e_mail_is_printed_in_development_and_needs_a_server_in_production(settings):
    server = {**settings.MAIL, "host": "smtp.example.com"}
    assert "smtp.example.com" in str(mail_settings(server, debug=True))
    assert "Console" in str(mail_settings({**server, "host": ""}, debug=True))
    assert mail_settings({**server, "host": ""}, debug=False) == {}
    assert [mail_server(text) for text in ("smtp.a.b", "", "none", "None")] == ["smtp.a.b", "", None, None]


def test_in_development_a_long_link_is_printed_in_one_piece():
    terminal, link = io.StringIO(), f"http://127.0.0.1:8000/?{'token=x&' * 20}"
    Console(stream=terminal).send_messages([EmailMessage("A subject", f"\u00dcber {link}", to=["user@example.com"])])
    assert f"\u00dcber {link}" in terminal.getvalue()
