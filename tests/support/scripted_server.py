"""A server that knows nothing: a test says what it answers, byte by byte and when.

It stands where a real server would not fail as a test wants it: in the project's place behind nginx and under the page,
in Sentry's place, and in the place of a container that is ill.
"""

import json
import queue
import threading
from email import message_from_bytes
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PATIENCE = 30
"""Seconds until a test gives up on something that must happen."""


def block(**data):
    """An event of a stream, as it stands on the wire."""
    return f"data: {json.dumps(data)}\n\n"


class ScriptedServer(ThreadingHTTPServer):
    """Serves until the end of a `with` block. Each request becomes an `Exchange`, and so many can be open at once.

    `answer(exchange)` answers each as it comes. Without it, or where it returns False, the test takes the exchange and
    answers it.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, answer=None, certificate=None):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer = answer or (lambda exchange: False)
        self.port = self.server_port
        self.url = f"http{'s' if certificate else ''}://127.0.0.1:{self.port}/"
        if certificate:  # an SSLContext; the thread of a connection shakes hands, and nobody waits for another
            self.socket = certificate.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.exchanges = queue.Queue()

    def take(self, timeout=PATIENCE):
        """The next exchange that waits for the test. Raises `queue.Empty` after so many seconds."""
        return self.exchanges.get(timeout=timeout)

    def handle_error(self, request, client_address):
        """A client that has left is no error here."""

    def __enter__(self):
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *exception):
        self.shutdown()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def exchange(self):
        exchange = Exchange(self)
        self.close_connection = True
        if self.server.answer(exchange) is False:
            self.server.exchanges.put(exchange)
            exchange.over.wait(PATIENCE)

    do_GET = do_POST = exchange

    def log_message(self, *arguments):
        """Nobody reads it."""


class Exchange:
    """A request, and the answer to it."""

    def __init__(self, handler):
        self.handler = handler
        self.path = handler.path
        self.method = handler.command
        self.headers = handler.headers
        self.body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        self.over = threading.Event()

    @cached_property
    def fields(self):
        """The fields of a multipart form, by name."""
        message = message_from_bytes(
            b"Content-Type: " + self.headers["Content-Type"].encode() + b"\r\n\r\n" + self.body
        )
        return {
            part.get_param("name", header="Content-Disposition"): part.get_payload(decode=True).decode()
            for part in message.get_payload()
        }

    def start(self, status=200, **headers):
        """Send the head of the answer: a stream that ends with the connection, unless headers say otherwise."""
        self.handler.send_response(status)
        for name, value in {"Content_Type": "text/event-stream", "Connection": "close", **headers}.items():
            self.handler.send_header(name.replace("_", "-"), value)
        self.handler.end_headers()
        self.chunked = headers.get("Transfer_Encoding") == "chunked"
        return self

    def send(self, data):
        """Send more of the answer. Empty data is the end of one in chunks, as HTTP has it."""
        data = data if isinstance(data, bytes) else data.encode()
        self.handler.wfile.write(b"%x\r\n%b\r\n" % (len(data), data) if self.chunked else data)
        return self

    def end(self):
        """Close the connection."""
        self.over.set()

    def json(self, content, status=200, **headers):
        """The whole answer."""
        body = json.dumps(content)
        self.start(status, Content_Type="application/json", Content_Length=len(body), **headers).send(body).end()

    def client_leaves(self):
        """Whether the client has closed the connection. Waits for that."""
        self.handler.connection.settimeout(PATIENCE)
        return self.handler.connection.recv(1) == b""
