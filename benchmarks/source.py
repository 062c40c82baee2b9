"""A stand-in for Claude that does one thing: many streams of tokens at a steady pace, from a fraction of a core.

tests/claude_server checks and remembers every request, which is more than a core can do for 1,000 such streams. Here
the text of each delta is the moment at which it was sent, on the clock that all processes of a machine share; the
first delta begins with the moment at which its request arrived. A question names its length and its pace: by
`500tokens/50` come 500 tokens, 50 a second, and by `500tokens/0` all at once. Without a stream, they are one message.

    python source.py [CERTIFICATE KEY]        prints {"port": …}, and when its input ends {"sent": …, "lag": …}
"""

import asyncio
import heapq
import itertools
import json
import os
import re
import ssl
import sys
import threading
import time
from array import array

from claude_server import answers, messages

GRAIN = 0.001  # seconds; what is due within it is sent together
STAMP = "%017.6f"
QUESTION = re.compile(rb"(\d+)tokens/(\d+)")
STREAM = re.compile(rb'"stream": ?true')
HEADERS = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nrequest-id: req_source\r\n"
JSON = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nrequest-id: req_source\r\ncontent-length: %d\r\n\r\n"
USAGE = {"input_tokens": 1, "output_tokens": 1}
WHOLE = messages.message("claude", [], USAGE)


def frames(events):
    return b"".join(answers.frame(*event) for event in events)


OPENING = frames(
    [
        messages.opening(WHOLE),
        messages.event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
    ]
)
DELTA = frames([messages.delta("STAMP ")]).replace(b"STAMP", STAMP.encode())
CLOSING = frames([messages.event("content_block_stop", index=0), *messages.closing(WHOLE)])


def chunk(data):
    return b"%x\r\n%b\r\n" % (len(data), data)


# All deltas but the first have the same length, so their frame is made once.
CHUNK = chunk(DELTA % 0).replace((STAMP % 0).encode(), STAMP.encode())


class Source:
    """Sends what is due on all connections, from one timer."""

    def __init__(self):
        self.queue = []
        self.numbers = itertools.count()
        self.timer = None
        self.lags = array("d")

    def add(self, stream):
        heapq.heappush(self.queue, (time.monotonic() + stream.pause, next(self.numbers), stream))
        self.set_timer()

    def set_timer(self):
        if self.timer is None and self.queue:
            wait = max(GRAIN, self.queue[0][0] - time.monotonic())
            self.timer = asyncio.get_running_loop().call_later(wait, self.tick)

    def tick(self):
        self.timer = None
        begun = time.monotonic()
        while self.queue and self.queue[0][0] <= begun:
            due, number, stream = self.queue[0]
            now = time.monotonic()
            if stream.send(now):
                heapq.heapreplace(self.queue, (due + stream.pause, number, stream))
                self.lags.append(now - due)
            else:
                heapq.heappop(self.queue)
        self.set_timer()

    def report(self):
        lags = sorted(self.lags) or [0.0]
        return {"sent": len(self.lags), "lag": lags[len(lags) * 99 // 100], "cpu": time.process_time()}


class Stream(asyncio.Protocol):
    """One connection, and the answer that goes out on it."""

    def __init__(self, source):
        self.source = source
        self.received = b""
        self.left = 0

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.received += data
        head, blank, body = self.received.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
        if not blank or len(body) < int(length[1]):
            return
        self.received = b""
        arrived = time.monotonic()
        length, rate = map(int, QUESTION.search(body).groups())
        if not STREAM.search(body):
            whole = json.dumps(messages.message("claude", [{"type": "text", "text": "word " * length}], USAGE)).encode()
            self.transport.write(JSON % len(whole) + whole)
            return
        self.chunked = head.split(b"\r\n")[0].endswith(b"1.1")
        self.left = length - 1
        first = OPENING + DELTA.replace(STAMP.encode(), f"{STAMP} {STAMP}".encode()) % (arrived, time.monotonic())
        if self.chunked:
            self.transport.write(HEADERS + b"transfer-encoding: chunked\r\n\r\n" + chunk(first))
        else:
            self.transport.write(HEADERS + b"connection: close\r\n\r\n" + first)
        if rate:
            self.pause = 1 / rate
            self.source.add(self)
        else:
            self.transport.write((CHUNK if self.chunked else DELTA) % time.monotonic() * self.left)
            self.left = 0
            self.send(0)

    def send(self, now):
        """Send a delta, or the end; says whether there is more to send."""
        if self.transport.is_closing():
            return False
        if self.left > 0:
            self.left -= 1
            self.transport.write((CHUNK if self.chunked else DELTA) % now)
            return True
        self.transport.write(chunk(CLOSING) + chunk(b"") if self.chunked else CLOSING)
        if not self.chunked:
            self.transport.close()
        return False


async def main(*certificate):
    source = Source()
    context = None
    if certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*certificate)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Stream(source), "127.0.0.1", 0, backlog=4096, ssl=context)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    ended = asyncio.Event()

    def wait_for_end_of_input():
        while os.read(0, 4096):
            pass
        loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=wait_for_end_of_input, daemon=True).start()
    await ended.wait()
    print(json.dumps(source.report()), flush=True)


if __name__ == "__main__":
    sys.exit(asyncio.run(main(*sys.argv[1:])))
