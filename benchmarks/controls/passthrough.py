"""The floor of streams.py: an ASGI application without a framework, which passes the bytes of the API on as they are.

No sign-in, no session, no database, no JSON, no HTTP client: nothing in Python that streams an answer can do less.
"""

import asyncio
import os
import re
from urllib.parse import urlsplit

PORT = urlsplit(os.environ["ANTHROPIC_BASE_URL"]).port
QUESTION = re.compile(rb"\d+tokens/\d+")


async def application(scope, receive, send):
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    question = QUESTION.search(body)[0] + b'"stream":true'
    reader, writer = await asyncio.open_connection("127.0.0.1", PORT)
    try:
        head = b"POST /v1/messages HTTP/1.0\r\nContent-Length: %d\r\n\r\n" % len(question)
        writer.write(head + question)
        await reader.readuntil(b"\r\n\r\n")
        headers = [(b"content-type", b"text/event-stream"), (b"x-accel-buffering", b"no")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        while data := await reader.read(65536):
            await send({"type": "http.response.body", "body": data, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    finally:
        writer.close()
