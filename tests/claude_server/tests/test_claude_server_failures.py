"""Each failure of the stand-in API under the real SDK, sync and async: what create(), create(stream=True) and stream()
make of it."""

import asyncio
import json
import time
from email.utils import parsedate_to_datetime

import anthropic
import httpx2
import pytest

from claude_server import KEY, refused_url
from claude_server.script import (
    UPSTREAM_MESSAGE,
    Answer,
    BadJson,
    BadUtf8,
    BrokenJson,
    Close,
    EmptyObject,
    ErrorEvent,
    HalfEvent,
    Html,
    NoMessageStop,
    Pings,
    Reset,
    Silence,
    Status,
)
from sdk_calls import WAYS, question

JSON_ERROR = json.JSONDecodeError


def raises(kind, **fields):
    """Exactly this class, not one that it is the parent of."""

    def check(call):
        with pytest.raises(kind) as error:
            call()
        assert type(error.value) is kind
        assert {name: getattr(error.value, name) for name in fields} == fields

    return check


def gives(condition):
    def check(call):
        assert condition(call())

    return check


TIMEOUT = raises(anthropic.APITimeoutError)
LOST = raises(anthropic.APIConnectionError)
EMPTY = [gives(lambda events: events == []), raises(AssertionError)]
WHOLE = gives(lambda message: message.stop_reason == "end_turn")
CUT = [gives(lambda events: events[-1].type == "content_block_delta"), gives(lambda m: m.stop_reason is None)]
OVERLOADED = raises(anthropic.APIStatusError, status_code=200, type="overloaded_error")
SHORT = 0.5  # seconds of patience where the step is silent

FAILURES = {
    "reset before the headers": (Reset(), [LOST] * 3),
    "closed before the headers": (Close(), [LOST] * 3),
    "silent before the headers": (Silence(), [TIMEOUT] * 3),
    "reset mid-stream": (Reset(1), [LOST, *[raises(httpx2.ReadError)] * 2]),
    "reset before the first delta": (Reset(0), [LOST, *[raises(httpx2.ReadError)] * 2]),
    "closed mid-stream": (Close(1), [LOST, *[raises(httpx2.RemoteProtocolError)] * 2]),
    "silent mid-stream": (Silence(after=1), [TIMEOUT, *[raises(httpx2.ReadTimeout)] * 2]),
    "half an event": (HalfEvent(), [raises(JSON_ERROR), *CUT]),
    "half an event, closed": (HalfEvent(then="close"), [LOST, *[raises(httpx2.RemoteProtocolError)] * 2]),
    "half an event, reset": (HalfEvent(then="reset"), [LOST, *[raises(httpx2.ReadError)] * 2]),
    "bad JSON": (BadJson(), [raises(JSON_ERROR)] * 3),
    "bad UTF-8": (BadUtf8(), [raises(UnicodeDecodeError)] * 3),
    "error event first": (ErrorEvent(), [raises(anthropic.OverloadedError), OVERLOADED, OVERLOADED]),
    "error event later": (
        ErrorEvent("api_error", after=2),
        [raises(anthropic.InternalServerError), *[raises(anthropic.APIStatusError, type="api_error")] * 2],
    ),
    "no message_stop": (NoMessageStop(), [WHOLE, gives(lambda events: events[-1].type == "message_delta"), WHOLE]),
    "no end at all": (NoMessageStop(2), [WHOLE, *CUT]),
    "HTML": (Html(), [gives(lambda answer: isinstance(answer, str)), *EMPTY]),
    "broken JSON": (BrokenJson(), [raises(JSON_ERROR), *EMPTY]),
    "empty object": (EmptyObject(), [gives(lambda message: message.content is None), *EMPTY]),
    "no event names": (Answer(event_names=False), [WHOLE, *EMPTY]),
    "error whose body breaks": (Status(500, breaks=True), [LOST, *[raises(httpx2.ReadError)] * 2]),
    "redirect loop": (Status(307, headers={"location": "messages"}), [LOST] * 3),
    "error in HTML": (Status(502, body="<h1>Bad gateway</h1>"), [raises(anthropic.InternalServerError, type=None)] * 3),
    "spend limit": (
        Status(429, error_code="enforced_spend_limit_reached"),
        [raises(anthropic.EnforcedSpendLimitReachedError, status_code=429)] * 3,
    ),
}  # fmt: skip
STATUSES = {
    400: "BadRequestError", 401: "AuthenticationError", 402: "PaymentRequiredError", 403: "PermissionDeniedError",
    404: "NotFoundError", 408: "RequestTimeoutError", 409: "ConflictError", 412: "PreconditionFailedError",
    413: "ContentTooLargeError", 418: "APIStatusError", 422: "UnprocessableEntityError", 429: "RateLimitError",
    431: "RequestHeaderFieldsTooLargeError", 499: "ClientClosedRequestError", 500: "InternalServerError",
    501: "HTTPNotImplementedError", 503: "ServiceUnavailableError", 504: "GatewayTimeoutError", 529: "OverloadedError",
}  # fmt: skip


@pytest.mark.parametrize("way", range(3), ids=WAYS)
@pytest.mark.parametrize("name", FAILURES)
def test_failure(sdk, lane, name, way):
    step, checks = FAILURES[name]
    lane.script(otherwise=step)
    client = sdk.at(lane.base_url, timeout=SHORT if isinstance(step, Silence) else 10.0)
    checks[way](lambda: getattr(sdk, WAYS[way])(client, **question()))


@pytest.mark.parametrize("status", STATUSES)
def test_status(sdk, lane, status):
    lane.script(otherwise=Status(status))
    for way in WAYS:
        with pytest.raises(anthropic.APIStatusError) as error:
            getattr(sdk, way)(sdk.at(lane.base_url), **question())
        assert type(error.value).__name__ == STATUSES[status]
        record = lane.requests()[-1]
        assert (error.value.status_code, error.value.request_id) == (status, record.request_id)
        assert (error.value.type, error.value.api_message) == (record.error, UPSTREAM_MESSAGE)


@pytest.mark.parametrize(
    "answer", [Answer(length=9, pause=0.005), Answer(length=9, gated=True), Answer(length=9, fragment=7)]
)
@pytest.mark.parametrize("after", [0, 5, 99])
def test_a_fault_keeps_its_place_in_an_answer_of_any_pace(sdk, lane, answer, after):
    lane.script(Reset(after, answer=answer))
    lane.release(9)
    with pytest.raises(httpx2.ReadError):
        sdk.stream(sdk.at(lane.base_url), **question())
    [record] = lane.wait(ended=1)
    assert (record.deltas, record.outcome, record.finished) == (min(after, 9), "server reset", False)


@pytest.mark.parametrize("way", WAYS)
def test_connection_refused(sdk, way):
    with refused_url() as url, pytest.raises(anthropic.APIConnectionError) as error:
        getattr(sdk, way)(sdk.at(url), **question())
    assert isinstance(error.value.__cause__, httpx2.ConnectError)


def test_retry_after_in_every_form(sdk, lane):
    forms = {
        "5": {"retry_after": 5},
        "1.5": {"retry_after": 1.5},
        "3600": {"retry_after": 3600},
        "soon": {"retry_after": "soon"},
        None: {"retry_after_ms": 250, "should_retry": False},
    }
    lane.script(*(Status(429, **form) for form in forms.values()), Status(429, retry_after_date=90))
    for form in [*forms, "date"]:
        with pytest.raises(anthropic.RateLimitError) as error:
            sdk.create(sdk.at(lane.base_url), **question())
        headers = error.value.response.headers
        if form == "date":
            wait = parsedate_to_datetime(headers["retry-after"]).timestamp() - time.time()
            assert 60 < wait <= 90
        else:
            assert headers.get("retry-after") == form
        if form is None:
            assert (headers["retry-after-ms"], headers["x-should-retry"]) == ("250", "false")


def test_retries_are_told_apart(sdk, lane):
    lane.script(Reset(), Status(529, retry_after_ms=1))
    client = sdk.at(lane.base_url, max_retries=2)
    sdk.create(client, **question(), extra_headers={"anthropic-idempotency-key": "once"})
    told = [(r.step, r.retry_count, r.idempotency_key, r.status, r.outcome) for r in lane.requests()]
    assert told == [
        ("reset", 0, "once", None, "server reset"),
        ("status", 1, "once", 529, "answered"),
        ("answer", 2, "once", 200, "answered"),
    ]


def test_pings_keep_a_silent_stream_alive(sdk, lane):
    lane.script(Pings(0.05, seconds=0.6, after=1), Answer(first_after=0.6, pings=0.05))
    for _ in range(2):
        assert sdk.stream(sdk.at(lane.base_url, timeout=0.5), **question()).stop_reason == "end_turn"


@pytest.mark.parametrize("step", [Pings(0.05), Silence(after=1)], ids=["pings", "silence"])
def test_what_never_ends_goes_on_until_the_client_leaves(lane, step):
    lane.script(step)

    async def leave():
        client = anthropic.AsyncAnthropic(api_key=KEY, base_url=lane.base_url, max_retries=0)
        async with client:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3), client.messages.stream(**question()) as stream:
                    await stream.until_done()

    asyncio.run(leave())
    [record] = lane.wait(left=1)
    assert (record.outcome, record.finished) == ("client left", False)
    assert record.socket.closed_by == "client"
