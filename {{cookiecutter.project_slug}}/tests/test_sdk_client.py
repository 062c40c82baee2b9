"""The SDK's client: how many there are, and how it is set up."""

# % if cookiecutter.view_style == "async"
import pytest
from asgiref.sync import async_to_sync

from claude import client
# % else
import pytest

from claude import client
# % endif
from claude.failures import Failure


# % if cookiecutter.view_style == "async"
def get_client():
    async def getting():
        return client.aget_client()

    return async_to_sync(getting)()


def test_each_event_loop_has_one_client():
    async def clients():
        return client.aget_client(), client.aget_client()

    one, same = async_to_sync(clients)()
    assert one is same
    assert get_client() is not one


def test_a_client_is_closed_when_its_event_loop_ends():
    assert get_client().is_closed()
    assert client.clients == {}


# % else
def get_client():
    return client.get_client()


def test_one_client_serves_the_process_until_a_setting_changes(settings):
    before = get_client()
    assert get_client() is before
    settings.CLAUDE_TIMEOUT = 5.0
    assert get_client() is not before
    assert get_client().timeout == 5.0


# % endif
def test_retries_and_timeout_come_from_the_settings(settings):
    settings.CLAUDE_MAX_RETRIES = 3
    assert (get_client().max_retries, get_client().timeout) == (3, 60.0)


def test_a_key_that_cannot_work_is_a_failure(settings):
    settings.CLAUDE_OFFLINE = False
    settings.ANTHROPIC_API_KEY = " "
    with pytest.raises(Failure) as caught:
        get_client()
    assert caught.value.kind == "misconfigured"
