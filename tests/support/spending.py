"""Runs in a rendered project: has calls begin, go on and end as it is told, and says what the books then hold.

The SDK asks a transport that plays the API. Several calls are open at once, each in a context of its own, and each goes
on by one step at a time, so that a test decides how they interleave. `tests/support/spending_machine.py` drives it.
"""

import asyncio
import inspect
import json
import os
import sqlite3
import sys
import time
import traceback
from contextlib import suppress
from contextvars import copy_context
from datetime import timedelta
from decimal import Decimal

import anyio
import httpx2
from claude import calls, client
from claude.deadline import Deadline
from claude.failures import Failure
from claude.messages import build_request
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import OperationalError, connections
from django.db.backends.signals import connection_created
from django.db.models.functions import Now
from django.utils import timezone
from usage import ledger
from usage.models import (
    Alert,
    DailySpending,
    GroupBudget,
    LedgerEntry,
    ProjectBudget,
    Reservation,
)

IS_ASYNC = inspect.iscoroutinefunction(calls.ask)
LOOP = asyncio.new_event_loop() if IS_ASYNC else None
PRICES = dict.fromkeys(("input", "output", "cache_read"), Decimal(5))
PRICES |= {"cache_write_5m": Decimal("6.25"), "cache_write_1h": Decimal(10), "web_search": Decimal(10)}
settings.USAGE_PRICES = {"model-one": PRICES, "model-two": dict.fromkeys(PRICES, Decimal(20))}
settings.ANTHROPIC_MODEL, settings.CLAUDE_MAX_TOKENS, settings.CLAUDE_MAX_RETRIES = "model-one", 1000, 1
# The SDK's pauses before it tries again.
time.sleep = lambda seconds: None


async def no_sleep(seconds):
    pass


anyio.sleep = no_sleep
real_now, days = timezone.now, 0
timezone.now = lambda: real_now() + timedelta(days=days)


# --- The API --------------------------------------------------------------------------------------


class Api(httpx2.BaseTransport, httpx2.AsyncBaseTransport):
    """Each attempt at a call meets what was planned for it; the last plan counts for all that follow."""

    def __init__(self):
        self.plans, self.reached = {}, set()

    def handle_request(self, request):
        return self.respond(request, json.loads(request.read()))

    async def handle_async_request(self, request):
        return await self.arespond(request, json.loads(await request.aread()))

    async def arespond(self, request, body):
        trace, noted = request.extensions["trace"], []
        request.extensions["trace"] = lambda *event: noted.append(event)
        try:
            return self.respond(request, body)
        finally:
            for event in noted:
                await trace(*event)

    def respond(self, request, body):
        number = body["messages"][-1]["content"].split()[0]
        plans = self.plans[number]
        plan = plans.pop(0) if plans[1:] else plans[0]
        if plan["kind"] == "unreached":
            raise httpx2.ConnectError("nobody listens")
        self.reached.add(number)
        request.extensions["trace"]("http11.send_request_body.complete", {})
        if plan["kind"] == "silent":
            raise httpx2.ReadTimeout("no word")
        if plan["kind"] == "lost":
            raise httpx2.ReadError("the connection is lost")
        headers = {"request-id": f"req_{number}", "content-type": "text/event-stream", "retry-after-ms": "1"}
        if plan["kind"] == "error":
            error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
            return httpx2.Response(plan["status"], headers=headers | {"content-type": "application/json"}, json=error)
        if plan["kind"] == "html":
            return httpx2.Response(200, headers=headers | {"content-type": "text/html"}, text="<p>Sign in</p>")
        return httpx2.Response(200, headers=headers, stream=Events(events_of(plan, body)))


class Events(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    def __init__(self, events):
        self.events = events

    def __iter__(self):
        yield from self.events

    async def __aiter__(self):
        for event in self.events:
            yield event


def events_of(plan, body):
    """A stream, which takes as much of what the request may cost as the plan says, in shares of it."""
    read = {name: body[name] for name in ("system", "messages") if name in body}
    tokens = int(plan["input"] * len(json.dumps(read, ensure_ascii=False)))
    output = int(plan["output"] * body["max_tokens"])
    usage = {"input_tokens": tokens, "output_tokens": 1}
    if plan["cache"] != "none":
        usage = {"input_tokens": 0, "output_tokens": 1, f"cache_{plan['cache']}_input_tokens": tokens}
        is_long = plan["cache"] == "creation" and '"ttl": "1h"' in json.dumps(body)
        usage["cache_creation"] = {"ephemeral_1h_input_tokens": tokens if is_long else 0}
    yield frame("message_start", message={"id": "msg", "model": body["model"], "usage": usage})
    for number in range(plan["deltas"]):
        if plan["kind"] == "cut" and number == plan["deltas"] - 1:
            raise httpx2.ReadError("the connection is lost")
        if plan["kind"] == "event" and number == plan["deltas"] - 1:
            yield frame("error", error={"type": "overloaded_error", "message": "Overloaded"})
        yield frame("content_block_delta", delta={"type": "text_delta", "text": "word "})
    refused = plan["kind"] == "refusal"
    end = {"stop_reason": "refusal" if refused else "end_turn"}
    end |= {"stop_details": {"category": plan["category"]}} if refused else {}
    yield frame("message_delta", delta=end, usage={"output_tokens": output if plan["deltas"] or not refused else 0})
    yield frame("message_stop")


def frame(name, **data):
    return f"event: {name}\ndata: {json.dumps({'type': name, **data})}\n\n".encode()


api = Api()
http_options = client.http_options
client.http_options = lambda: http_options() | {"transport": api}


# --- Calls ----------------------------------------------------------------------------------------


def run(context, function, *arguments):
    """The next step of a call, in its context."""
    if not IS_ASYNC:
        return context.run(function, *arguments)

    async def step():
        return await function(*arguments)

    return LOOP.run_until_complete(LOOP.create_task(step(), context=context))


class Open:
    """A call under way."""

    def __init__(self, number, user, deadline=None):
        self.context = copy_context()
        request = build_request(f"{number} Why is the sky blue?", user=user)
        deadline = deadline or Deadline()
        self.block = calls.open(request, user=user, purpose="chat", deadline=deadline)
        self.call = run(self.context, self.block.__aenter__ if IS_ASYNC else self.block.__enter__)
        sdk = client.aget_client if IS_ASYNC else client.get_client

        def create(**more):
            return sdk().messages.with_streaming_response.create(**more)

        self.pieces = calls.stream(self.call, create)

    def go_on(self):
        """Whether there is more of it."""
        end = StopAsyncIteration if IS_ASYNC else StopIteration
        try:
            run(self.context, *([self.pieces.__anext__] if IS_ASYNC else [next, self.pieces]))
        except end:
            self.leave_block()
            return False
        except Exception as error:
            with suppress(Failure):  # which the block makes of it
                self.leave_block(error)
            return False
        return True

    def leave(self):
        """As when the user has hung up."""
        run(self.context, self.pieces.aclose if IS_ASYNC else self.pieces.close)
        with suppress(GeneratorExit, asyncio.CancelledError):
            self.leave_block(asyncio.CancelledError() if IS_ASYNC else GeneratorExit())

    def leave_block(self, error=None):
        out = self.block.__aexit__ if IS_ASYNC else self.block.__exit__
        run(self.context, out, error and type(error), error, None)


# --- What may happen ------------------------------------------------------------------------------


class Books:
    """The project, from its first call on. Each method is something that happens."""

    def __init__(self):
        self.open, self.ended, self.dead, self.numbers = {}, {}, [], {}

    def reset(self, users, day, project, fallback, ttl, group):
        self.dead += [*self.open.values()]
        self.open, self.ended, self.numbers = {}, {}, {}
        for table in (Reservation, LedgerEntry, DailySpending, Alert, ProjectBudget, GroupBudget, Group):
            table.objects.all().delete()
        get_user_model().objects.all().delete()
        self.users = [get_user_model().objects.create_user(f"user{number}") for number in range(users)]
        settings.USAGE_USER_DAY, settings.USAGE_PROJECT_MONTH = Decimal(day), Decimal(project)
        settings.USAGE_USER_MONTH, settings.USAGE_CALLS_AT_ONCE = Decimal(project), 4
        settings.CLAUDE_FALLBACK_MODEL, settings.CLAUDE_CACHE_TTL = fallback, ttl
        self.group = Group.objects.create(name="Team")
        GroupBudget.objects.create(group=self.group, month=Decimal(group))
        api.plans, api.reached = {}, set()

    def begin(self, number, user, plans, model):
        api.plans[str(number)] = plans
        user = None if user is None else self.users[user]
        settings.ANTHROPIC_MODEL = model
        try:
            opened = Open(number, user)
        except Failure as failure:
            return failure.kind, failure.status
        finally:
            settings.ANTHROPIC_MODEL = "model-one"
        self.open[number] = opened
        self.numbers[str(opened.call.id)] = number
        return "begun", 200

    def go_on(self, number):
        if not self.open[number].go_on():
            self.end(number)

    def leave(self, number):
        self.open[number].leave()
        self.end(number)

    def end(self, number):
        self.ended[number] = self.open.pop(number).call

    def die(self, number):
        """Its process is killed: nothing of it runs any more."""
        opened = self.open.pop(number)
        self.dead.append(opened)
        self.ended[number] = opened.call

    def expire(self, number):
        call = self.open[number].call if number in self.open else self.ended[number]
        Reservation.objects.filter(pk=call.id).update(expires_at=Now() - timedelta(seconds=1))

    def settle_again(self, number):
        ledger.record(call=self.ended[number])

    def delete_user(self, user):
        get_user_model().objects.filter(pk=self.users[user].pk).delete()

    def change_group(self, user, joins):
        if get_user_model().objects.filter(pk=self.users[user].pk).exists():
            (self.group.user_set.add if joins else self.group.user_set.remove)(self.users[user])

    def midnight(self):
        global days
        days += 1

    def break_at(self, statement):
        """The database fails at one of its next statements."""
        Broken.at = statement

    def mend(self):
        Broken.at = None

    def state(self):
        """What the tables say."""
        rows = LedgerEntry.objects.values_list(
            "call_id", "iteration", "user_id", "day", "cost", "is_offline", "is_estimated", "outcome"
        )
        return {
            "rows": [[self.numbers.get(str(row[0])), *row[1:]] for row in rows],
            "spending": list(DailySpending.objects.values_list("user_id", "day", "amount")),
            "held": [
                [self.numbers.get(str(call)), *more]
                for call, *more in Reservation.objects.values_list("call_id", "user_id", "day", "amount")
            ],
            "users": [user.pk for user in self.users],
            "there": list(get_user_model().objects.values_list("pk", flat=True)),
            "reached": sorted(map(int, api.reached)),
            "open": list(self.open),
            "broken": Broken.at is None,
        }


class Broken:
    """A database that fails once, at the statement of this number."""

    at = None
    counts = False  # whether a call is what is at work

    def __call__(self, execute, sql, parameters, many, context):
        if Broken.counts and Broken.at is not None and context["connection"].in_atomic_block:
            if Broken.at == 0:
                Broken.at = None
                raise OperationalError("the database has gone")
            Broken.at -= 1
        return execute(sql, parameters, many, context)


def watch(connection, **kwargs):
    if not any(isinstance(wrapper, Broken) for wrapper in connection.execute_wrappers):
        connection.execute_wrappers.append(Broken())


class TriesOnce:
    """The ledger's writer, but in this thread, and once: what comes next is for the test to decide."""

    def write(self, item):
        item.give_up_at = 0
        item.is_over()

    def flush(self, owner):
        pass


ledger.Ledger.of_this_process = TriesOnce
connection_created.connect(watch)
connections.close_all()
if settings.DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # Whoever closes the last connection waits for the disk.
    kept = sqlite3.connect(settings.DATABASES["default"]["NAME"])
    kept.execute("SELECT * FROM usage_reservation").fetchall()

if __name__ == "__main__":
    books = Books()
    for line in sys.stdin:
        name, arguments = json.loads(line)
        try:
            Broken.counts = name in ("begin", "go_on", "leave", "settle_again")
            said = getattr(books, name)(**arguments)
            Broken.counts = False
            answer = [None, said, books.state()]
        except Exception:
            answer = [traceback.format_exc(), None, None]
        print(json.dumps(answer, default=str), flush=True)
    os._exit(0)  # the calls of dead processes must not be tidied up
