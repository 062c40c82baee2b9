"""What a reader gets for one request through nginx, in a word: for those who ask by the thousand and count."""

import http.client
import json
from typing import NamedTuple
from urllib.parse import urlencode

from tabs import Tab, headers_for

ASK, STREAM = "/chat/ask/", "/chat/stream/"
WHOLE, LEFT, CUT, NOTHING = "whole answer", "left", "stream cut without an end", "connection closed without an answer"
LATE = "nothing for 30 s"


class Heard(NamedTuple):
    """What came back. There is an answer only when it was acknowledged: by status 200, or by the event `done`."""

    outcome: str
    answer: str | None = None
    read: str = ""
    """The text that had arrived, whether or not its end did."""


def ask(site, cookies, path, fields, leave_after=None):
    """Ask over a connection of its own, and read to the end; or leave after so many deltas."""
    tab = None
    try:
        tab = Tab(site.connect(), site.domain, cookies, path, fields)
        kind = tab.response.headers.get_content_type()
        if kind == "text/event-stream":
            return stream(tab, leave_after)
        return whole(tab.response, kind)
    except TimeoutError:
        return Heard(LATE)
    except (OSError, http.client.HTTPException):
        return Heard(NOTHING)
    finally:
        if tab is not None:
            tab.close()


def whole(response, kind):
    """An answer in one piece, or a refusal."""
    body = response.read()
    if kind != "application/json":
        return Heard(f"{kind} {response.status}")
    if response.status != 200:
        return Heard(f"JSON {response.status}")
    answer = json.loads(body)["answer"]
    return Heard(WHOLE, answer, answer)


def stream(tab, leave_after):
    """An answer piece by piece."""
    read, pieces = "", 0
    try:
        while (event := tab.read()) is not None:
            if isinstance(event, str):
                continue
            if "delta" in event:
                read, pieces = read + event["delta"], pieces + 1
            elif "done" in event:
                return Heard(WHOLE, read, read)
            else:
                return Heard(f"error event {event['status']}", read=read)
            if pieces == leave_after:
                return Heard(LEFT, read=read)
    except TimeoutError:
        return Heard(LATE, read=read)
    except (OSError, http.client.HTTPException, ValueError):  # half an event is no JSON
        pass
    return Heard(CUT, read=read)


def get(site, cookies, path):
    """The status of a page, and its text."""
    headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
    with site.request("GET", path, headers=headers) as response:
        return response.status, response.read().decode()


def sign_in(site, username, password):
    """Through the form of the sign-in page: the cookies of a new session."""
    with site.request("GET", "/accounts/sign-in/") as response:
        cookies = cookies_of(response)
        response.read()
    fields = {"username": username, "password": password, "csrfmiddlewaretoken": cookies["csrftoken"]}
    body = urlencode(fields)
    headers = dict(headers_for(site.domain, cookies, body))
    with site.request("POST", "/accounts/sign-in/", body, headers) as response:
        response.read()
        return cookies | cookies_of(response)


def cookies_of(response):
    lines = response.headers.get_all("Set-Cookie", [])
    return dict(line.split(";")[0].split("=", 1) for line in lines)
