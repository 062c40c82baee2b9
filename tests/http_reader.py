"""Somebody who asks a served project over HTTP: cookies, CSRF and events as they are on the wire."""

import http.client
import json
import re
from urllib.parse import urlencode, urlsplit

PATIENCE = 30
"""Seconds without a byte, after which reading fails: an answer held back fails a test and does not hang it."""


class Reply:
    """A response whose body is read when asked for."""

    def __init__(self, response):
        self.response = response
        self.status = response.status
        self.headers = response.headers

    @property
    def json(self):
        return json.loads(self.text)

    @property
    def text(self):
        return self.response.read().decode()

    def events(self):
        """The events of a stream, each as soon as it is there. Comments are left out."""
        while line := self.response.readline().decode():
            if line.startswith("data: "):
                yield json.loads(line.removeprefix("data: "))


class HttpReader:
    """Talks to `base_url` as a proxy in front of it would: over plain HTTP, saying that the reader came by HTTPS."""

    def __init__(self, base_url):
        self.address = urlsplit(base_url).netloc
        self.cookies = {}

    def get(self, path):
        return self._ask("GET", path)

    def post(self, path, fields):
        """A form, with the token that CSRF protection wants."""
        return self._ask(
            "POST", path, urlencode(fields, doseq=True), {"X-CSRFToken": self.cookies.get("csrftoken", "")}
        )

    def sign_in(self, username, password):
        """Through the form of the sign-in page."""
        page = self.get("/accounts/sign-in/").text
        (token,) = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page)[:1]
        fields = {"username": username, "password": password, "csrfmiddlewaretoken": token}
        reply = self._ask("POST", "/accounts/sign-in/", urlencode(fields))
        assert (reply.status, reply.headers["Location"]) == (302, "/"), reply.text
        assert "sessionid" in self.cookies

    def _ask(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection(self.address, timeout=PATIENCE)
        sent = {
            "Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items()),
            "Origin": f"https://{self.address}",
            "X-Forwarded-Proto": "https",
            **({"Content-Type": "application/x-www-form-urlencoded"} if body is not None else {}),
            **(headers or {}),
        }
        connection.request(method, path, body, sent)
        response = connection.getresponse()
        for cookie in response.headers.get_all("Set-Cookie", []):
            name, value = cookie.split(";")[0].split("=", 1)
            self.cookies[name] = value
        return Reply(response)
