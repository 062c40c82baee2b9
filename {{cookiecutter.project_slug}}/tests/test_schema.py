"""Answers that must fit a model of Pydantic."""

import logging
import traceback
from enum import Enum
from typing import Annotated, Any, Optional

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model, field_validator

from claude.answers import Usage
from claude.failures import Failure
from claude.messages import build_request
from tests.asking import ask
from tests.streams import end, refusal, start, text, thought, whole

pytestmark = pytest.mark.django_db


class Urgency(Enum):
    LOW = "low"
    HIGH = "high"


class Product(BaseModel):
    name: str
    version: int | None = None


class Ticket(BaseModel):
    summary: str
    urgency: Urgency
    products: list[Product]
    stars: int = Field(default=3, ge=1, le=5)

    @field_validator("summary")
    @classmethod
    def has_words(cls, summary: str) -> str:
        if not summary.strip():
            raise ValueError("no words")
        return summary


JSON = '{"summary": "It burns", "urgency": "high", "products": [{"name": "Stove", "version": null}]}'
TICKET = Ticket(summary="It burns", urgency=Urgency.HIGH, products=[Product(name="Stove")])


PROMPT = "Which ticket is this?"


def failure_of(**details):
    with pytest.raises(Failure) as caught:
        ask(PROMPT, schema=Ticket, **details)
    return caught.value


@pytest.mark.parametrize("pieces", [[JSON], [JSON[:20], JSON[20:]], [" \n", JSON, "\n"]])
def test_an_answer_that_fits_is_an_instance(play, pieces):
    play(whole(*thought(), *map(text, pieces)))
    answer, call = ask(schema=Ticket)
    assert (answer.parsed, call.outcome) == (TICKET, "answered")
    assert (answer, answer.usage.output_tokens) == ("".join(pieces), 9)


def test_without_a_schema_nothing_is_parsed(play):
    play(whole(text(JSON)))
    assert ask()[0].parsed is None


def test_claude_is_told_the_schema_beside_the_effort(play, settings):
    settings.CLAUDE_EFFORT = "low"
    seen = play(whole(text(JSON)))
    ask(schema=Ticket)
    output = seen[0]["body"]["output_config"]
    assert (output["effort"], output["format"]["type"]) == ("low", "json_schema")
    schema = output["format"]["schema"]
    assert schema["required"] == ["summary", "urgency", "products"]
    assert schema["$defs"]["Urgency"]["enum"] == ["low", "high"]
    assert schema["$defs"]["Product"]["additionalProperties"] is False


def test_another_model_is_told_the_schema_too(play, settings):
    settings.CLAUDE_FALLBACK_MODEL, settings.CLAUDE_EFFORT = "claude-haiku-4-5", ""
    seen = play([start(), *refusal()], whole(text(JSON)))
    assert ask(schema=Ticket)[0].parsed == TICKET
    first, second = (attempt["body"]["output_config"] for attempt in seen)
    assert first == second


# --- What is no instance --------------------------------------------------------------------------

MISFITS = {
    "empty": "",
    "words": "A secret ticket",
    "cut": JSON[:-1],
    "null": "null",
    "list": f"[{JSON}]",
    "fenced": f"```json\n{JSON}\n```",
    "another enum": JSON.replace("high", "secret"),
    "capitals": JSON.replace("high", "High"),
    "beyond a bound": JSON.replace("{", '{"stars": 6, ', 1),
    "a validator of its own": JSON.replace("It burns", " "),
    "half a character": JSON.replace("burns", "\ud83d"),
    "deep": "[" * 100_000,
    "long number": JSON.replace("{", '{"stars": %s, ' % ("1" * 10_000), 1),
    "none of its fields": '{"secret": 1}',
}


@pytest.mark.parametrize("said", MISFITS.values(), ids=MISFITS)
def test_an_answer_that_does_not_fit_is_a_failure_that_quotes_nothing(play, caplog, said):
    play([start(), text(said), *end()])
    failure = failure_of(purpose="sorting")
    assert (failure.kind, failure.status, failure.sentence) == ("misfit", 502, "AI service unavailable")
    assert failure.usage == Usage(5, 9, thinking_tokens=7)
    (line,) = (record for record in caplog.records if record.name == "claude")
    assert (line.levelno, line.outcome, line.output_tokens, line.exc_info) == (logging.WARNING, "misfit", 9, None)
    assert "Ticket" in failure.detail
    told = "".join(traceback.format_exception(failure)) + str(vars(failure)) + str(vars(line))
    assert not [words for words in ("secret", "burns", PROMPT) if words in told]
    assert not isinstance(failure.__context__, ValidationError)


@pytest.mark.parametrize("reason", ["tool_use", "pause_turn", None])
def test_an_answer_that_is_to_go_on_does_not_fit(play, reason):
    play([start(), text(JSON[:30]), *end(reason)])
    assert failure_of().kind == "misfit"


@pytest.mark.parametrize(
    ("reason", "hint"), [("max_tokens", "CLAUDE_MAX_TOKENS"), ("model_context_window_exceeded", "no room")]
)
def test_an_answer_that_was_cut_off_is_a_failure_of_its_own(play, caplog, reason, hint):
    play([start(), *thought(), text(JSON[:-1]), *end(reason)])
    failure = failure_of()
    assert (failure.kind, failure.status) == ("cut_off", 502)
    assert failure.usage.output_tokens == 9
    assert hint in caplog.text
    assert "burns" not in caplog.text


@pytest.mark.parametrize("said", [[], [text("A secret")]], ids=["at once", "after text"])
def test_a_refusal_is_a_failure_of_its_own(play, caplog, said):
    caplog.set_level(logging.INFO)
    play([start(), *said, *refusal("bio")])
    failure = failure_of()
    assert (failure.kind, failure.status) == ("declined", 422)
    assert failure.usage.output_tokens == 9
    (line,) = (record for record in caplog.records if record.name == "claude")
    assert (line.levelno, line.outcome, line.refusal_category) == (logging.INFO, "declined", "bio")
    assert "secret" not in str(vars(line))
    assert "Words of the API" not in str(vars(line))


def test_an_answer_that_is_all_thinking_is_a_failure_of_its_own(play):
    play([start(), *thought(), *end("max_tokens")])
    failure = failure_of()
    assert (failure.kind, failure.usage.thinking_tokens) == ("all_thinking", 7)


def test_a_stream_that_breaks_off_is_no_misfit(play):
    play([start(), text(JSON)])
    assert failure_of().kind == "unavailable"


# --- What the API can be told ---------------------------------------------------------------------


class Nested(BaseModel):
    counts: dict[str, int]


@pytest.mark.parametrize(
    "field",
    [
        dict[str, int],
        dict,
        dict[str, Product],
        dict[Urgency, int],
        dict[Annotated[str, Field(pattern="^a")], int],
        Optional[dict[str, int]],  # noqa: UP045
        list[dict[str, Any]],
        Nested,
        list[Nested],
    ],
)
def test_a_field_that_the_api_would_never_fill_is_refused(wire, field):
    schema = create_model("Odd", field=(field, ...))
    with pytest.raises(ValueError, match="Odd has a dict"):
        ask(schema=schema)
    assert wire == []


def test_a_field_of_any_type_is_refused(wire):
    with pytest.raises(ValueError, match="type"):
        ask(schema=create_model("Odd", field=(Any, ...)))
    assert wire == []


class Named(BaseModel):
    """Whose fields have the names of a schema's own words."""

    model_config = ConfigDict(extra="allow")

    additionalProperties: Product
    properties: str
    type: str
    object: list[str]


class Nothing(BaseModel):
    pass


@pytest.mark.parametrize("schema", [Named, Nothing])
def test_a_model_that_only_looks_as_if_it_had_a_dict_is_taken(schema):
    told = build_request("Hello", schema=schema)["output_config"]["format"]["schema"]
    assert set(told["properties"]) == set(schema.model_fields)


class Branch(BaseModel):
    branches: list["Branch"]


def test_a_model_of_itself_is_refused_by_the_api(wire):
    with pytest.raises(Failure) as caught:
        ask(schema=Branch)
    assert (caught.value.kind, caught.value.detail) == ("unavailable", "400 invalid_request_error")
    assert len(wire) == 1
