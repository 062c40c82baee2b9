"""Pages that have asked a question, each over a connection of its own, which a test ends as readers end theirs."""

import http.client
import json
import socket
import struct
from typing import ClassVar
from urllib.parse import urlencode

import h2.config
import h2.connection
import h2.errors
import h2.events

PATIENCE = 30  # seconds without a byte, after which reading fails


class Tab:
    """A question over HTTP/1.1. `connection` is a socket to the project, or one to nginx that speaks TLS."""

    alpn: ClassVar = ["http/1.1"]

    def __init__(self, connection, host, cookies, path, fields):
        connection.settimeout(PATIENCE)
        self.connection = connection
        body = urlencode(fields, doseq=True)
        headers = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers_for(host, cookies, body))]
        connection.sendall("\r\n".join([*headers, "", body]).encode())
        self._response = None

    @property
    def response(self):
        """The response, as soon as its headers are there."""
        if self._response is None:
            self._response = http.client.HTTPResponse(self.connection)
            self._response.begin()
        return self._response

    @property
    def headers(self):
        """The headers of the response, each as its name in small letters and its value."""
        return [(name.lower(), value) for name, value in self.response.headers.items()]

    def read(self):
        """The next event, or the next comment as text; None at the end."""
        return parsed(self.response.readline() + self.response.readline())

    def json(self):
        """The whole body."""
        return json.loads(self.response.read())

    def close(self):
        """The tab is closed, or Stop is pressed: the other side learns that nothing more is wanted."""
        if self._response is not None:
            self._response.close()
        self.connection.close()

    def vanish(self):
        """The network is gone: the other side is told that there is no such connection."""
        socket.socket.setsockopt(self.connection, socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()


class SharedTab:
    """A question over HTTP/2, where Stop ends the question and not the connection."""

    alpn: ClassVar = ["h2"]

    def __init__(self, connection, host, cookies, path, fields):
        connection.settimeout(PATIENCE)
        self.connection = connection
        self.http = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.http.initiate_connection()
        self.host, self.cookies = host, cookies
        self.ask(path, fields)

    def ask(self, path, fields):
        """Another question over the same connection."""
        body = urlencode(fields)
        address = [(":method", "POST"), (":scheme", "https"), (":authority", self.host), (":path", path)]
        headers = [(name.lower(), value) for name, value in headers_for(self.host, self.cookies, body)[1:]]
        self.stream = self.http.get_next_available_stream_id()
        self.headers, self.received, self.ended = [], b"", False
        self.http.send_headers(self.stream, address + headers)
        self.http.send_data(self.stream, body.encode(), end_stream=True)
        self.connection.sendall(self.http.data_to_send())

    def read(self):
        """As `Tab.read`."""
        while b"\n\n" not in self.received and not self.ended:
            self._receive()
        event, _, self.received = self.received.partition(b"\n\n")
        return parsed(event)

    def _receive(self):
        for event in self.http.receive_data(self.connection.recv(65536)):
            if getattr(event, "stream_id", None) == self.stream:
                self.headers += getattr(event, "headers", None) or []
                self.received += getattr(event, "data", b"")
                self.ended = self.ended or isinstance(event, h2.events.StreamEnded | h2.events.StreamReset)
        self.connection.sendall(self.http.data_to_send())

    def stop(self):
        """Stop is pressed."""
        self.http.reset_stream(self.stream, h2.errors.ErrorCodes.CANCEL)
        self.connection.sendall(self.http.data_to_send())

    def close(self):
        self.connection.close()


def next_event(tab):
    """The next one that says something: on a slow machine, comments may keep the stream alive until then."""
    return next(event for event in iter(tab.read, None) if isinstance(event, dict))


def headers_for(host, cookies, body):
    """What a browser sends along; the token that CSRF protection wants is in a cookie of that name."""
    return [
        ("Host", host),
        ("Origin", f"https://{host}"),
        ("Cookie", "; ".join(f"{name}={value}" for name, value in cookies.items())),
        ("X-CSRFToken", cookies["csrftoken"]),
        ("X-Forwarded-Proto", "https"),
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Content-Length", str(len(body))),
    ]


def parsed(block):
    """An event as its JSON, a comment as text, None for the end."""
    text = block.decode().strip()
    return json.loads(text.removeprefix("data: ")) if text.startswith("data: ") else text or None
