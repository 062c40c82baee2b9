"""Requests that no browser makes, and what a proper reply of an endpoint is to any of them."""

from urllib.parse import urlencode

from http_client import FORM, HttpClient, events_in

MULTIPART = "multipart/form-data; boundary=b"


def send(served, method, path, body=b"", content_type=FORM, cookies=None, **headers):
    """Any request at all, with all that a good one has unless a header says otherwise; None leaves one out."""
    user = HttpClient.in_place_of_proxy(served.url, served.cookies() if cookies is None else cookies)
    return user.send(method, path, body, {"Content-Type": content_type} | headers).whole()


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
    """The status that a proper reply of an endpoint gives its script; fails for any other reply.

    Proper is JSON with an answer, or with a sentence and the reply's own status; or a stream that ends in one of
    these ways. Of many answers, it is the first one's status.
    """
    kind = reply.headers["Content-Type"]
    if method == "HEAD":
        assert (kind, reply.body) == ("application/json", b"")
        return reply.status
    if reply.status == 200 and kind == "text/event-stream":
        *pieces, end = events_in(reply.text)
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
    assert answer.keys() in ({"answer", "stop_reason", "usage", "cost"}, {"error", "status"})
    return answer.get("status", 200)
