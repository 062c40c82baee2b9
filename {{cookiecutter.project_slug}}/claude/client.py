# % if cookiecutter.client_wrapper
"""How the project talks to Claude: `ask` for a whole answer, `stream` for its text as it arrives.

# % if cookiecutter.view_style == "async"
`aask`, `astream` and `aask_many` are the same for async code. They raise `claude.failures.Failure` and nothing
else, and are built on `get_client` and `aget_client`: one SDK client for each process, or for each event loop.

# % else
Both raise `claude.failures.Failure` and nothing else. Built on `get_client`, one SDK client for each process.

# % endif
https://platform.claude.com/docs/en/api/messages
"""

# % else
"""The SDK's client, set up once: key, retries, timeouts, deadline, and the stand-in when there is no key.

https://platform.claude.com/docs/en/api/sdks/python
"""

# % endif
from __future__ import annotations

# % if cookiecutter.view_style == "async"
import asyncio
# % endif
import functools
import os
# % if cookiecutter.client_wrapper
# % if cookiecutter.view_style == "async"
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
# % else
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
# % endif
# % endif
# % if cookiecutter.client_wrapper
from typing import TYPE_CHECKING, Any, Unpack

# % else
from typing import TYPE_CHECKING, Any

# % endif
from django.conf import settings
from django.core.signals import setting_changed
from django.dispatch import receiver

# % if cookiecutter.client_wrapper
from claude import calls, failures
from claude.messages import (
    Answer,
    Details,
    Reading,
    Validate,
    build_request,
    is_valid,
    read_message,
    require_valid,
)

# % else
from claude import failures

# % endif
if TYPE_CHECKING:
    import anthropic


@functools.cache
def get_client() -> anthropic.Anthropic:
    """The one synchronous client of this process, made on first use: importing the SDK takes over a second.

    Raises `Failure` when the key cannot work. Threads may share it; a forked child gets its own.
    """
    import anthropic

    from claude import deadline

    return anthropic.Anthropic(
        http_client=anthropic.DefaultHttpxClient(
            follow_redirects=False, event_hooks={"response": [deadline.limit_body]}, **transport()
        ),
        middleware=[deadline.limit],
        **options(),
    )


# % if cookiecutter.view_style == "async"
clients: dict[asyncio.AbstractEventLoop, anthropic.AsyncAnthropic] = {}
endings: set[asyncio.Task[None]] = set()


def aget_client() -> anthropic.AsyncAnthropic:
    """The one asynchronous client of the running event loop, whose sockets belong to that loop.

    Raises `Failure` when the key cannot work.
    """
    loop = asyncio.get_running_loop()
    if loop not in clients:
        import anthropic

        from claude import deadline

        clients[loop] = anthropic.AsyncAnthropic(
            http_client=anthropic.DefaultAsyncHttpxClient(
                follow_redirects=False, event_hooks={"response": [deadline.alimit_body]}, **transport()
            ),
            middleware=[deadline.alimit],
            **options(),
        )
        ending = loop.create_task(close_at_the_end(clients[loop]))
        endings.add(ending)
        ending.add_done_callback(endings.discard)
    return clients[loop]


async def close_at_the_end(client: anthropic.AsyncAnthropic) -> None:
    """Closes the client's connections when the running loop ends, which cancels what still goes on in it.

    That of a server ends with the server, that of `async_to_sync` or `asyncio.run` with each call.
    """
    loop = asyncio.get_running_loop()
    try:
        await loop.create_future()
    finally:
        clients.pop(loop, None)
        await client.close()


# % endif
# % if cookiecutter.client_wrapper
def ask(
    user_prompt: str, system_prompt: str | None = None, *, validate: Validate | None = None, **details: Unpack[Details]
) -> Answer:
    """Claude's whole answer.

    `claude.messages.build_request` says what the details are: `history`, `max_tokens`, `idempotency_key`, `user`.
    `validate` raises ValueError for an answer that will not do, as `json.loads` does; Claude is then asked once more,
    under the same idempotency key. A second such answer raises `Failure`.
    """
    request = build_request(user_prompt, system_prompt, **details)
    answer = ask_once(request)
    if validate is not None and not is_valid(answer, validate):
        answer = ask_once(request)
        with failures.translated():
            require_valid(answer, validate)
    return answer


def ask_once(request: dict[str, Any]) -> Answer:
    with calls.recorded(request["model"]) as call, failures.translated(call):
        return read_message(get_client().messages.create(**request), call)


@contextmanager
def stream(user_prompt: str, system_prompt: str | None = None, **details: Unpack[Details]) -> Iterator[TextStream]:
    """Claude's answer as it arrives. Leaving the block closes the call, so that no further token is paid for.

    `with stream("Why is the sky blue?") as text:` gives the pieces to a `for` loop, and then `text.answer`.
    """
    request = build_request(user_prompt, system_prompt, **details)
    with ExitStack() as stack:
        call = stack.enter_context(calls.recorded(request["model"]))
        with failures.translated(call):
            sending = get_client().messages.with_streaming_response.create(**request, stream=True)
            response = stack.enter_context(sending)
        yield TextStream(response.http_response, call)


class TextStream:
    """The pieces of an answer. An empty piece says that Claude is at work and has nothing to show yet.

    `answer` is the whole answer, once the pieces have come to their end.
    """

    answer: Answer

    def __init__(self, response: Any, call: calls.Call) -> None:
        self._response = response
        self._call = call
        call.request_id = response.headers.get("request-id")

    def __iter__(self) -> Iterator[str]:
        from anthropic import Stream

        reading = Reading(self._call)
        with failures.translated(self._call):
            try:
                for event in Stream.raw_events(self._response):
                    yield reading.feed(event.event, event.data)
            except Exception:
                if not reading.is_whole:  # what goes wrong after the end takes nothing from the answer
                    raise
            self.answer = reading.finish()


# % if cookiecutter.view_style == "async"
async def aask(
    user_prompt: str, system_prompt: str | None = None, *, validate: Validate | None = None, **details: Unpack[Details]
) -> Answer:
    """As `ask`."""
    request = build_request(user_prompt, system_prompt, **details)
    answer = await aask_once(request)
    if validate is not None and not is_valid(answer, validate):
        answer = await aask_once(request)
        with failures.translated():
            require_valid(answer, validate)
    return answer


async def aask_once(request: dict[str, Any]) -> Answer:
    with calls.recorded(request["model"]) as call, failures.translated(call):
        return read_message(await aget_client().messages.create(**request), call)


@asynccontextmanager
async def astream(
    user_prompt: str, system_prompt: str | None = None, **details: Unpack[Details]
) -> AsyncIterator[AsyncTextStream]:
    """As `stream`, with `async with` and `async for`."""
    request = build_request(user_prompt, system_prompt, **details)
    async with AsyncExitStack() as stack:
        call = stack.enter_context(calls.recorded(request["model"]))
        with failures.translated(call):
            sending = aget_client().messages.with_streaming_response.create(**request, stream=True)
            response = await stack.enter_async_context(sending)
        yield AsyncTextStream(response.http_response, call)


class AsyncTextStream:
    """As `TextStream`."""

    answer: Answer

    def __init__(self, response: Any, call: calls.Call) -> None:
        self._response = response
        self._call = call
        call.request_id = response.headers.get("request-id")

    async def __aiter__(self) -> AsyncIterator[str]:
        from anthropic import AsyncStream

        reading = Reading(self._call)
        with failures.translated(self._call):
            try:
                async for event in AsyncStream.raw_events(self._response):
                    yield reading.feed(event.event, event.data)
            except Exception:
                if not reading.is_whole:  # what goes wrong after the end takes nothing from the answer
                    raise
            self.answer = reading.finish()


async def aask_many(
    prompts: Iterable[str], system_prompt: str | None = None, **details: Unpack[Details]
) -> list[Answer | failures.Failure]:
    """An answer or a `Failure` for each prompt, in their order, all within CLAUDE_DEADLINE.

    At most CLAUDE_FAN_OUT are asked at once. Each gets an `idempotency_key` of its own, made of the one that is given.
    """
    from claude import deadline

    details["history"] = list(details.get("history", ()))
    key = details.pop("idempotency_key", None)
    room = asyncio.Semaphore(settings.CLAUDE_FAN_OUT)

    async def one(number: int, prompt: str) -> Answer | failures.Failure:
        async with room:
            try:
                return await aask(prompt, system_prompt, **details, idempotency_key=key and f"{key}-{number}")
            except failures.Failure as failure:
                return failure

    with deadline.shared():
        return await asyncio.gather(*(one(number, prompt) for number, prompt in enumerate(prompts)))


# % endif
# % endif
def options() -> dict[str, Any]:
    """What every client is built with. The key is explicit: no profile or file of the machine takes its place."""
    key = settings.ANTHROPIC_API_KEY.strip()
    if settings.CLAUDE_OFFLINE:
        key = "offline"
    elif not key or not key.isascii() or not key.isprintable():
        raise failures.Failure("misconfigured", "check ANTHROPIC_API_KEY: it is empty or no key at all")
    return {
        "api_key": key,
        "base_url": settings.ANTHROPIC_BASE_URL,
        "max_retries": settings.CLAUDE_MAX_RETRIES,
        "timeout": settings.CLAUDE_TIMEOUT,
        # Traces, where they are collected, never hold prompts or answers.
        "open_telemetry": {"traces": {"content_mode": "metadata_only"}},
    }


def transport() -> dict[str, Any]:
    """What carries the requests: the network, or the stand-in that needs none."""
    if not settings.CLAUDE_OFFLINE:
        return {}
    from claude.offline import StandIn

    return {"transport": StandIn()}


def forget_clients(**kwargs: Any) -> None:
    """The next call builds a new client."""
# % if cookiecutter.view_style == "async"
    clients.clear()
# % endif
    get_client.cache_clear()


# Two processes that share a client's sockets would read each other's answers.
os.register_at_fork(after_in_child=forget_clients)


@receiver(setting_changed)
def follow_settings(*, setting: str, **kwargs: Any) -> None:
    """A test that overrides a setting gets a client that knows it."""
    if setting.startswith(("ANTHROPIC_", "CLAUDE_")):
        forget_clients()
