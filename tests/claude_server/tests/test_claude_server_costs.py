"""The cost report of the stand-in API under the real SDK: its sums, pages and filters, and whom it refuses."""

from datetime import UTC, datetime, timedelta
from typing import get_args

import anthropic
import pytest
from anthropic.types.beta.organization.analytics import cost_list_params
from anthropic.types.beta.organization.analytics.beta_analytics_cost_group import BetaAnalyticsCostGroup
from anthropic.types.beta.organization.analytics.beta_analytics_cost_group_by import BetaAnalyticsCostGroupBy

from claude_server import KEY, costs

DAY = datetime(2026, 11, 26, tzinfo=UTC)
WHOLE_DAY = {"starting_at": DAY, "ending_at": DAY + timedelta(days=1)}


def charge(amount, token_type="output_tokens", model="claude-opus-5-5", hour=8, **more):
    cost_type = "tokens" if token_type else "web_search"
    at = (DAY + timedelta(hours=hour)).isoformat()
    return {"at": at, "amount": amount, "model": model, "cost_type": cost_type, "token_type": token_type, **more}


@pytest.fixture
def client(lane):
    with anthropic.Anthropic(
        api_key="sk-ant-admin01-0123456789",
        base_url=lane.base_url,
        max_retries=0,
        _strict_response_validation=True,  # by the types
    ) as client:
        yield client


@pytest.fixture
def listed(client):
    """The rows of a report, and how many pages they came in."""

    def listed(**query):
        page = client.beta.organization.analytics.cost.list(**WHOLE_DAY | query)
        pages = list(page.iter_pages())
        return [item for page in pages for item in page.data], len(pages)

    return listed


def test_the_names_are_those_of_the_sdk():
    assert set(get_args(BetaAnalyticsCostGroupBy)) >= costs.DIMENSIONS
    assert BetaAnalyticsCostGroup.model_fields.keys() >= costs.DIMENSIONS
    known = cost_list_params.CostListParams.__annotations__.keys()
    assert {name.removesuffix("[]") for name in costs.PARAMETERS} - known == {"beta"}


def test_what_was_charged_is_summed_up_by_what_is_asked_for(lane, listed):
    lane.charge(charge("1.5"), charge("2.5"), charge("1", None), charge("8", model="claude-haiku-5-5", list_amount="9"))
    (row,), _ = listed()
    assert (row.cost.amount, row.cost.list_amount, row.cost.currency) == ("13.0", "14.0", "USD")
    assert (row.group.model, row.group.token_type, row.starting_at) == (None, None, DAY)
    rows, _ = listed(group_by=["model", "cost_type", "token_type"])
    assert [(row.group.model, row.group.cost_type, row.group.token_type, row.cost.amount) for row in rows] == [
        ("claude-haiku-5-5", "tokens", "output_tokens", "8"),
        ("claude-opus-5-5", "tokens", "output_tokens", "4.0"),
        ("claude-opus-5-5", "web_search", None, "1"),
    ]
    rows, _ = listed(group_by=["token_type"])
    assert [row.cost.amount for row in rows] == ["12.0"]


def test_filters_and_hours_leave_charges_out(lane, listed):
    lane.charge(
        charge("1", workspace_id="wrkspc_1", product="messages_api"),
        charge("2", api_key_id="apikey_1", product="claude_code"),
        charge("4", hour=24),
        charge("8", hour=-1),
    )
    assert [row.cost.amount for row in listed()[0]] == ["3"]
    assert [row.cost.amount for row in listed(workspace_ids=["wrkspc_1", "wrkspc_2"])[0]] == ["1"]
    assert [row.cost.amount for row in listed(api_key_ids=["apikey_1"])[0]] == ["2"]
    assert [row.cost.amount for row in listed(products=["messages_api"])[0]] == ["1"]
    assert listed(workspace_ids=["wrkspc_3"]) == ([], 1)


def test_a_page_has_as_many_rows_as_are_asked_for_and_tokens_do_not_count(lane, listed):
    kinds = ("output_tokens", "uncached_input_tokens")
    lane.charge(*(charge("1", kind, f"claude-{number}") for number in range(5) for kind in kinds))
    rows, pages = listed(group_by=["model", "token_type"], limit=2)
    assert (len(rows), pages) == (10, 3)


def test_it_says_until_when_it_knows_the_costs(lane, client):
    lane.settings(costs_known_until="2026-11-26T22:00:00+00:00")
    page = client.beta.organization.analytics.cost.list(**WHOLE_DAY)
    assert page.data_refreshed_at == DAY + timedelta(hours=22)


def test_only_an_admin_key_may_read_it(lane, client):
    with pytest.raises(anthropic.PermissionDeniedError):
        client.with_options(api_key=KEY).beta.organization.analytics.cost.list(**WHOLE_DAY)
    with pytest.raises(anthropic.BadRequestError, match="anthropic-beta"):
        client.get(costs.PATH, cast_to=object)


@pytest.mark.parametrize(
    "query",
    [
        {"limit": 0},
        {"limit": 1001},
        {"ending_at": DAY},
        {"ending_at": DAY + timedelta(days=32)},
        {"starting_at": "yesterday"},
        {"starting_at": "2026-11-26T00:00:00"},
        {"group_by": ["colour"]},
        {"extra_query": {"colour": "red"}},
    ],
)
def test_what_the_api_would_not_take_is_refused(listed, query):
    with pytest.raises(anthropic.BadRequestError):
        listed(**query)
