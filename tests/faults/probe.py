"""Runs inside a rendered project: makes its calls fail, and shows what a queue or an error report would keep of that.

Reads lines of JSON from the standard input, each with `surface`, `prompt` and perhaps `settings`, and answers each with
the pickle of the `Failure` that came of it, in base64, and the traceback that Python prints for it.
"""

import asyncio
import base64
import inspect
import json
import logging
import pickle
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import anthropic  # noqa: F401, which takes longer than the deadline of some questions
import django

django.setup()
logging.disable()

from chat import views  # noqa: E402
from chat.forms import Question  # noqa: E402
from claude import calls, client  # noqa: E402
from claude.failures import Failure  # noqa: E402
from claude.messages import build_request  # noqa: E402
from django.contrib.auth import get_user_model  # noqa: E402
from django.test import override_settings  # noqa: E402
from pydantic import BaseModel  # noqa: E402

USER = get_user_model()(pk=1, username="user")


def call(surface, prompt):
    """What a view does with a question, without what it then makes of a failure."""
    if surface == "schema":
        return ask_for_a_schema(prompt)
    answer = views.sse.events_of if surface == "events" else views.answer
    return answer(Question(USER, prompt), views.pieces_of)


def ask_for_a_schema(prompt):
    """What no view does: asks for an answer that fits a model of Pydantic."""
    request = build_request(prompt, schema=Sentence, user=USER)
    if hasattr(client, "get_client"):
        with calls.open(request) as opened:
            return calls.ask(opened, client.get_client().messages.with_streaming_response.create, Sentence)

    async def asked():
        async with calls.open(request) as opened:
            return await calls.ask(opened, client.aget_client().messages.with_streaming_response.create, Sentence)

    return asked()


class Sentence(BaseModel):
    answer: str


async def drain(events):
    async for _ in events:
        pass


def fail(question):
    """The failure, as it leaves the view's own code."""
    try:
        result = call(question["surface"], question["prompt"])
        if inspect.iscoroutine(result):
            asyncio.run(result)
        elif inspect.isasyncgen(result):
            asyncio.run(drain(result))
        elif question["surface"] == "events":
            list(result)
    except Failure as failure:
        return failure
    raise AssertionError(f"no failure came of {question}")


def essence(failure):
    return failure.status, str(failure), failure.anthropic_request_id


def shown(question):
    """The question, with what came of it."""
    settings = question.get("settings")
    with override_settings(**settings) if settings else nullcontext():
        failure = fail(question)
    data = pickle.dumps(failure)
    again = pickle.loads(data)
    return {
        **question,
        "kind": failure.kind,
        "same": essence(again) == essence(failure),
        "pickle": base64.b64encode(data).decode(),
        "traceback": "".join(traceback.format_exception(failure)),
    }


# Settings are those of the whole process: questions that change some are asked one at a time, when the others are done.
questions = [json.loads(line) for line in sys.stdin]
fail(questions[0])  # the first call builds what all share, which takes long on a busy machine
with ThreadPoolExecutor(8) as pool:
    answers = [*pool.map(shown, (question for question in questions if "settings" not in question))]
answers += [shown(question) for question in questions if "settings" in question]
for answer in answers:
    print(json.dumps(answer))
