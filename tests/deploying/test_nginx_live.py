"""A real nginx, old and new, with the rendered nginx.conf, in front of a server that answers step by step."""

import gzip
import json
import re
import socket
import ssl
from contextlib import ExitStack
from types import SimpleNamespace

import pytest

from http_reader import PATIENCE
from nginx_server import BINARIES, Site, find_nginx
from scripted_upstream import EVENTS, running_upstream

SHAPES = ["chunked", "until-close", "measured"]
QUESTION = b"prompt=Why%3F"
HELD_BACK = 0.5
"""Seconds after which something that the project has sent counts as held back."""
NGINX_WAITS = 1
"""Seconds that nginx waits for the project's next byte, where a test has it give up soon."""


@pytest.fixture
def upstream():
    with running_upstream() as server:
        yield server


@pytest.fixture
def site(bake, tmp_path, upstream):
    """The rendered configuration, not started yet, so that a test may change it into a control."""
    return Site(bake(view_style="streaming", nginx=True), tmp_path / "site", upstream.port)


@pytest.fixture(params=BINARIES)
def nginx(request):
    return find_nginx(request.param)


@pytest.fixture
def running(site, nginx):
    with site.start(nginx):
        yield site


def read_event(response):
    """One event with the blank line that ends it."""
    return response.readline() + response.readline()


def answer_to(response):
    """All that one of our JSON answers says."""
    with response:
        return SimpleNamespace(status=response.status, headers=response.headers, json=json.loads(response.read()))


def status_of(response):
    with response:
        return response.status


# --- Streams ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
def test_each_event_arrives_before_the_next_is_sent(running, upstream, shape):
    with running.request("POST", f"/chat/stream/?do={shape}", QUESTION) as response:
        for event in EVENTS:
            assert read_event(response) == event
            upstream.go_on()
        assert response.read() == b""


# Over plain HTTP nginx passes a chunked answer on at once even when it buffers, so only TLS proves anything for that
# shape: there what is not flushed waits for the 16 KB of a TLS record.
@pytest.mark.parametrize("shape", SHAPES)
def test_a_buffering_nginx_would_fail_that(site, nginx, upstream, shape):
    site.change("proxy_buffering off", "proxy_buffering on")
    with site.start(nginx):
        connection = site.ask("POST", f"/chat/stream/?do={shape}", QUESTION)
        assert upstream.first_event_sent.wait(PATIENCE)
        connection.sock.settimeout(HELD_BACK)
        with pytest.raises(TimeoutError):
            connection.getresponse()
        upstream.go_on(2 * len(EVENTS))
        with site.request("POST", f"/chat/stream/?do={shape}", QUESTION) as response:
            assert response.read() == b"".join(EVENTS)


def test_a_proxy_further_out_is_told_not_to_buffer_either(running):
    passed = answer_to(running.request("POST", "/chat/stream/?do=200", QUESTION))
    assert passed.headers["X-Accel-Buffering"] == "no"


def test_the_project_learns_that_the_reader_has_left(running, upstream):
    with running.request("POST", "/chat/stream/?do=until-left", QUESTION) as response:
        assert read_event(response) == EVENTS[0]
        assert not upstream.reader_left.is_set()
    assert upstream.reader_left.wait(PATIENCE)


# --- Limits, and errors of nginx itself -------------------------------------------------------------


def test_too_many_answers_at_once_are_refused_in_json(running, upstream):
    with ExitStack() as readers:
        for _ in range(20):
            response = running.request("POST", "/chat/stream/?do=chunked", QUESTION)
            readers.enter_context(response)
            assert read_event(response) == EVENTS[0]
        refused = answer_to(running.request("POST", "/chat/ask/", QUESTION))
    assert refused.json == {"error": "Too many requests, please try again in a moment", "status": 429}
    assert (refused.status, refused.headers["Retry-After"]) == (429, "1")
    assert refused.headers["Content-Type"] == "application/json"
    assert len(upstream.posts) == 20
    assert 'limiting connections by zone "answers"' in running.log("error")


@pytest.mark.parametrize("path", ["/chat/ask/", "/chat/stream/?do=200", "/", "/accounts/sign-in/", "/admin/login/"])
def test_a_flood_is_refused(running, upstream, path):
    statuses = []
    while 429 not in statuses and len(statuses) < 200:
        statuses.append(status_of(running.request("POST", path, QUESTION)))
    assert statuses[:21] == [200] * 21
    assert statuses[-1] == 429
    assert len(upstream.posts) == len(statuses) - 1


def test_looking_is_not_limited(running):
    for path in ("/", "/accounts/sign-in/"):
        assert {status_of(running.request("GET", path)) for _ in range(25)} == {200}


def test_a_question_that_is_too_large_is_refused_in_json(running, upstream):
    refused = answer_to(running.request("POST", "/chat/ask/", b"x" * (1024 * 1024 + 1)))
    assert refused.json == {"error": "The question is too long, please shorten it", "status": 413}
    assert refused.status == 413
    assert not upstream.posts


def test_a_dead_project_is_told_in_json(bake, tmp_path, nginx):
    site = Site(bake(view_style="streaming", nginx=True), tmp_path / "site")
    with site.start(nginx):
        for path in ("/chat/ask/", "/chat/stream/"):
            refused = answer_to(site.request("POST", path, QUESTION))
            assert refused.json == {"error": "AI service unavailable", "status": 502}
            assert refused.status == 502


def test_a_project_that_says_nothing_is_told_in_json(site, nginx, upstream):
    site.change("proxy_read_timeout 330s", f"proxy_read_timeout {NGINX_WAITS}s")
    with site.start(nginx):
        refused = answer_to(site.request("POST", "/chat/ask/?do=never", QUESTION))
    assert refused.json == {"error": "The answer took too long", "status": 504}
    assert refused.status == 504


@pytest.mark.parametrize("status", [413, 429, 500, 502, 504])
def test_errors_of_the_project_pass_as_they_are(running, status):
    passed = answer_to(running.request("POST", f"/chat/ask/?do={status}", QUESTION))
    assert passed.json == {"error": "the project's own words", "status": status}
    assert passed.status == status


# --- Names, HTTP and TLS ----------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["Host: other.example\r\n", "Host: 127.0.0.1\r\n", ""])
def test_a_stranger_over_http_gets_no_answer(running, host):
    with socket.create_connection(("127.0.0.1", running.http_port), PATIENCE) as connection:
        connection.sendall(f"GET / HTTP/1.0\r\n{host}\r\n".encode())
        assert connection.recv(100) == b""


def test_a_stranger_over_https_gets_no_certificate(running):
    with pytest.raises(ssl.SSLError, match=r"(?i)unrecognized.name"):
        running.connect(name="other.example")


def test_another_name_on_our_connection_is_refused(running):
    assert status_of(running.request("GET", "/", headers={"Host": "other.example"})) == 421


@pytest.mark.parametrize("path", ["/readyz", "//readyz", "/%72eadyz", "/readyz?a=b"])
def test_whether_the_project_is_ready_is_not_told_outside(running, path):
    assert status_of(running.request("GET", path)) == 404
    assert "X-Request-ID" in answer_to(running.request("GET", "/healthz")).json


def test_http_leads_to_https(running):
    with running.request("POST", "/chat/ask/?a=b", QUESTION, scheme="http") as response:
        assert response.status == 301
        assert response.headers["Location"] == f"https://{running.domain}/chat/ask/?a=b"


def test_certificates_can_be_renewed_over_http(running):
    challenge = running.acme / ".well-known/acme-challenge/token"
    challenge.parent.mkdir(parents=True)
    challenge.write_text("proof", encoding="utf-8")
    with running.request("GET", "/.well-known/acme-challenge/token", scheme="http") as response:
        assert (response.status, response.read()) == (200, b"proof")


def test_http2_is_spoken(running):
    with running.connect(alpn=["h2", "http/1.1"]) as connection:
        assert connection.selected_alpn_protocol() == "h2"


def test_the_project_learns_the_truth_about_the_client(running):
    lies = {"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "http", "X-Request-ID": "mine"}
    passed = answer_to(running.request("GET", "/", headers=lies))
    assert passed.json["Host"] == running.domain
    assert passed.json["X-Forwarded-For"] == "127.0.0.1"
    assert passed.json["X-Forwarded-Proto"] == "https"
    assert re.fullmatch("[0-9a-f]{32}", passed.json["X-Request-ID"])
    assert passed.headers.get_all("Strict-Transport-Security") == ["max-age=31536000"]


# --- Static files and the log -----------------------------------------------------------------------


def test_static_files_come_compressed_and_are_kept(running):
    text = "body { color: black }\n" * 200
    for name in ("page.0123456789ab.css", "page.css", "page.0123456789ab.js"):
        (running.static / name).write_text(text, encoding="utf-8")
        with running.request("GET", f"/static/{name}", headers={"Accept-Encoding": "gzip"}) as response:
            for_ever = "0123456789ab" in name
            kept = "public, max-age=31536000, immutable" if for_ever else "public, max-age=300"
            assert response.headers["Cache-Control"] == kept
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert response.headers["Content-Encoding"] == "gzip"
            assert gzip.decompress(response.read()).decode() == text
    with running.request("GET", "/static/none.0123456789ab.css") as response:
        assert (response.status, response.headers["Cache-Control"]) == (404, None)


@pytest.mark.parametrize("path", ["/static/../nginx.conf", "/static/%2e%2e/nginx.conf", "/static../nginx.conf"])
def test_no_path_leads_out_of_the_static_files(running, path):
    assert answer_to(running.request("GET", path)).json["Host"] == running.domain


def test_the_log_is_json_without_query_strings(site, nginx):
    with site.start(nginx):
        answer_to(site.request("POST", "/chat/ask/?prompt=secret", b"prompt=secret", {"User-Agent": 'a "quote"'}))
        passed = answer_to(site.request("GET", "/"))
    lines = [json.loads(line) for line in site.log("access").splitlines()]
    assert [(line["method"], line["path"], line["status"]) for line in lines] == [
        ("POST", "/chat/ask/", 200),
        ("GET", "/", 200),
    ]
    assert lines[1]["request_id"] == passed.json["X-Request-ID"]
    assert "secret" not in site.log("access")
