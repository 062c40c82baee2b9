"""The SDK's clients, sync and async, in the three ways that a question can be asked of each."""

import asyncio
from contextlib import contextmanager

import anthropic

from claude_server import KEY

MODEL = "claude-sonnet-4-6"
WAYS = ["create", "events", "stream"]


def question(text="Why is the sky blue?", **more):
    """What a call takes."""
    return {"model": MODEL, "max_tokens": 100, "messages": [{"role": "user", "content": text}], **more}


class Sync:
    """The SDK's sync client, in the three ways that it can be asked."""

    def __init__(self):
        self.run = lambda value: value
        self.client = anthropic.Anthropic(api_key=KEY, base_url="http://unused.invalid", max_retries=0)

    def at(self, url, **options):
        return self.client.with_options(base_url=url, **{"timeout": 10.0, **options})

    def create(self, client, **body):
        return client.messages.create(**body)

    def events(self, client, **body):
        return list(client.messages.create(stream=True, **body))

    def stream(self, client, **body):
        with client.messages.stream(**body) as stream:
            stream.until_done()
            return stream.get_final_message()

    def leave(self, client, lane, **body):
        """Read one delta, then close."""
        with client.messages.stream(**body) as stream:
            lane.release()
            return next(iter(stream.text_stream))


class Async:
    """The same of the async client, on one loop."""

    def __init__(self, runner):
        self.client = anthropic.AsyncAnthropic(api_key=KEY, base_url="http://unused.invalid", max_retries=0)
        self.run = runner.run

    at = Sync.at

    def create(self, client, **body):
        return self.run(client.messages.create(**body))

    def events(self, client, **body):
        async def events():
            return [event async for event in await client.messages.create(stream=True, **body)]

        return self.run(events())

    def stream(self, client, **body):
        async def stream():
            async with client.messages.stream(**body) as stream:
                await stream.until_done()
                return await stream.get_final_message()

        return self.run(stream())

    def leave(self, client, lane, **body):
        async def leave():
            async with client.messages.stream(**body) as stream:
                await asyncio.to_thread(lane.release)
                return await anext(aiter(stream.text_stream))

        return self.run(leave())


@contextmanager
def calls(kind):
    """The calls of the "sync" or of the "async" client, which is closed in the end."""
    if kind == "sync":
        sdk = Sync()
        yield sdk
        sdk.client.close()
    else:
        with asyncio.Runner() as runner:
            sdk = Async(runner)
            yield sdk
            runner.run(sdk.client.close())
