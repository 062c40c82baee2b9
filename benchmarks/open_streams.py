"""Reads many streams at once from one process, for a fraction of what a client library costs, and times each token.

One JSON object comes in: where to ask, what and how often. A first line {"window": [from, to]} goes out at once, and at
the end what was seen. The window begins when all streams are open and `settle` seconds have gone by. Each stream has
`length` tokens, or as many as end with the window. What is late by `patience` seconds after it is left. Times are
seconds of the clock that all processes share.
"""

import json
import re
import select
import socket
import sys
import time
from array import array
from collections import Counter
from urllib.parse import urlencode

STAMP = re.compile(rb"\d{10}\.\d{6}")
CHUNK_HEAD = re.compile(rb"\r\n[0-9a-f]+\r\n")
END = re.compile(rb'"done": true|"message_stop"')
ERROR = re.compile(rb'"error": "([^"]*)", "status": (\d+)')


class Stream:
    """One question and its stream."""

    def __init__(self, connection, length):
        self.connection = connection
        self.length = length
        self.rest = b""
        self.answered = False
        self.tokens = 0
        self.asked = self.first = None
        self.outcome = ""

    def ask(self, request):
        self.asked = time.monotonic()
        self.connection.sendall(request)
        self.connection.setblocking(False)

    def read(self):
        """The time, and the delays of the tokens that are there by then."""
        try:
            data = self.connection.recv(65536)
        except BlockingIOError:
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
            self.first = (now - self.asked) - (sent - arrived)
        self.tokens += len(stamps)
        if END.search(events):
            missing = self.length - self.tokens
            self.outcome = f"{missing} tokens missing" if missing else "whole"
        elif error := ERROR.search(events):
            self.outcome = f"error event {error[2].decode()}"
        return now, [now - sent for sent in stamps]


def request_for(spec, question, length):
    """The bytes of one question. Each has a key of its own, as the page gives it."""
    fields = {**question, "prompt": f"{length}tokens/{spec['rate']}"}
    body = urlencode(fields, safe="/").encode()
    headers = [f"{name}: {value}" for name, value in spec["headers"]]
    head = "\r\n".join(["POST /chat/stream/ HTTP/1.1", *headers, f"Content-Length: {len(body)}", "", ""])
    return head.encode() + body


def run(spec):
    """Open the streams one after the other, read them all to their end, and give what was seen."""
    start = time.monotonic() + 0.2
    opened = start + len(spec["questions"]) / spec["opens_per_second"]
    window = opened + spec["settle"], opened + spec["settle"] + spec["seconds"]
    print(json.dumps({"window": window}), flush=True)
    poll = select.epoll()
    streams, readings = {}, Readings(window)
    waiting = list(enumerate(spec["questions"]))[::-1]
    give_up = window[1] + spec["patience"]
    while (streams or waiting) and (now := time.monotonic()) < give_up:
        while waiting and now >= start + waiting[-1][0] / spec["opens_per_second"]:
            _, question = waiting.pop()
            length = spec["length"] or int((window[1] - now) * spec["rate"]) + 1
            connection = socket.create_connection(("127.0.0.1", spec["port"]), timeout=30)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            stream = Stream(connection, length)
            stream.ask(request_for(spec, question, length))
            streams[connection.fileno()] = stream
            poll.register(connection, select.EPOLLIN)
            readings.all.append(stream)
        for number, _ in poll.poll(0.002 if waiting else 0.1, 256):
            stream = streams[number]
            readings.add(stream.read())
            if stream.outcome:
                poll.unregister(number)
                del streams[number]
                stream.connection.close()
    return readings.report(spec["seconds"])


class Readings:
    """What was read inside the window."""

    def __init__(self, window):
        self.window = window
        self.all = []
        self.delays = array("d")
        self.cpu = [None, None]

    def add(self, reading):
        if reading is None:
            return
        now, delays = reading
        if self.window[0] <= now < self.window[1]:
            self.cpu = [self.cpu[0] or time.process_time(), time.process_time()]
            self.delays.extend(delays)

    def report(self, seconds):
        outcomes = Counter(stream.outcome or ("late" if stream.tokens else "no token") for stream in self.all)
        return {
            "outcomes": outcomes,
            "first": percentiles([stream.first for stream in self.all if stream.first is not None]),
            "delay": percentiles(self.delays),
            "tokens": sum(stream.tokens for stream in self.all),
            "tokens_in_window": len(self.delays),
            "busy": (self.cpu[1] - self.cpu[0]) / seconds if self.cpu[0] else 0.0,
        }


def percentiles(values):
    """The median and the 99th percentile, in seconds; none of nothing."""
    values = sorted(values)
    return [values[len(values) // 2], values[len(values) * 99 // 100]] if values else [None, None]


if __name__ == "__main__":
    json.dump(run(json.load(sys.stdin)), sys.stdout)
