"""The same client over HTTP/2, where Stop ends a question and not the connection. It stands on h2."""

from email.message import Message
from typing import ClassVar

import h2.config
import h2.connection
import h2.errors
import h2.events

from http_client import Body, HttpClient, parsed


class Http2Client(HttpClient):
    """Its requests share one connection, which the first one opens."""

    alpn: ClassVar = "h2"

    def __init__(self, *arguments, **more):
        super().__init__(*arguments, **more)
        self.connection = None
        self.replies = {}

    def start(self, method, path, body=None, headers=None):
        """As over HTTP/1.1."""
        if self.connection is None:
            self.connection = self.connect()
            self.http = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
            self.http.initiate_connection()
        sent = self.headers_for(body, headers)
        pseudo = {":method": method, ":scheme": "https", ":authority": sent.pop("Host"), ":path": path}
        stream = self.http.get_next_available_stream_id()
        lines = [*pseudo.items(), *((name.lower(), value) for name, value in sent.items())]
        self.http.send_headers(stream, lines, end_stream=body is None)
        if body is not None:
            self.http.send_data(stream, body, end_stream=True)
        self.flush()
        self.replies[stream] = Http2Reply(self, stream)
        return self.replies[stream]

    def flush(self):
        self.connection.sendall(self.http.data_to_send())

    def receive(self):
        """Take what comes next, for whichever reply."""
        for event in self.http.receive_data(self.connection.recv(65536)):
            if reply := self.replies.get(getattr(event, "stream_id", None)):
                reply.take(event)
        self.flush()


class Http2Reply(Body):
    """As `Reply`."""

    def __init__(self, client, stream):
        self.client = client
        self.stream = stream
        self.headers = None
        self.received = b""
        self.ended = False

    @property
    def connection(self):
        return self.client.connection

    def take(self, event):
        if isinstance(event, h2.events.ResponseReceived):
            self.headers = Message()
            for name, value in event.headers:
                self.headers[name] = value
            self.client.keep_cookies(self.headers)
        elif isinstance(event, h2.events.DataReceived):
            self.received += event.data
        elif isinstance(event, h2.events.StreamEnded | h2.events.StreamReset):
            self.ended = True

    def begin(self):
        while self.headers is None and not self.ended:
            self.client.receive()
        return self

    @property
    def status(self):
        return int(self.begin().headers[":status"])

    @property
    def body(self):
        while not self.ended:
            self.client.receive()
        return self.received

    def read_event(self):
        while b"\n\n" not in self.received and not self.ended:
            self.client.receive()
        event, _, self.received = self.received.partition(b"\n\n")
        return parsed(event)

    def stop(self):
        """Stop is pressed: the question ends, and the connection stays for the next one."""
        self.client.http.reset_stream(self.stream, h2.errors.ErrorCodes.CANCEL)
        self.client.flush()

    def close(self):
        """The tab is closed, and the connection with it."""
        self.connection.close()
