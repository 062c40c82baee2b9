"""What `manage.py check` finds."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError

from chat.checks import check_numbers
from claude import checks
from config.checks import check_secret_key

SETTINGS = str(Path(__file__).parent.parent / "config" / "settings.py")


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
        ("sk-ant-\u00e9", ["claude.E002"]),
    ],
)
def test_a_key_that_cannot_work_is_named(settings, key, ids):
    settings.ANTHROPIC_API_KEY = key
    assert found(checks.check_key) == ids


def test_a_deprecated_model_is_named_with_the_day_it_goes_away(settings):
    model, day = next(iter(checks.deprecated_models().items()))
    settings.ANTHROPIC_MODEL = model
    (warning,) = checks.check_model(None)
    assert day in warning.msg
    settings.ANTHROPIC_MODEL = "claude-test-model"
    assert found(checks.check_model) == []


def test_the_list_of_deprecated_models_is_that_of_the_sdk():
    from anthropic.resources.messages.messages import DEPRECATED_MODELS

    assert checks.deprecated_models() == DEPRECATED_MODELS


@pytest.mark.parametrize(
    ("name", "value", "ids"),
    [
        ("CLAUDE_MAX_TOKENS", 2_133, []),
        ("CLAUDE_MAX_TOKENS", 2_134, ["claude.W003"]),
        ("CLAUDE_MAX_TOKENS", 21_333, ["claude.W003"]),
        ("CLAUDE_MAX_TOKENS", 21_334, ["claude.E004", "claude.W003"]),
        ("CLAUDE_MAX_TOKENS", 0, ["claude.E003"]),
        ("CLAUDE_TIMEOUT", 28, ["claude.W003"]),
        ("CLAUDE_TIMEOUT", -1, ["claude.E003"]),
        ("CLAUDE_DEADLINE", 0, ["claude.E003"]),
    ],
)
def test_numbers_that_cannot_work_are_named(settings, name, value, ids):
    setattr(settings, name, value)
    assert found(checks.check_numbers) == ids


def test_a_setting_of_the_chat_that_cannot_work_is_named(settings):
    settings.CHAT_MAX_PROMPT_CHARS = 0
    assert found(check_numbers) == ["chat.E001"]


def test_production_needs_a_secret_key_of_its_own(settings):
    settings.SECRET_KEY = settings.INSECURE_SECRET_KEY
    assert found(check_secret_key) == ["config.E001"]
    settings.SECRET_KEY = "one of our own"
    assert found(check_secret_key) == []


def test_a_check_does_not_load_the_sdk():
    program = "import sys, django; django.setup(); from django.core.management import call_command as c; c('check')"
    program += "; sys.exit('anthropic' in sys.modules)"
    environment = {"DJANGO_SETTINGS_MODULE": "tests.settings"}
    assert subprocess.run([sys.executable, "-c", program], env=environment, check=False).returncode == 0


@pytest.mark.parametrize("zone", ["Mars/Olympus", "Europe", "europe/paris", "../UTC", "localtime", "Factory"])
def test_a_time_zone_that_is_none_ends_the_start_by_name(monkeypatch, zone):
    monkeypatch.setenv("TIME_ZONE", zone)
    with pytest.raises(Exception, match=r"TIME_ZONE.*such as Europe/Paris"):
        runpy.run_path(SETTINGS)


@pytest.mark.parametrize(("zone", "used"), [("", "UTC"), ("Europe/Paris", "Europe/Paris")])
def test_a_time_zone_comes_from_the_environment(monkeypatch, zone, used):
    monkeypatch.setenv("TIME_ZONE", zone)
    assert runpy.run_path(SETTINGS)["TIME_ZONE"] == used


def test_a_check_works_on_windows_which_cannot_fork(settings):
    program = "import os, socket, sys; del os.fork, os.register_at_fork, socket.MSG_DONTWAIT, socket.AF_UNIX; "
    program += "sys.modules.update(dict.fromkeys(['fcntl', 'grp', 'pwd', 'resource', 'termios'])); "
    program += "from django.core.management import execute_from_command_line as run; run(['manage.py', 'check'])"
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    subprocess.run([sys.executable, "-c", program], cwd=settings.BASE_DIR, env=environment, check=True)
