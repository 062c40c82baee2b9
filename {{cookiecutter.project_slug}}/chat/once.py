"""One click is paid for once.

A request may carry `request_id`, a UUID that the page makes for each question. While the first request with an id
is being answered, another with the same id is refused with 409; once it has been answered, another gets the same
answer again, and Claude is not asked.

# % if cookiecutter.view_style == "sync"
A question that failed may be asked again under its id; so may one whose worker died, when CLAUDE_DEADLINE has
passed.
# % elif cookiecutter.view_style == "streaming"
A question that failed, or whose stream was left, may be asked again under its id; so may one whose worker died,
when CLAUDE_DEADLINE has passed.
# % else
A question that failed, or whose reader left, may be asked again under its id; so may one whose worker died,
when CLAUDE_DEADLINE has passed. Many questions that were sent together are one here: it has failed when each of
them has.
# % endif
"""

# % if cookiecutter.view_style == "async"
import asyncio
# % endif
import logging
import uuid
# % if cookiecutter.view_style == "async"
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
# % elif cookiecutter.view_style == "streaming"
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
# % else
from collections.abc import Callable, Iterator
from contextlib import contextmanager
# % endif
from datetime import timedelta
from functools import wraps
from typing import Any

# % if cookiecutter.view_style == "async"
from asgiref.sync import sync_to_async
# % endif
from django.conf import settings
from django.db import Error, IntegrityError, connections, transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import salted_hmac

from chat.models import Question
from chat.responses import Refused

logger = logging.getLogger("chat")

Outcome = dict[str, Any]

# How much longer than CLAUDE_DEADLINE a question may stay unanswered before its worker is taken for dead, in seconds.
GRACE = 5


# % if cookiecutter.view_style == "async"
def once(answer: Callable[[HttpRequest], Awaitable[Outcome]]) -> Callable[[HttpRequest], Awaitable[Outcome]]:
    """Makes `answer` keep to the rule above."""

    @wraps(answer)
    async def wrapped(request: HttpRequest) -> Outcome:
        async with claimed(request) as question:
            if question.outcome is not None:
                return question.outcome
            outcome = await answer(request)
            if not all("error" in part for part in outcome.get("answers", [outcome])):
                question.outcome = outcome
            return outcome

    return wrapped


async def streamed_once(request: HttpRequest, events: AsyncGenerator[Outcome]) -> AsyncGenerator[Outcome]:
    """The events of an answer, which keep to the rule above. Who has read the last of them finds it kept."""
    try:
        async with claimed(request) as question:
            rest = replayed(question.outcome)
            pieces: list[str] = []
            while not rest:
                event = await anext(events)
                if "done" in event:
                    question.outcome = whole(pieces, event)
                    rest = [event]
                else:
                    pieces.append(event.get("delta", ""))
                    yield event
        for event in rest:
            yield event
    finally:
        await events.aclose()


@asynccontextmanager
async def claimed(request: HttpRequest) -> AsyncIterator[Question]:
    """The question of this request, which is answered when the block has given it an outcome, and failed otherwise."""
    # A reader who leaves cancels what is awaited here, and neither the claim nor its end may get lost.
    claiming = asyncio.ensure_future(sync_to_async(claim)(request))
    try:
        yield await asyncio.shield(claiming)
    except (asyncio.CancelledError, GeneratorExit):
        logger.info("The reader left before the answer ended: the call to Claude is closed.")
        raise
    finally:
        await asyncio.shield(settled(claiming))


async def settled(claiming: Awaitable[Question]) -> None:
    with suppress(Refused):
        await sync_to_async(settle)(await claiming)


# % else
def once(answer: Callable[[HttpRequest], Outcome]) -> Callable[[HttpRequest], Outcome]:
    """Makes `answer` keep to the rule above."""

    @wraps(answer)
    def wrapped(request: HttpRequest) -> Outcome:
        with claimed(request) as question:
            if question.outcome is None:
                question.outcome = answer(request)
            return question.outcome

    return wrapped


# % if cookiecutter.view_style == "streaming"
def streamed_once(request: HttpRequest, events: Generator[Outcome]) -> Generator[Outcome]:
    """The events of an answer, which keep to the rule above. Who has read the last of them finds it kept."""
    try:
        with claimed(request) as question:
            rest = replayed(question.outcome)
            pieces: list[str] = []
            while not rest:
                event = next(events)
                if "done" in event:
                    question.outcome = whole(pieces, event)
                    rest = [event]
                else:
                    pieces.append(event.get("delta", ""))
                    yield event
        yield from rest
    finally:
        events.close()


# % endif
@contextmanager
def claimed(request: HttpRequest) -> Iterator[Question]:
    """The question of this request, which is answered when the block has given it an outcome, and failed otherwise."""
    question = claim(request)
    try:
        yield question
# % if cookiecutter.view_style == "streaming"
    except GeneratorExit:
        logger.info("The reader left before the answer ended: the call to Claude is closed.")
        raise
# % endif
    finally:
        settle(question)


# % endif
def claim(request: HttpRequest) -> Question:
    """The question, ours to answer or with its outcome. Raises `Refused` while another request is answering it.

    A request without an id gets one that is not kept. Whatever the outcome, no database connection is held afterwards:
    Claude may take minutes, and a pool has few.
    """
    try:
        return claim_in_database(request)
    finally:
        release_connections()


def claim_in_database(request: HttpRequest) -> Question:
    try:
        request_id = uuid.UUID(sent) if (sent := request.POST.get("request_id")) else None
    except ValueError:
        raise Refused(400, "The request_id is not a UUID: please reload the page and ask again.") from None
    if request_id is None:
        return Question(user=request.user)
    now = timezone.now()
    Question.objects.filter(asked_at__lt=now - timedelta(seconds=settings.CHAT_REMEMBER)).delete()
    asked = request.POST.getlist("prompt")
# % if cookiecutter.view_style == "async"
    # What ask-many gives is no answer for the other endpoints, which share theirs.
    asked = [str(request.resolver_match.url_name == "ask_many"), *asked]
# % endif
    digest = salted_hmac("chat.question", "\0".join(asked), algorithm="sha256").hexdigest()
    try:
        with transaction.atomic():
            return Question.objects.create(user=request.user, request_id=request_id, digest=digest, asked_at=now)
    except IntegrityError:
        question = Question.objects.get(user=request.user, request_id=request_id)
    if question.digest != digest:
        raise Refused(422, "This request_id belongs to another question: please reload the page and ask again.")
    if question.outcome is None:
        take_over(question, now)
    return question


def take_over(question: Question, now: Any) -> None:
    """Makes an unanswered question ours, when nobody is answering it. Raises `Refused` otherwise."""
    dead = now - timedelta(seconds=settings.CLAUDE_DEADLINE + GRACE)
    free = question.state == Question.State.FAILED or question.asked_at < dead
    if not (free and unchanged(question).update(state=Question.State.ASKED, asked_at=now)):
        raise Refused(409, "This question is being answered already: please wait for its answer.")
    question.state, question.asked_at = Question.State.ASKED, now


def unchanged(question: Question) -> QuerySet[Question]:
    """The row of a question, as long as no other request has changed it: of two that try to, one does."""
    return Question.objects.filter(pk=question.pk, state=question.state, asked_at=question.asked_at)


# % if cookiecutter.view_style != "sync"
def whole(pieces: list[str], done: Outcome) -> Outcome:
    """What the events of a stream come to."""
    return {"answer": "".join(pieces), **{name: value for name, value in done.items() if name != "done"}}


def replayed(outcome: Outcome | None) -> list[Outcome]:
    """The events of an answer that was given before, if it was."""
    if outcome is None:
        return []
    rest = {name: value for name, value in outcome.items() if name != "answer"}
    return [{"delta": outcome["answer"]}, {"done": True, **rest}]


# % endif
def settle(question: Question) -> None:
    """Keeps how the question ended, unless another request has taken it over meanwhile.

    Its reader may be slow to read that: no database connection is held then. When the database fails, the reader still
    gets the answer, which has been paid for.
    """
    if question.pk is not None and question.state != Question.State.ANSWERED:
        ours = unchanged(question)
        answered = question.outcome is not None
        question.state = Question.State.ANSWERED if answered else Question.State.FAILED
        try:
            ours.update(state=question.state, outcome=question.outcome)
        except Error as error:
            # Its own words may quote the answer.
            logger.error("How a question ended could not be kept: %s", type(error).__name__)
        finally:
            release_connections()


def release_connections() -> None:
    """Gives the database connections of this request back, unless a transaction, as in a test, is open on one.

    https://docs.djangoproject.com/en/stable/ref/databases/#persistent-connections
    """
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close()
