"""Answers the page in a server's place, byte by byte. It stands for the network, never for code of ours."""

import json
import queue
import threading
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PATIENCE = 30
"""Seconds until a test gives up on something that must happen."""

DONE = {"done": True, "stop_reason": "end_turn", "usage": {"input_tokens": 12, "output_tokens": 40}}


def event(**data):
    return f"data: {json.dumps(data)}\n\n"


def respond(page, status, content, **options):
    """From now on, the questions of this page get this answer: JSON, or the text of a stream."""
    if isinstance(content, str):
        options = {"content_type": "text/event-stream", "body": content, **options}
    else:
        options = {"json": content, **options}
    page.unroute_all()
    page.route("**/chat/stream/", lambda route: route.fulfill(status=status, **options))


class Wire:
    """A server that only listens. What it answers, and when, is the test's to say, one `Exchange` at a time."""

    def __init__(self):
        self.exchanges = exchanges = queue.Queue()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                exchange = Exchange(self)
                exchanges.put(exchange)
                exchange.over.wait(PATIENCE)

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer_for(self, page, path="**/chat/stream/"):
        """From now on, the questions of this page come here. The page sees no difference."""
        page.route(path, lambda route: route.continue_(url=self.url))

    def take(self, page):
        """The next question."""
        for _ in range(PATIENCE * 100):
            if not self.exchanges.empty():
                return self.exchanges.get()
            page.wait_for_timeout(10)  # Playwright hands the request on while it waits
        raise AssertionError(f"the page sent nothing for {PATIENCE} s")

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Exchange:
    """A question of the page, and the answer to it."""

    def __init__(self, handler):
        self.handler = handler
        self.headers = handler.headers
        self.fields = form_fields(handler.headers, handler.rfile.read(int(handler.headers["Content-Length"])))
        self.over = threading.Event()

    def start(self, status=200, **headers):
        self.handler.send_response(status)
        for name, value in {"Content_Type": "text/event-stream", **headers}.items():
            self.handler.send_header(name.replace("_", "-"), value)
        self.handler.end_headers()
        return self

    def send(self, data):
        self.handler.wfile.write(data if isinstance(data, bytes) else data.encode())
        return self

    def end(self):
        self.over.set()

    def reader_leaves(self):
        """Waits until the browser has closed the connection."""
        self.handler.connection.settimeout(PATIENCE)
        return self.handler.connection.recv(1) == b""


def form_fields(headers, body):
    """The fields of a multipart form, by name."""
    message = message_from_bytes(b"Content-Type: " + headers["Content-Type"].encode() + b"\r\n\r\n" + body)
    return {
        part.get_param("name", header="Content-Disposition"): part.get_payload(decode=True).decode()
        for part in message.get_payload()
    }
