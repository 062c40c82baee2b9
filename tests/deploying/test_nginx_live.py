"""A real nginx, old and new, with the rendered nginx.conf, in front of a server that answers step by step."""

import gzip
import json
import re
import ssl
from contextlib import ExitStack

import pytest

from http_client import PATIENCE
from nginx_server import BINARIES, Site, find_nginx
from project_server import free_port
from scripted_server import ScriptedServer, block

EVENTS = [{"delta": "one"}, {"delta": "two"}, {"done": True}]
SHAPES = {
    "chunked": {"Transfer_Encoding": "chunked"},
    "until-close": {},
    "measured": {"Content_Length": sum(len(block(**event)) for event in EVENTS)},
}
"""How the end of a stream is told: in chunks as uvicorn and gunicorn do, by the end of the connection, beforehand."""
STREAM = "/chat/stream/?by-hand"
QUESTION = b"prompt=Why%3F"
HELD_BACK = 0.5
"""Seconds after which something that the project has sent counts as held back."""
NGINX_WAITS = 1
"""Seconds that nginx waits for the project's next byte, where a test has it give up soon."""
OWN_WORDS = "the project's own words"


def echo(exchange):
    """Answers with the headers that came, or with the status in the query; what is to be done by hand is the test's."""
    _, _, query = exchange.path.partition("?")
    if query == "by-hand":
        return False
    if query.isdigit():
        return exchange.json({"error": OWN_WORDS, "status": int(query)}, int(query), X_Accel_Buffering="no")
    return exchange.json(dict(exchange.headers), Strict_Transport_Security="max-age=31536000")


@pytest.fixture
def upstream():
    """A server in the project's place, with the questions that have come to it."""
    questions = []

    def answer(exchange):
        if exchange.method == "POST":
            questions.append(exchange.path)
        return echo(exchange)

    with ScriptedServer(answer) as server:
        server.questions = questions
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


# --- Streams ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
def test_each_event_arrives_before_the_next_is_sent(running, upstream, shape):
    with running.user().start("POST", STREAM, QUESTION) as reply:
        answer = upstream.take().start(**SHAPES[shape])
        for event in EVENTS:
            answer.send(block(**event))
            assert reply.read_event() == event
        finish(answer)
        assert reply.read_event() is None


# Over plain HTTP nginx passes a chunked answer on at once even when it buffers, so only TLS proves anything for that
# shape: there what is not flushed waits for the 16 KB of a TLS record.
@pytest.mark.parametrize("shape", SHAPES)
def test_a_buffering_nginx_would_fail_that(site, nginx, upstream, shape):
    site.change("proxy_buffering off", "proxy_buffering on")
    with site.start(nginx), site.user().start("POST", STREAM, QUESTION) as reply:
        answer = upstream.take().start(**SHAPES[shape]).send(block(**EVENTS[0]))
        reply.connection.settimeout(HELD_BACK)
        with pytest.raises(TimeoutError):
            reply.begin()
        reply.connection.settimeout(PATIENCE)
        for event in EVENTS[1:]:
            answer.send(block(**event))
        finish(answer)
        assert list(reply.events()) == EVENTS


def finish(answer):
    """The end of a stream, of whatever shape."""
    if answer.chunked:
        answer.send("")
    answer.end()


def test_a_proxy_further_out_is_told_not_to_buffer_either(running):
    passed = running.request("POST", "/chat/stream/?200", QUESTION).whole()
    assert passed.headers["X-Accel-Buffering"] == "no"


def test_the_project_learns_that_the_user_has_left(running, upstream):
    with running.user().start("POST", STREAM, QUESTION) as reply:
        answer = upstream.take().start().send(block(**EVENTS[0]))
        assert reply.read_event() == EVENTS[0]
    assert answer.client_leaves()


# --- Several servers --------------------------------------------------------------------------------


@pytest.fixture
def spread(bake, tmp_path, upstream):
    """spread(port) is nginx before a server of that port and the scripted one, as the document has it, not started."""
    project = bake(view_style="async", nginx=True, database="postgresql")

    def site(port):
        site = Site(project, tmp_path / "site")
        site.spread(project, port, upstream.port)
        return site

    return site


def test_a_server_that_does_not_answer_is_passed_over_and_a_post_is_none_the_less_asked_once(spread, upstream, nginx):
    site = spread(free_port())
    with site.start(nginx):
        assert [site.request("POST", "/chat/ask/?200", QUESTION).whole().status for _ in range(4)] == [200] * 4
    assert len(upstream.questions) == 4
    assert "Connection refused" in site.log("error")


@pytest.mark.parametrize("path", ["/chat/ask/", "/chat/stream/"])
def test_what_a_server_has_taken_is_not_asked_at_another(spread, upstream, nginx, path):
    """Although it hangs up without an answer."""
    with ScriptedServer() as fickle:
        site = spread(fickle.port)
        with site.start(nginx):
            # The first request goes to the first server.
            with site.user().start("POST", f"{path}?200", QUESTION) as reply:
                fickle.take().end()
                assert reply.status == 502
            assert upstream.questions == []


def test_with_non_idempotent_it_would_be(spread, upstream, nginx):
    """The control of the test above."""
    with ScriptedServer() as fickle:
        site = spread(fickle.port)
        site.change("proxy_http_version", "proxy_next_upstream error timeout non_idempotent; proxy_http_version")
        with site.start(nginx), site.user().start("POST", "/chat/ask/?200", QUESTION) as reply:
            fickle.take().end()
            assert reply.status == 200
    assert len(upstream.questions) == 1


# --- Limits, and errors of nginx itself -------------------------------------------------------------


def test_too_many_answers_at_once_are_refused_in_json(running, upstream):
    with ExitStack() as users:
        for _ in range(20):
            reply = users.enter_context(running.user().start("POST", STREAM, QUESTION))
            upstream.take().start().send(block(**EVENTS[0]))
            assert reply.read_event() == EVENTS[0]
        refused = running.request("POST", "/chat/ask/", QUESTION).whole()
    assert refused.json == {"error": "Too many requests, please try again in a moment", "status": 429}
    assert (refused.status, refused.headers["Retry-After"]) == (429, "1")
    assert refused.headers["Content-Type"] == "application/json"
    assert len(upstream.questions) == 20
    assert 'limiting connections by zone "answers"' in running.log("error")


@pytest.mark.parametrize(
    "path",
    ["/chat/ask/", "/chat/stream/", "/", "/c/1/", "/accounts/sign-in/", "/accounts/forgot-password/", "/admin/login/"],
)
def test_a_flood_is_refused(running, upstream, path):
    statuses = []
    while 429 not in statuses and len(statuses) < 200:
        reply = running.request("POST", path, QUESTION).whole()
        statuses.append(reply.status)
    assert int(reply.headers["Retry-After"]) > 0
    assert "try again" in reply.text
    assert statuses[:21] == [200] * 21
    assert statuses[-1] == 429
    assert len(upstream.questions) == len(statuses) - 1


def test_looking_is_not_limited(running):
    for path in ("/", "/accounts/sign-in/"):
        assert {running.request("GET", path).whole().status for _ in range(25)} == {200}


def test_a_question_that_is_too_large_is_refused_in_json(running, upstream):
    refused = running.request("POST", "/chat/ask/", b"x" * (1024 * 1024 + 1)).whole()
    assert refused.json == {"error": "The question is too long, please shorten it", "status": 413}
    assert refused.status == 413
    assert not upstream.questions


def test_a_dead_project_is_told_in_json(bake, tmp_path, nginx):
    site = Site(bake(view_style="streaming", nginx=True), tmp_path / "site")
    with site.start(nginx):
        for path in ("/chat/ask/", "/chat/stream/"):
            refused = site.request("POST", path, QUESTION).whole()
            assert refused.json == {
                "error": "This site does not answer right now, please try again in a moment",
                "status": 502,
            }
            assert refused.status == 502


def test_a_dead_project_is_told_on_a_page(bake, tmp_path, nginx):
    site = Site(bake(view_style="streaming", nginx=True), tmp_path / "site")
    with site.start(nginx):
        for path in ("/", "/accounts/sign-in/"):
            page = site.request("GET", path).whole()
            assert (page.status, page.headers["Content-Type"]) == (502, "text/html")
            assert "This site does not answer right now" in page.text


def test_a_project_that_says_nothing_is_told_in_json(site, nginx, upstream):
    site.change("proxy_read_timeout 330s", f"proxy_read_timeout {NGINX_WAITS}s")
    with site.start(nginx):
        refused = site.request("POST", "/chat/ask/?by-hand", QUESTION).whole()
    assert refused.json == {"error": "The answer took too long", "status": 504}
    assert refused.status == 504


@pytest.mark.parametrize("status", [413, 429, 500, 502, 504])
def test_errors_of_the_project_pass_as_they_are(running, status):
    passed = running.request("POST", f"/chat/ask/?{status}", QUESTION).whole()
    assert passed.json == {"error": OWN_WORDS, "status": status}
    assert passed.status == status


# --- Names, HTTP and TLS ----------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["Host: other.example\r\n", "Host: 127.0.0.1\r\n", ""])
def test_another_name_over_http_gets_no_answer(running, host):
    with running.connect(scheme="http") as connection:
        connection.sendall(f"GET / HTTP/1.0\r\n{host}\r\n".encode())
        assert connection.recv(100) == b""


def test_another_name_over_https_gets_no_certificate(running):
    with pytest.raises(ssl.SSLError, match=r"(?i)unrecognized.name"):
        running.connect(name="other.example")


def test_another_name_on_our_connection_is_refused(running):
    assert running.request("GET", "/", headers={"Host": "other.example"}).whole().status == 421


@pytest.mark.parametrize("path", ["/readyz", "//readyz", "/%72eadyz", "/readyz?a=b"])
def test_whether_the_project_is_ready_is_not_told_outside(running, path):
    assert running.request("GET", path).whole().status == 404
    assert "X-Request-ID" in running.request("GET", "/healthz").whole().json


def test_http_leads_to_https(running):
    with running.request("POST", "/chat/ask/?a=b", QUESTION, scheme="http") as reply:
        assert reply.status == 301
        assert reply.headers["Location"] == f"https://{running.domain}/chat/ask/?a=b"


def test_certificates_can_be_renewed_over_http(running):
    challenge = running.acme / ".well-known/acme-challenge/token"
    challenge.parent.mkdir(parents=True)
    challenge.write_text("proof", encoding="utf-8")
    with running.request("GET", "/.well-known/acme-challenge/token", scheme="http") as reply:
        assert (reply.status, reply.body) == (200, b"proof")


def test_http2_is_spoken(running):
    with running.connect(alpn="h2") as connection:
        assert connection.selected_alpn_protocol() == "h2"


def test_the_project_learns_the_truth_about_the_client(running):
    lies = {"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "http", "X-Request-ID": "mine"}
    passed = running.request("GET", "/", headers=lies).whole()
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
        with running.request("GET", f"/static/{name}", headers={"Accept-Encoding": "gzip"}) as reply:
            for_ever = "0123456789ab" in name
            kept = "public, max-age=31536000, immutable" if for_ever else "public, max-age=300"
            assert reply.headers["Cache-Control"] == kept
            assert reply.headers["X-Content-Type-Options"] == "nosniff"
            assert reply.headers["Content-Encoding"] == "gzip"
            assert gzip.decompress(reply.body).decode() == text
    with running.request("GET", "/static/none.0123456789ab.css") as reply:
        assert (reply.status, reply.headers["Cache-Control"]) == (404, None)


@pytest.mark.parametrize("path", ["/static/../nginx.conf", "/static/%2e%2e/nginx.conf", "/static../nginx.conf"])
def test_no_path_leads_out_of_the_static_files(running, path):
    assert running.request("GET", path).whole().json["Host"] == running.domain


def test_the_log_is_json_without_query_strings(site, nginx):
    with site.start(nginx):
        site.request("POST", "/chat/ask/?prompt=secret", b"prompt=secret", {"User-Agent": 'a "quote"'}).whole()
        passed = site.request("GET", "/").whole()
    lines = [json.loads(line) for line in site.log("access").splitlines()]
    assert [(line["method"], line["path"], line["status"]) for line in lines] == [
        ("POST", "/chat/ask/", 200),
        ("GET", "/", 200),
    ]
    assert lines[1]["request_id"] == passed.json["X-Request-ID"]
    assert "secret" not in site.log("access")
