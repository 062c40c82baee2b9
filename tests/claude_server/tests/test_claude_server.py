"""The stand-in API under the real SDK, sync and async: its answers, its gate and its records."""

import asyncio
import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import anthropic
import httpx2
import pytest

import claude_server
from claude_server import KEY, ClaudeServer, fingerprint
from claude_server.script import Answer, Refusal, Status
from sdk_calls import MODEL, question


@pytest.mark.parametrize("way", ["create", "stream"])
def test_an_answer_names_its_question(sdk, lane, way):
    message = getattr(sdk, way)(sdk.at(lane.base_url), **question("Wie heißt\n das 🐈?"))
    assert message.content[0].text == "You asked: Wie heißt\n das 🐈?"
    assert (message.role, message.model, message.stop_reason) == ("assistant", MODEL, "end_turn")
    assert message.usage.output_tokens == len(message.content[0].text.split())
    assert lane.requests()[0].outcome == "answered"


def test_events_come_in_the_order_of_the_api(sdk, lane):
    kinds = [event.type for event in sdk.events(sdk.at(lane.base_url), **question("a b"))]
    deltas = ["content_block_delta"] * 4
    assert kinds == [
        "message_start",
        "content_block_start",
        *deltas,
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]


@pytest.mark.parametrize("way", ["create", "stream"])
def test_answers_of_every_shape(sdk, lane, way):
    shapes = {
        "short": Answer(text="one two three", stop_reason="pause_turn", usage={"input_tokens": 7}),
        "long": Answer(length=1000),
        "exact": Answer(deltas=["a", "", "b\n"]),
        "thinking": Answer(text="yes", thinking="let me see"),
        "tool": Answer(text="", blocks=[{"type": "tool_use", "id": "t1", "name": "f", "input": {"a": [1, 2]}}]),
        "refusal": Refusal("bio"),
        "unknown": Answer(text="still here", unknown=True),
        "pieces": Answer(text="🐈" * 20, fragment=3),
        "blob": Answer(text="at once", blob=True),
        "crlf": Answer(text="lines", crlf=True),
    }  # fmt: skip
    lane.script(*shapes.values())
    client = sdk.at(lane.base_url)
    got = {name: getattr(sdk, way)(client, **question()) for name in shapes}
    texts = {
        name: "".join(block.text for block in message.content if block.type == "text") for name, message in got.items()
    }
    assert texts == {
        "short": "one two three", "long": "word " * 1000, "exact": "ab\n", "thinking": "yes", "tool": "",
        "refusal": "", "unknown": "still here", "pieces": "🐈" * 20, "blob": "at once",
        "crlf": "lines",
    }  # fmt: skip
    assert (got["short"].stop_reason, got["short"].usage.input_tokens) == ("pause_turn", 7)
    assert (got["thinking"].content[0].thinking, got["thinking"].usage.output_tokens) == ("let me see", 4)
    assert got["tool"].content[0].input == {"a": [1, 2]}
    assert (got["refusal"].stop_reason, got["refusal"].stop_details.category) == ("refusal", "bio")
    records = dict(zip(shapes, lane.requests(), strict=True))
    assert (records["refusal"].step, records["blob"].step) == ("refusal", "answer")
    assert [records[name].deltas for name in ("long", "blob")] == ([1000, 2] if way == "stream" else [0, 0])


def test_limits_of_the_request_shorten_the_answer(sdk, lane):
    client = sdk.at(lane.base_url)
    assert sdk.create(client, **question(max_tokens=2)).stop_reason == "max_tokens"
    stopped = sdk.stream(client, **question("one STOP two", stop_sequences=["STOP"]))
    assert (stopped.stop_reason, stopped.stop_sequence) == ("stop_sequence", "STOP")
    assert stopped.content[0].text == "You asked: one "


def test_other_endpoints(sdk, lane):
    client = sdk.at(lane.base_url)
    counted = sdk.run(client.messages.count_tokens(model=MODEL, messages=question("x" * 400)["messages"]))
    assert counted.input_tokens == 100
    assert sdk.run(client.models.retrieve(MODEL)).display_name == "Claude Sonnet 4.6"
    with pytest.raises(anthropic.NotFoundError):
        sdk.run(client.models.retrieve("claude-none"))
    lane.script(Status(503), endpoint="count_tokens")
    assert sdk.create(client, **question()).content
    with pytest.raises(anthropic.ServiceUnavailableError):
        sdk.run(client.messages.count_tokens(model=MODEL, messages=question()["messages"]))
    assert [r.endpoint for r in lane.requests()] == ["count_tokens", "models", "models", "messages", "count_tokens"]


def test_cache_counters_behave(sdk, lane):
    client = sdk.at(lane.base_url)

    def ask(system, ttl="5m"):
        control = {"type": "ephemeral", "ttl": ttl}
        block = {"type": "text", "text": system, "cache_control": control}
        usage = sdk.create(client, **question("x" * 40, system=[block])).usage
        hour = usage.cache_creation_input_tokens if ttl == "1h" else 0
        assert usage.cache_creation.ephemeral_1h_input_tokens == hour
        return usage.input_tokens, usage.cache_creation_input_tokens, usage.cache_read_input_tokens

    assert [ask("a" * 400), ask("a" * 400), ask("b" * 400)] == [(10, 100, 0), (10, 0, 100), (10, 100, 0)]
    lane.advance(301)
    assert [ask("a" * 400), ask("c" * 400, "1h")] == [(10, 100, 0), (10, 100, 0)]
    lane.advance(301)
    assert ask("c" * 400, "1h") == (10, 0, 100)
    lane.settings(cache_minimum=1024)
    assert ask("a" * 4000) == (1010, 0, 0)


def test_rate_limits_are_told_and_kept(sdk, lane):
    lane.settings(requests_per_minute=1)
    client = sdk.at(lane.base_url)
    raw = client.messages.with_raw_response.create(**question())
    headers = sdk.run(raw).headers
    assert headers["anthropic-ratelimit-requests-remaining"] == "0"
    with pytest.raises(anthropic.RateLimitError) as error:
        sdk.create(client, **question())
    assert 50 <= int(error.value.response.headers["retry-after"]) <= 60


def test_answers_are_sent_at_the_pace_that_was_asked_for(sdk, lane):
    lane.script(Answer(length=11, pause=0.01, delay=0.02, first_after=0.03))
    sdk.stream(sdk.at(lane.base_url), **question())
    [record] = lane.requests()
    assert record.answered_at - record.arrived_at >= 0.02
    assert record.first_delta_at - record.answered_at >= 0.03
    assert record.last_delta_at - record.first_delta_at >= 0.1


# The gate.


def test_a_gated_delta_waits_for_its_release(lane):
    lane.script(Answer(deltas=["one ", "two ", "three"], gated=True))
    with (
        anthropic.Anthropic(api_key=KEY, base_url=lane.base_url) as client,
        client.messages.stream(**question()) as stream,
    ):
        texts = iter(stream.text_stream)
        assert lane.wait(arrived=1)[0].deltas == 0
        for number, text in enumerate(["one ", "two "], 1):
            before = time.monotonic()
            lane.release()
            assert next(texts) == text
            [record] = lane.wait(deltas=number)
            assert record.deltas == number
            assert record.last_delta_at >= before
            assert record.outcome == "open"
        lane.release(5)
        assert list(texts) == ["three"]
    assert lane.wait(ended=1)[0].finished


def test_one_of_several_streams_is_released(lane):
    lane.script(otherwise=Answer(length=3, gated=True))
    with anthropic.Anthropic(api_key=KEY, base_url=lane.base_url) as client:
        streams = [client.messages.create(stream=True, **question()) for _ in range(2)]
        lane.release(3, request=1)
        assert [event.type for event in streams[1]][-1] == "message_stop"
        assert [record.deltas for record in lane.requests()] == [0, 3]
        streams[0].close()
    assert [record.outcome for record in lane.wait(left=1)] == ["client left", "answered"]


def test_a_held_answer_is_in_flight_until_released(lane):
    lane.script(Answer(held=True))
    with ThreadPoolExecutor(1) as pool, anthropic.Anthropic(api_key=KEY, base_url=lane.base_url) as client:
        answer = pool.submit(client.messages.create, **question())
        assert lane.wait(arrived=1)[0].status is None
        assert not answer.done()
        lane.release()
        assert answer.result(10).stop_reason == "end_turn"


# The record.


def test_a_client_that_leaves_is_recorded(sdk, lane):
    lane.script(Answer(gated=True))
    assert sdk.leave(sdk.at(lane.base_url), lane, **question()) == "You "
    [record] = lane.wait(left=1, closed=1)
    assert (record.outcome, record.deltas, record.finished, record.status) == ("client left", 1, False, 200)
    assert record.socket.closed_by == "client"
    assert record.arrived_at < record.first_delta_at < record.socket.closed_at <= record.ended_at


def test_the_network_goes_when_the_test_says_so(sdk, lane):
    lane.script(Answer(gated=True))
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(sdk.stream, sdk.at(lane.base_url), **question())
        lane.release()
        lane.wait(deltas=1)
        assert lane.cut("reset") == 1
        with pytest.raises(httpx2.ReadError):
            answer.result(10)
    [record] = lane.wait(ended=1)
    assert (record.outcome, record.socket.closed_by, record.socket.closed_how) == ("server reset", "server", "reset")


def test_requests_are_recorded_without_their_key(sdk, lane):
    sdk.create(sdk.at(lane.base_url), **question("What is it?", system="Be brief."))
    [record] = lane.requests()
    assert (record.endpoint, record.prompt, record.stream, record.step) == ("messages", "What is it?", False, "answer")
    assert record.body == question("What is it?", system="Be brief.")
    assert record.headers["anthropic-version"] == "2026-10-21"
    assert record.key == fingerprint(KEY)
    assert KEY not in json.dumps(lane.state())
    assert record.usage["output_tokens"] == 5


def test_only_the_right_key_opens_a_lane_that_has_one(sdk, lane):
    lane.settings(key="another")
    with pytest.raises(anthropic.AuthenticationError):
        sdk.create(sdk.at(lane.base_url), **question())
    assert (lane.requests()[0].step, lane.requests()[0].error) == ("refused", "authentication_error")
    assert sdk.create(sdk.at(lane.base_url, api_key="another"), **question()).content


def test_rules_choose_by_what_the_prompt_says(sdk, lane):
    lane.rule("broken", otherwise=Status(500))
    lane.rule("very broken", Status(529))
    client = sdk.at(lane.base_url)
    for text, status in [("very broken", 529), ("very broken", 500), ("broken", 500)]:
        with pytest.raises(anthropic.InternalServerError) as error:
            sdk.create(client, **question(text))
        assert error.value.status_code == status
    assert sdk.create(client, **question("fine")).stop_reason == "end_turn"
    lane.reset()
    assert sdk.create(client, **question("broken")).stop_reason == "end_turn"
    assert len(lane.requests()) == 1


def test_many_calls_at_once_get_their_own_answers(lane):
    async def ask():
        async with anthropic.AsyncAnthropic(api_key=KEY, base_url=lane.base_url, max_retries=0) as client:
            return await asyncio.gather(*(client.messages.create(**question(f"number {n}")) for n in range(100)))

    assert [message.content[0].text for message in asyncio.run(ask())] == [f"You asked: number {n}" for n in range(100)]
    assert lane.state()["counts"]["ended"] == 100


def test_the_example_in_the_readme_runs():
    text = (Path(claude_server.__file__).parent / "README.md").read_text(encoding="utf-8")
    exec(text.split("```python\n")[1].split("```")[0], {})


def test_waiting_in_vain_says_what_did_happen(lane):
    with pytest.raises(AssertionError, match="'arrived': 1"):
        lane.wait(arrived=1, timeout=0.01)


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ({"steps": [{"step": "explode"}]}, "explode"),
        ({"steps": [{"step": "status", "stat": 1}]}, "has no field stat; it has status, type"),
        ({"steps": [{"step": "reset", "after": "2"}]}, "after cannot be '2'"),
        ({"steps": [{"step": "status"}]}, "status"),
        ({"steps": [{"step": "error_event", "type": "odd"}]}, "overloaded_error"),
        ({"stops": []}, "a rule is an object"),
    ],
)
def test_a_script_that_cannot_be_followed_is_refused(claude, lane, script, message):
    with pytest.raises(ValueError, match=message):
        claude.call("PUT", f"/_control/lanes/{lane.name}/script", script)


@pytest.mark.parametrize("how", ["stop", "terminate"])
def test_the_process_ends_when_it_is_told_to(how):
    server = ClaudeServer.start()
    if how == "terminate":
        server.process.terminate()
    else:
        server.process.stdin.close()
    assert server.process.wait(10) == 0
    server.stop()
