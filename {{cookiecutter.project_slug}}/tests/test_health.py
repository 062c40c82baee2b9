"""What /healthz and /readyz answer."""

import pytest
from django.db import Error, connections
from django.db.migrations.recorder import MigrationRecorder


@pytest.fixture(autouse=True)
def production(settings):
    """Asked by an address that is no name of the site, and without HTTPS."""
    settings.ALLOWED_HOSTS = ["ask.example"]
    settings.SECURE_SSL_REDIRECT = True


def test_the_process_is_alive_without_a_database(anonymous):
    reply = anonymous.get("/healthz")
    assert (reply.status, reply.text) == (200, "alive\n")
    assert reply.headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in reply.headers


def test_the_process_is_alive_below_a_path_too(client):
    assert client.get("/healthz", SCRIPT_NAME="/app").content == b"alive\n"


@pytest.mark.django_db
def test_it_is_ready_when_the_database_is_up_to_date_and_there_is_a_key(anonymous):
    reply = anonymous.get("/readyz")
    assert (reply.status, reply.json) == (200, {"database": "ok", "migrations": "ok", "key": "ok"})


@pytest.mark.django_db
def test_it_is_not_ready_without_a_key_and_does_not_ask_claude(anonymous, settings, wire):
    settings.CLAUDE_OFFLINE = False
    settings.ANTHROPIC_API_KEY = " "
    reply = anonymous.get("/readyz")
    assert (reply.status, reply.json["key"]) == (503, "missing")
    assert wire == []


@pytest.mark.django_db
def test_it_is_not_ready_while_a_migration_is_missing(anonymous):
    MigrationRecorder.Migration.objects.filter(app="chat").delete()
    reply = anonymous.get("/readyz")
    assert (reply.status, reply.json) == (503, {"database": "ok", "migrations": "behind", "key": "ok"})


@pytest.mark.django_db
def test_it_is_not_ready_without_a_database_and_does_not_say_why(anonymous, caplog):
    def refuse(execute, *args):
        raise Error("password of the database: secret")

    with connections["default"].execute_wrapper(refuse):
        reply = anonymous.get("/readyz")
    assert (reply.status, reply.json) == (503, {"database": "failed", "migrations": "unknown", "key": "ok"})
    assert "secret" not in reply.text + caplog.text
    assert "The database does not answer" in caplog.text
