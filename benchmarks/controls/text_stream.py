"""The control of streams.py: Starlette and the SDK's `text_stream`, as its documentation shows it, and nothing else.

No sign-in, no session, no database, no limit, no log. https://github.com/anthropics/anthropic-sdk-python#streaming-helpers
"""

import json
from urllib.parse import parse_qs

from anthropic import AsyncAnthropic
from starlette.applications import Starlette
from starlette.responses import StreamingResponse
from starlette.routing import Route

client = AsyncAnthropic()


async def stream(request):
    prompt = parse_qs((await request.body()).decode())["prompt"][0]

    async def events():
        messages = [{"role": "user", "content": prompt}]
        async with client.messages.stream(model="claude-sonnet-4-6", max_tokens=1024, messages=messages) as answer:
            async for text in answer.text_stream:
                yield f"data: {json.dumps({'delta': text})}\n\n"
        yield f"data: {json.dumps({'done': True})}\n\n"

    return StreamingResponse(events(), media_type="text/event-stream")


application = Starlette(routes=[Route("/chat/stream/", stream, methods=["POST"])])
