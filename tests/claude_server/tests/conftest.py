"""What the tests of the stand-in API share: a lane of it, and the real SDK, sync and async."""

import pytest

from sdk_calls import calls


@pytest.fixture
def lane(claude):
    return claude.lane()


@pytest.fixture(scope="module", params=["sync", "async"])
def sdk(request):
    with calls(request.param) as sdk:
        yield sdk
