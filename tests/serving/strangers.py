"""Requests that no browser makes, and what a proper answer of an endpoint is to any of them."""

import http.client
import json
from typing import NamedTuple
from urllib.parse import urlencode

FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=b"
PATIENCE = 30  # seconds


class Reply(NamedTuple):
    """What came back, whole."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def events(self):
        """The events of a stream, without its comments."""
        blocks = self.body.decode().split("\n\n")
        return [json.loads(block.removeprefix("data: ")) for block in blocks if block.startswith("data: ")]

    @property
    def json(self):
        return json.loads(self.body)


def send(served, method, path, body=b"", content_type=FORM, cookies=None, **headers):
    """Any request at all, with all that a good one has unless a header says otherwise; None leaves one out."""
    address = f"127.0.0.1:{served.server.port}"
    cookies = served.cookies() if cookies is None else cookies
    sent = {
        "Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items()),
        "X-CSRFToken": cookies.get("csrftoken"),
        "Origin": f"https://{address}",
        "X-Forwarded-Proto": "https",
        "Content-Type": content_type,
    } | headers
    connection = http.client.HTTPConnection(address, timeout=PATIENCE)
    try:
        connection.request(method, path, body, {name: value for name, value in sent.items() if value is not None})
        response = connection.getresponse()
        return Reply(response.status, response.headers, response.read())
    finally:
        connection.close()


def form(**fields):
    """A form as browsers send it."""
    return urlencode(fields, doseq=True).encode()


def part(value, name="prompt", more=""):
    """A form of one field, in the other way that browsers send it."""
    return b'--b\r\nContent-Disposition: form-data; name="%b"%b\r\n\r\n%b\r\n--b--\r\n' % (
        name.encode(),
        more.encode(),
        value,
    )


def status_of(reply, method="POST"):
    """The status that a proper reply of an endpoint tells its script; fails for any other reply.

    Proper is JSON with an answer, or with a sentence and the reply's own status; or a stream that ends in one of
    these ways. Of many answers, the first one's status is told.
    """
    kind = reply.headers["Content-Type"]
    if method == "HEAD":
        assert (kind, reply.body) == ("application/json", b"")
        return reply.status
    if reply.status == 200 and kind == "text/event-stream":
        *pieces, end = reply.events
        assert all(piece.keys() == {"delta"} for piece in pieces)
        assert end.get("done") is True or end.keys() == {"error", "status"}
        return end.get("status", 200)
    assert kind == "application/json", reply
    content = reply.json
    if reply.status != 200:
        assert content.keys() == {"error", "status"}
        assert content["status"] == reply.status
        return reply.status
    answer = content["answers"][0] if "answers" in content else content
    assert answer.keys() in ({"answer", "stop_reason", "usage"}, {"error", "status"})
    return answer.get("status", 200)
