"""What the stand-in API refuses, as the API would: the status, the type of error and what it complains of."""

import json

import httpx2
import pytest

from claude_server import KEY, ClaudeServer
from sdk_calls import MODEL, question

HEADERS = {
    "authorization": f"Bearer {KEY}",
    "anthropic-version": "2026-10-21",
    "content-type": "application/json",
}


@pytest.fixture(scope="module")
def api():
    with ClaudeServer.start() as server, httpx2.Client(base_url=server.lane().base_url, trust_env=False) as client:
        yield client


def post(api, body, path="/v1/messages", **headers):
    """The status, the error's type and its message."""
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    sent = {name: value for name, value in (HEADERS | headers).items() if value is not None}
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = api.post(path, content=content, headers=sent)
    assert answer.headers["request-id"].startswith("req_")
    value = answer.json()
    if answer.status_code != 200:
        assert value["type"] == "error"
        assert value["request_id"] == answer.headers["request-id"]
    return answer.status_code, value.get("error", {}).get("type"), value.get("error", {}).get("message")


def turn(role="user", content="hello"):
    return {"role": role, "content": content}


def text(words="hello", **more):
    return {"type": "text", "text": words, **more}


def schema(**schema):
    return {"output_config": {"format": {"type": "json_schema", "schema": schema}}}


CACHED = {"cache_control": {"type": "ephemeral"}}
HOUR = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}

FAULTS = {
    "temperature": ({"temperature": 0.5}, "temperature: not supported"),
    "top_p": ({"top_p": 0.5}, "top_p"),
    "top_k": ({"top_k": 5}, "top_k"),
    "unknown field": ({"humour": 1}, "humour: Extra inputs"),
    "no model": ({"model": None}, "model: Field required"),
    "model is a number": ({"model": 5}, "model: Input should be"),
    "no max_tokens": ({"max_tokens": None}, "max_tokens: Field required"),
    "max_tokens is text": ({"max_tokens": "5"}, "max_tokens: Input should be an integer"),
    "max_tokens is true": ({"max_tokens": True}, "max_tokens: Input should be an integer"),
    "max_tokens is negative": ({"max_tokens": -1}, "max_tokens: Input"),
    "max_tokens is huge": ({"max_tokens": 10**7}, "max_tokens: 10000000 > "),
    "stream is text": ({"stream": "yes"}, "stream"),
    "blank stop sequence": ({"stop_sequences": [" "]}, "stop_sequences"),
    "metadata of our own": ({"metadata": {"name": "Ann"}}, "metadata: Extra inputs"),
    "long user id": ({"metadata": {"user_id": "x" * 257}}, "metadata.user_id"),
    "no messages": ({"messages": None}, "messages: Field required"),
    "empty messages": ({"messages": []}, "messages: at least one"),
    "messages is text": ({"messages": "hello"}, "messages: Input should be a valid list"),
    "unknown role": ({"messages": [turn("tool")]}, "messages.0.role"),
    "assistant first": ({"messages": [turn("assistant"), turn()]}, "first message must use the user role"),
    "prefill": ({"messages": [turn(), turn("assistant")]}, "does not support prefill"),
    "empty prompt": ({"messages": [turn(content="")]}, "must be non-empty"),
    "blank prompt": ({"messages": [turn(), turn(content=" \n")]}, "messages.1: text content blocks must contain"),
    "no blocks": ({"messages": [turn(content=[])]}, "messages.0"),
    "no content": ({"messages": [{"role": "user"}]}, "messages.0.content: Field required"),
    "extra field in a turn": ({"messages": [turn() | {"id": 1}]}, "messages.0"),
    "blank block": ({"messages": [turn(content=[text(" ")])]}, "messages.0.content.0"),
    "unknown block": ({"messages": [turn(content=[{"type": "video"}])]}, "'video' does not match"),
    "document from the assistant": (
        {"messages": [turn(), turn("assistant", [{"type": "document"}]), turn()]},
        "messages.1.content.0: Input tag 'document'",
    ),
    "empty system block": ({"system": [text("", **CACHED)]}, "cache_control cannot be set for empty text blocks"),
    "system is a number": ({"system": 5}, "system: Input should be"),
    "tool without schema": ({"tools": [{"name": "f"}]}, "tools.0.input_schema"),
    "five breakpoints": ({"system": [text(**CACHED)] * 5}, "A maximum of 4 blocks with cache_control"),
    "unknown kind of cache": ({"system": [text(cache_control={"type": "eternal"})]}, "system.0.cache_control"),
    "unknown ttl": ({"cache_control": {"type": "ephemeral", "ttl": "2h"}}, "request.cache_control.ttl"),
    "hour after minutes": ({"system": [text(**CACHED), text(**HOUR)]}, "must not come after a ttl='5m'"),
    "unknown thinking": ({"thinking": {"type": "always"}}, "thinking: Input tag 'always'"),
    "thinking is text": ({"thinking": "adaptive"}, "thinking: Input tag None"),
    "field of thinking": ({"thinking": {"type": "adaptive", "depth": 1}}, "thinking: Extra inputs"),
    "thinking off where it is always on": (
        {"model": "claude-opus-5-5", "thinking": {"type": "disabled"}},
        '"thinking.type.disabled" is not supported',
    ),
    "thinking between tools": (
        {"thinking": {"type": "between_tools"}},
        '"thinking.type.between_tools" is not supported',
    ),
    "thinking with a budget": (
        {"model": "claude-sonnet-5-5", "thinking": {"type": "enabled", "budget_tokens": 1024}},
        '"thinking.type.enabled" is not supported',
    ),
    "field of the output": ({"output_config": {"style": "brief"}}, "output_config: Extra inputs"),
    "unknown effort": ({"output_config": {"effort": "huge"}}, "output_config.effort: Input should be one of low"),
    "effort of a model without": (
        {"model": "claude-haiku-4-5", "output_config": {"effort": "low"}},
        "This model does not support the effort parameter.",
    ),
    "effort of another model": ({"output_config": {"effort": "xhigh"}}, "does not support effort level 'xhigh'"),
    "effort without thinking": (
        {"model": "claude-haiku-5-5", "thinking": {"type": "disabled"}, "output_config": {"effort": "max"}},
        "output_config.effort 'max' is not supported when thinking is disabled",
    ),
    "unknown format": ({"output_config": {"format": {"type": "xml"}}}, "output_config.format: "),
    "open object": (schema(type="object"), "'additionalProperties' must be explicitly set to false"),
    "schema of no type": (schema(title="A"), "output_config.format.schema: Invalid type None"),
    "circular schema": (
        schema(**{"$ref": "#/$defs/A", "$defs": {"A": {"anyOf": [{"$ref": "#/$defs/A"}]}}}),
        "Circular or unknown reference #/$defs/A",
    ),
    "more than the model writes": ({"model": "claude-haiku-4-5", "max_tokens": 64_001}, "max_tokens: 64001 > 64000"),
    "lone surrogate": ({"messages": [turn(content="\ud800")]}, "no low surrogate in string"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_faulty_body_is_refused(api, name):
    change, complaint = FAULTS[name]
    body = {name: value for name, value in (question() | change).items() if value is not None}
    status, kind, message = post(api, body)
    assert (status, kind) == (400, "invalid_request_error")
    assert complaint in message


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"a": "\xff"}', b"[" * 100_000])
def test_what_is_no_object_is_refused(api, body):
    assert post(api, body)[:2] == (400, "invalid_request_error")


@pytest.mark.parametrize(
    ("headers", "status", "kind", "complaint"),
    [
        ({"authorization": None}, 401, "authentication_error", "bearer key is required"),
        ({"authorization": None, "x_api_key": KEY}, 401, "authentication_error", "bearer key is required"),
        ({"authorization": "Basic abc"}, 401, "authentication_error", "bearer key is required"),
        ({"authorization": "Bearer"}, 401, "authentication_error", "bearer key is required"),
        ({"anthropic_version": None}, 400, "invalid_request_error", "anthropic-version: header is required"),
        ({"anthropic_version": "2023-06-01"}, 400, "invalid_request_error", "not a valid version"),
    ],
)
def test_headers_are_checked(api, headers, status, kind, complaint):
    found = post(api, question(), **headers)
    assert found[:2] == (status, kind)
    assert complaint in found[2]


def test_an_unknown_model_or_path_is_not_found(api):
    assert post(api, question(model="gpt-1"))[:2] == (404, "not_found_error")
    assert post(api, question(), "/v1/complete")[:2] == (404, "not_found_error")


def test_a_wrong_method_is_not_allowed(api):
    assert api.get("/v1/messages", headers=HEADERS).status_code == 405


def test_a_body_beyond_32_megabytes_is_too_large(api):
    assert post(api, b"x" * (32 * 1024 * 1024 + 1))[:2] == (413, "request_too_large")


def test_counting_takes_no_max_tokens(api):
    assert post(api, question(), "/v1/messages/count_tokens")[0] == 400
    assert post(api, {"model": MODEL, "messages": [turn()]}, "/v1/messages/count_tokens")[0] == 200


@pytest.mark.parametrize(
    "change",
    [
        {"messages": [turn(), turn(), turn("assistant"), turn("assistant"), turn()]},
        {"messages": [turn(), turn("system", "Be brief."), turn()]},
        {"messages": [turn(content=[text(**CACHED)])], "system": [text(**HOUR), text(**CACHED)], **CACHED},
        {"messages": [turn(content="\x00 \x1b 🐈 \ufffe")]},
        {"model": "claude-haiku-4-5", "messages": [turn(), turn("assistant")]},
        {"max_tokens": 0},
        {"system": ""},
        {"model": "claude-new-9", "thinking": {"type": "enabled", "budget_tokens": 1024}, **schema(type="string")},
        {"thinking": {"type": "disabled"}, "output_config": {"effort": "max", "format": None}},
    ],
    ids=[
        "not alternating",
        "system turn",
        "breakpoints",
        "odd characters",
        "prefill",
        "warm the cache",
        "no system",
        "a model to come",
        "no format",
    ],
)
def test_what_the_api_takes_is_taken(api, change):
    assert post(api, question() | change)[0] == 200
