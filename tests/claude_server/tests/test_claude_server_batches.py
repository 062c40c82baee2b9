"""Batches of the stand-in API under the real SDK: how they end, and what may go wrong."""

import anthropic
import pytest

from claude_server.script import Canceled, Expired, Refusal, Reset, Status
from sdk_calls import question


def requests(*texts):
    return [{"custom_id": f"item-{number}", "params": question(text)} for number, text in enumerate(texts)]


@pytest.fixture
def batches(sdk, lane):
    """The SDK's calls of batches, each as a function that gives what it gives."""

    def call(name, *args, **options):
        return sdk.run(getattr(sdk.at(lane.base_url, **options).messages.batches, name)(*args))

    return call


def create(sdk, lane, *texts):
    return sdk.run(sdk.at(lane.base_url).messages.batches.create(requests=requests(*texts)))


def listed(sdk, lane):
    """The ids of all batches, two a page."""

    async def all_of(pages):
        return [batch.id async for batch in pages]

    pages = sdk.at(lane.base_url).messages.batches.list(limit=2)
    return sdk.run(all_of(pages)) if hasattr(pages, "__aiter__") else [batch.id for batch in pages]


def results(lane, batch):
    """The SDK would ask the host that the batch names: no project does."""
    client = anthropic.Anthropic(api_key="sk-ant-x", base_url=lane.base_url, max_retries=0)
    path = f"/v1/messages/batches/{batch.id}/results"
    with client:
        lines = client.get(path, cast_to=str).splitlines()
    return [anthropic.types.messages.MessageBatchIndividualResponse.model_validate_json(line) for line in lines]


def test_a_batch_ends_after_so_many_looks_and_each_item_has_its_result(sdk, lane, batches):
    lane.settings(batch_looks=1)
    lane.rule("refuse", Refusal("bio"), endpoint="batch_items")
    lane.rule("fail", Status(529), endpoint="batch_items")
    lane.rule("late", Expired(), endpoint="batch_items")
    lane.rule("stop", Canceled(), endpoint="batch_items")
    batch = create(sdk, lane, "Why?", "refuse", "fail", "late", "stop")
    assert (batch.processing_status, batch.request_counts.processing, batch.results_url) == ("in_progress", 5, None)
    assert batches("retrieve", batch.id).processing_status == "in_progress"
    ended = batches("retrieve", batch.id)
    assert ended.processing_status == "ended"
    counts = ended.request_counts
    assert (counts.succeeded, counts.errored, counts.expired, counts.canceled, counts.processing) == (2, 1, 1, 1, 0)
    found = {line.custom_id: line.result for line in results(lane, batch)}
    assert list(found) == ["item-4", "item-3", "item-2", "item-1", "item-0"]
    assert found["item-0"].message.content[0].text == "You asked: Why?"
    assert found["item-0"].message.usage.output_tokens > 0
    assert found["item-1"].message.stop_reason == "refusal"
    assert found["item-2"].error.error.type == "overloaded_error"
    assert (found["item-3"].type, found["item-4"].type) == ("expired", "canceled")


def test_what_is_wrong_with_one_item_is_its_result(sdk, lane, batches):
    wrong = [*requests("Why?"), {"custom_id": "b", "params": question() | {"max_tokens": 0}}]
    batch = sdk.run(sdk.at(lane.base_url).messages.batches.create(requests=wrong))
    batches("retrieve", batch.id)
    kinds = [line.result.type for line in results(lane, batch)]
    assert kinds == ["errored", "succeeded"]


@pytest.mark.parametrize(
    "wrong",
    [[], [{"custom_id": "ü", "params": {}}], [{"custom_id": "a"}], 2 * [{"custom_id": "a", "params": {}}]],
)
def test_what_is_no_batch_is_refused(sdk, lane, wrong):
    with pytest.raises(anthropic.BadRequestError):
        sdk.run(sdk.at(lane.base_url).messages.batches.create(requests=wrong))


def test_a_canceled_batch_is_canceling_until_it_has_ended(sdk, lane, batches):
    batch = create(sdk, lane, "Why?")
    assert batches("cancel", batch.id).processing_status == "canceling"
    assert batches("retrieve", batch.id).request_counts.canceled == 1


def test_the_list_has_the_newest_first_and_comes_in_pages(sdk, lane):
    lane.settings(batch_looks=100)
    made = [create(sdk, lane, "Why?").id for _ in range(3)]
    assert listed(sdk, lane) == made[::-1]


def test_a_batch_whose_response_is_lost_was_made_all_the_same_and_a_refused_one_was_not(sdk, lane):
    lane.script(Reset(), Status(529), endpoint="batches")
    for error in (anthropic.APIConnectionError, anthropic.APIStatusError):
        with pytest.raises(error):
            create(sdk, lane, "Why?")
    assert len(listed(sdk, lane)) == 1


@pytest.mark.parametrize("name", ["retrieve", "cancel"])
def test_a_batch_that_nobody_made_is_not_found(batches, name):
    with pytest.raises(anthropic.NotFoundError):
        batches(name, "msgbatch_none")
