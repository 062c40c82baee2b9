"""An HTTP server in place of the project, which answers as a test tells it to, one step at a time."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

EVENTS = [b'data: {"delta": "one"}\n\n', b'data: {"delta": "two"}\n\n', b'data: {"done": true}\n\n']


class Upstream(ThreadingHTTPServer):
    """GET answers the request's own headers, as JSON. POST does what `?do=` in the query says:

    chunked        EVENTS, each after `go_on()` but the first, in chunks like uvicorn and gunicorn send
    until-close    the same, with the end of the answer told by the end of the connection
    measured       the same, with the length told beforehand
    until-left     the first event; sets `reader_left` when the connection is closed from the other side
    never          nothing before `go_on()`
    502            that status, with JSON of its own; so any other number
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answer)
        self.port = self.server_address[1]
        self.steps = threading.Semaphore(0)
        self.posts = []
        self.first_event_sent = threading.Event()
        self.reader_left = threading.Event()

    def go_on(self, steps=1):
        """Let whoever waits take the next step."""
        self.steps.release(steps)

    def wait(self):
        self.steps.acquire(timeout=60)

    def handle_error(self, request, client_address):
        """A reader who has left is no error here."""


class Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def do_GET(self):
        self.answer(200, dict(self.headers), **{"Strict-Transport-Security": "max-age=31536000"})

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.posts.append(self.path)
        kind = parse_qs(urlsplit(self.path).query).get("do", ["200"])[0]
        if kind.isdigit():
            content = {"error": "the project's own words", "status": int(kind)}
            self.answer(int(kind), content, **{"X-Accel-Buffering": "no"})
        elif kind == "never":
            self.server.wait()
            self.close_connection = True
        elif kind == "until-left":
            self.start_stream("until-close")
            self.wfile.write(EVENTS[0])
            if not self.rfile.read(1):
                self.server.reader_left.set()
        else:
            self.stream(kind)

    def answer(self, status, content, **headers):
        body = json.dumps(content).encode()
        self.send_response(status)
        headers |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def start_stream(self, kind):
        name, value = {
            "chunked": ("Transfer-Encoding", "chunked"),
            "measured": ("Content-Length", str(sum(map(len, EVENTS)))),
            "until-close": ("Connection", "close"),
        }[kind]
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header(name, value)
        self.end_headers()
        self.close_connection = True

    def stream(self, kind):
        self.start_stream(kind)
        for event in EVENTS:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(event), event) if kind == "chunked" else event)
            self.server.first_event_sent.set()
            self.server.wait()
        if kind == "chunked":
            self.wfile.write(b"0\r\n\r\n")


@contextmanager
def running_upstream():
    """An Upstream that answers until the end of the block."""
    with Upstream() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.go_on(1000)
            server.shutdown()
            thread.join()
