"""Reads many streams at once from one process, for a fraction of what a client library costs, and times each token.

One JSON object comes in: where to ask and how often. A first line {"window": [from, to]} goes out at once, and at the
end what was seen. The window begins when all streams are open; times are seconds of the clock that all processes share.
"""

import json
import re
import select
import socket
import ssl
import sys
import time
from array import array

from source import PAUSE

STAMP = re.compile(rb"\d{10}\.\d{6}")
CHUNK_HEAD = re.compile(rb"\r\n[0-9a-f]+\r\n")
END = re.compile(rb'"done": true|"message_stop"')
ERROR = re.compile(rb'"error": "([^"]*)", "status": (\d+)')
SETTLE = 2.0  # seconds between the last opening and the window
PATIENCE = 20.0  # seconds after the last token was sent, within which all must have arrived
NOTHING_YET = (BlockingIOError, ssl.SSLWantReadError)


class Stream:
    """One question and its stream."""

    def __init__(self, connection, length):
        self.connection = connection
        self.length = length
        self.rest = b""
        self.answered = False
        self.tokens = 0
        self.asked = self.first = self.sent = self.delay = None
        self.outcome = ""

    def ask(self, request):
        self.asked = time.monotonic()
        self.connection.sendall(request)
        self.connection.setblocking(False)

    def read(self):
        """The delays of the tokens that are there, and how much each differs from that of the token before it."""
        try:
            data = self.connection.recv(65536)
        except NOTHING_YET:
            return None
        except OSError as error:
            data, self.outcome = b"", f"cut: {type(error).__name__}"
        now = time.monotonic()
        if not data:
            self.outcome = self.outcome or "cut"
            return None
        data = self.rest + data
        self.answered = self.answered or data.startswith(b"HTTP/1.1 200")
        if not self.answered and len(data) >= len(b"HTTP/1.1 200"):
            self.outcome = f"status {data[9:12].decode(errors='replace')}"
            return None
        end = data.rfind(b"\n\n")
        if end < 0:
            self.rest = data
            return None
        events, self.rest = CHUNK_HEAD.sub(b"", data[:end]), data[end:]
        stamps = [float(stamp) for stamp in STAMP.findall(events)]
        if stamps and self.first is None:
            arrived, sent = stamps.pop(0), stamps[0]
            self.first, self.first_at = (now - self.asked) - (sent - arrived), now
        self.tokens += len(stamps)
        if END.search(events):
            missing = self.length - self.tokens
            self.outcome = f"{missing} tokens missing" if missing else "whole"
        elif error := ERROR.search(events):
            self.outcome = f"error event {error[2].decode()}"
        delays = [now - sent for sent in stamps]
        before = [delays[0] if self.delay is None else self.delay, *delays] if delays else []
        self.delay = delays[-1] if delays else self.delay
        return now, delays, [after - earlier for earlier, after in zip(before, delays, strict=False)]


def connections(spec):
    """Open connections; handshakes come before the clock starts."""
    context = None
    if spec["certificate"]:
        context = ssl.create_default_context(cafile=spec["certificate"])
        context.set_alpn_protocols(["http/1.1"])
    while True:
        plain = socket.create_connection(("127.0.0.1", spec["port"]), timeout=30)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield context.wrap_socket(plain, server_hostname=spec["host"]) if context else plain


def request_for(spec, question):
    """The bytes of one question. Each has an id of its own, as the page gives it."""
    body = f"prompt={question['length']}tokens&request_id={question['id']}".encode()
    headers = [f"{name}: {value}" for name, value in spec["headers"]]
    head = "\r\n".join(["POST /chat/stream/ HTTP/1.1", *headers, f"Content-Length: {len(body)}", "", ""])
    return head.encode() + body


def run(spec):
    """Open the streams one after the other, read them all to their end, and give what was seen."""
    questions = spec["questions"]
    # Under TLS in advance, as a handshake would hold up those who are reading; a plain connection is opened when used.
    ready = connections(spec)
    prepared = [next(ready) for _ in questions] if spec["certificate"] else []
    start = time.monotonic() + 0.2
    opened = start + len(questions) / spec["opens_per_second"]
    window = opened + SETTLE, opened + SETTLE + spec["seconds"]
    print(json.dumps({"window": window}), flush=True)
    poll = select.epoll()
    streams, readings = {}, Readings(window)
    waiting = list(enumerate(questions))[::-1]
    give_up = window[1] + PATIENCE
    while (streams or waiting) and (now := time.monotonic()) < give_up:
        while waiting and now >= start + waiting[-1][0] / spec["opens_per_second"]:
            number, question = waiting.pop()
            question["length"] = int((window[1] - now) / PAUSE) + 1
            stream = Stream(prepared[number] if prepared else next(ready), question["length"])
            stream.ask(request_for(spec, question))
            streams[stream.connection.fileno()] = stream
            poll.register(stream.connection, select.EPOLLIN)
            readings.all.append(stream)
        for number, _ in poll.poll(0.002 if waiting else 0.1, 256):
            stream = streams[number]
            readings.add(stream.read())
            while stream.connection and hasattr(stream.connection, "pending") and stream.connection.pending():
                readings.add(stream.read())
            if stream.outcome:
                poll.unregister(number)
                del streams[number]
                stream.connection.close()
                stream.connection = None
    return readings.report(spec["seconds"])


class Readings:
    """What was read inside the window."""

    def __init__(self, window):
        self.window = window
        self.all = []
        self.delays, self.gaps = array("d"), array("d")
        self.cpu = [None, None]

    def add(self, reading):
        if reading is None:
            return
        now, delays, gaps = reading
        if now >= self.window[0]:
            if self.cpu[0] is None:
                self.cpu[0] = time.process_time()
            if now < self.window[1]:
                self.delays.extend(delays)
                self.gaps.extend(gaps)
                self.cpu[1] = time.process_time()

    def report(self, seconds):
        outcomes = {}
        for stream in self.all:
            name = stream.outcome or ("late" if stream.first is not None else "no token")
            outcomes[name] = outcomes.get(name, 0) + 1
        return {
            "outcomes": outcomes,
            "first": percentiles([stream.first for stream in self.all if stream.first is not None]),
            "held": sum(stream.first is not None and stream.first_at < self.window[1] for stream in self.all),
            "delay": percentiles(self.delays),
            "gap": percentiles(self.gaps),
            "tokens": len(self.delays),
            "busy": (self.cpu[1] - self.cpu[0]) / seconds if None not in self.cpu else 0.0,
        }


def percentiles(values):
    """The median and the 99th percentile, in seconds; none of nothing."""
    values = sorted(values)
    return [values[len(values) // 2], values[len(values) * 99 // 100]] if values else [None, None]


if __name__ == "__main__":
    json.dump(run(json.load(sys.stdin)), sys.stdout)
