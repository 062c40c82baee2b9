"""Somebody who asks a served project over HTTP: cookies, CSRF and events as they are on the wire."""

import http.client
import json
import re
from typing import ClassVar
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

    told: ClassVar = {"X-Forwarded-Proto": "https"}

    def __init__(self, base_url):
        self.address = urlsplit(base_url).netloc
        self.cookies = {}

    def get(self, path, headers=None):
        return self._ask("GET", path, headers=headers)

    def post(self, path, fields, headers=None):
        """A form, with the token that CSRF protection wants."""
        token = {"X-CSRFToken": self.cookies.get("csrftoken", "")}
        return self._ask("POST", path, urlencode(fields, doseq=True), token | (headers or {}))

    def send(self, path, body, content_type):
        """A body that no form made, with that token."""
        token = {"X-CSRFToken": self.cookies.get("csrftoken", "")}
        return self._ask("POST", path, body, token | {"Content-Type": content_type})

    def sign_in(self, username, password, headers=None):
        """Through the form of the sign-in page. Gives the reply."""
        page = self.get("/accounts/sign-in/").text
        (token,) = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page)[:1]
        fields = {"username": username, "password": password, "csrfmiddlewaretoken": token}
        reply = self._ask("POST", "/accounts/sign-in/", urlencode(fields), headers)
        assert (reply.status, reply.headers["Location"]) == (302, "/"), reply.text
        assert "sessionid" in self.cookies
        return reply

    def _connection(self):
        return http.client.HTTPConnection(self.address, timeout=PATIENCE)

    def _ask(self, method, path, body=None, headers=None):
        connection = self._connection()
        sent = {
            "Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items()),
            "Origin": f"https://{self.address}",
            **self.told,
            **({"Content-Type": "application/x-www-form-urlencoded"} if body is not None else {}),
            **(headers or {}),
        }
        connection.request(method, path, body, sent)
        response = connection.getresponse()
        for cookie in response.headers.get_all("Set-Cookie", []):
            name, value = cookie.split(";")[0].split("=", 1)
            self.cookies[name] = value
        return Reply(response)
