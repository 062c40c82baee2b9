"""The HTTP client of the tests: whole replies, streams event by event, any request at all, and hanging up.

It stands on http.client and not on the SDK's httpx2, because a test sends a request and waits for its reply later,
sends cookies marked Secure over plain HTTP as a proxy does, and needs the socket itself: to close it, to reset it, or
to write bytes that are no HTTP.
"""

import http.client
import json
import re
import socket
import struct
from typing import ClassVar
from urllib.parse import urlencode, urlsplit

PATIENCE = 30
"""Seconds without a byte, after which reading fails: an answer held back fails a test and does not hang it."""

FORM = "application/x-www-form-urlencoded"


class HttpClient:
    """A user's browser over HTTP/1.1: its cookies, and requests that each have a connection of their own.

    `connect` is a function that opens a socket; `headers` go out with every request.
    """

    alpn: ClassVar = "http/1.1"

    def __init__(self, connect, host, cookies=None, headers=None):
        self.connect = connect
        self.host = host
        self.cookies = dict(cookies or {})
        self.headers = headers or {}

    @classmethod
    def in_place_of_proxy(cls, url, cookies=None):
        """Talks to a project as the proxy in front of it does: over plain HTTP, saying that the user came by HTTPS."""
        address = urlsplit(url)

        def connect():
            return open_socket(address.hostname, address.port)

        return cls(connect, address.netloc, cookies, {"X-Forwarded-Proto": "https"})

    def get(self, path, headers=None):
        """The reply, with its headers there."""
        return self.send("GET", path, headers=headers)

    def post(self, path, fields, headers=None):
        """A form. The reply, with its headers there."""
        return self.start_post(path, fields, headers).begin()

    def send(self, method, path, body=None, headers=None):
        """Any request. The reply, with its headers there."""
        return self.start(method, path, body, headers).begin()

    def start_post(self, path, fields, headers=None):
        """Send a form, and wait for nothing. The reply is to be closed."""
        return self.start("POST", path, urlencode(fields, doseq=True).encode(), headers)

    def start(self, method, path, body=None, headers=None):
        """Send any request, and wait for nothing. The reply is to be closed."""
        connection = self.connect()
        try:
            request = http.client.HTTPConnection(self.host)
            request.sock = connection
            request.request(method, path, body, self.headers_for(body, headers))
        except BaseException:
            connection.close()
            raise
        return Reply(self, connection, method)

    def headers_for(self, body=None, headers=None):
        """What a browser sends along, unless `headers` say otherwise. A header that is None is left out."""
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        usual = {
            "Host": self.host,
            "Origin": f"https://{self.host}",
            "Cookie": cookies or None,
            "X-CSRFToken": next((value for name, value in self.cookies.items() if name.endswith("csrftoken")), None),
            "Content-Type": None if body is None else FORM,
        }
        sent = usual | self.headers | (headers or {})
        return {name: value for name, value in sent.items() if value is not None}

    def keep_cookies(self, headers):
        """As a browser does with those of a response."""
        for cookie in headers.get_all("Set-Cookie", []):
            name, value = cookie.split(";")[0].split("=", 1)
            self.cookies[name] = value

    def sign_in(self, username, password, headers=None):
        """Through the form of the sign-in page, whose hidden field holds the token. Gives the reply."""
        page = self.get("/accounts/sign-in/").text
        (token,) = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page)[:1]
        fields = {"username": username, "password": password, "csrfmiddlewaretoken": token}
        reply = self.post("/accounts/sign-in/", fields, {"X-CSRFToken": None} | (headers or {}))
        assert (reply.status, reply.headers["Location"]) == (302, "/"), reply.text
        assert any(name.endswith("sessionid") for name in self.cookies)
        return reply


class Body:
    """What can be read of a reply, over whichever protocol it comes."""

    @property
    def text(self):
        return self.body.decode()

    @property
    def json(self):
        return json.loads(self.body)

    def events(self):
        """The events of a stream, each as soon as it is there. Comments are left out."""
        return (event for event in iter(self.read_event, None) if isinstance(event, dict))

    def whole(self):
        """This reply, read to its end and closed."""
        with self:
            assert isinstance(self.body, bytes)
            return self

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()


class Reply(Body):
    """The reply to one request. What is asked for is waited for: its headers, its next event, or its whole body."""

    def __init__(self, client, connection, method):
        self.client = client
        self.connection = connection
        self.method = method
        self._response = None
        self._body = None

    # Not by functools.cached_property: before Python 3.12 one thread that waits in it holds up all others.

    @property
    def response(self):
        """The response of the standard library, as soon as its headers are there."""
        if self._response is None:
            response = http.client.HTTPResponse(self.connection, method=self.method)
            response.begin()
            self.client.keep_cookies(response.headers)
            self._response = response
        return self._response

    def begin(self):
        """Wait for the headers. Gives this reply."""
        assert self.response
        return self

    @property
    def status(self):
        return self.response.status

    @property
    def headers(self):
        return self.response.headers

    @property
    def body(self):
        if self._body is None:
            self._body = self.response.read()
        return self._body

    def read_event(self):
        """The next event, or the next comment as text; None at the end."""
        return parsed(self.response.readline() + self.response.readline())

    def close(self):
        """The tab is closed, or Stop is pressed: the other side learns that nothing more is wanted."""
        if self._response is not None:
            self._response.close()
        self.connection.close()

    def reset(self):
        """The network is gone: the other side is told that there is no such connection."""
        socket.socket.setsockopt(self.connection, socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()


def open_socket(host, port):
    """A connection that gives up after PATIENCE, and sends at once what it is given."""
    connection = socket.create_connection((host, port), PATIENCE)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def events_in(text):
    """The events of a stream that has been read to its end, without its comments."""
    events = map(parsed, text.encode().split(b"\n\n"))
    return [event for event in events if isinstance(event, dict)]


def parsed(block):
    """An event as its JSON, a comment as text, None for the end."""
    text = block.decode().strip()
    return json.loads(text.removeprefix("data: ")) if text.startswith("data: ") else text or None
