"""Each project's own production server behind its own nginx.conf, over TLS, with a stand-in for Claude behind both."""

import gzip
import re

import pytest

from claude_server.script import Answer, Status
from http2_client import Http2Client
from http_client import HttpClient
from nginx_server import BINARIES, Site, find_nginx

STYLES = ["sync", "streaming", "async"]
PROTOCOLS = {"HTTP/1.1": HttpClient, "HTTP/2": Http2Client}
STREAMS = ["streaming", "async"]
SERVERS = ["sync", "async"]
"""One style for each kind of server, where only that makes a difference."""
WITH_WRAPPER = {style: {"view_style": style, "client_wrapper": True} for style in STYLES}
WORDS = ["The ", "sky ", "is ", "blue."]
A_YEAR = 31_536_000  # seconds
PASSWORD = "seven-small-otters"
HELD_BACK = 0.5
"""Seconds after which a word that another user has read by then counts as held back."""
NGINX_WAITS = 2
"""Seconds that nginx waits for the project's next byte, where a test has it give up soon."""

SECURITY = {
    "Strict-Transport-Security": "max-age=3600",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def each(*view_styles, **more):
    """Has a test run on these view styles, with the wrapper: what nginx sees is the same without."""
    answers = [WITH_WRAPPER[view_style] | more for view_style in view_styles]
    return pytest.mark.parametrize("served", answers, ids=view_styles, indirect=True)


@pytest.fixture(scope="module")
def talkative(production, shared_lane, tmp_path_factory):
    """talkative(served) is the same project, that says something while Claude says nothing."""
    with production.serving(tmp_path_factory.mktemp, shared_lane.base_url, CHAT_KEEPALIVE="0.1") as serve:
        yield lambda served: serve(WITH_WRAPPER[served.view_style])


@pytest.fixture(scope="module")
def taciturn(production, shared_lane, tmp_path_factory):
    """taciturn(served) is the same project, that says nothing of its own accord."""
    with production.serving(tmp_path_factory.mktemp, shared_lane.base_url, CHAT_KEEPALIVE="300") as serve:
        yield lambda served: serve(WITH_WRAPPER[served.view_style])


@pytest.fixture
def site(served, tmp_path):
    """nginx in front of the project, not started."""
    return site_of(served, tmp_path / "site")


@pytest.fixture
def nginx(site):
    with site.start(find_nginx("system")):
        yield site


@pytest.fixture
def user(served, nginx):
    """A user who has signed in."""
    return nginx.user(served.cookies())


@pytest.fixture
def ask(served):
    """ask(site, kind) asks for a stream, with that kind of client, and gives the reply that is to come."""
    replies = []

    def ask(site, kind=HttpClient):
        replies.append(site.user(served.cookies(), kind).start_post("/chat/stream/", {"prompt": "Why?"}))
        assert replies[-1].connection.selected_alpn_protocol() == kind.alpn
        return replies[-1]

    yield ask
    for reply in replies:
        reply.close()


def site_of(served, folder):
    return Site(served.project, folder, served.server.port, static=served.project / "staticfiles")


# --- Streams ----------------------------------------------------------------------------------------


@each(*STREAMS)
@pytest.mark.parametrize("kind", PROTOCOLS.values(), ids=PROTOCOLS)
@pytest.mark.parametrize("binary", BINARIES)
def test_each_word_arrives_before_the_next_is_sent(site, lane, ask, kind, binary):
    lane.script(Answer(deltas=WORDS, gated=True))
    with site.start(find_nginx(binary)):
        reply = ask(site, kind)
        for sent, word in enumerate(WORDS, start=1):
            lane.release(1)
            assert next(reply.events()) == {"delta": word}
            assert lane.requests()[0].deltas == sent
        assert next(reply.events())["done"] is True
        assert reply.read_event() is None
        assert reply.headers.get_all("Cache-Control") == ["no-cache, no-transform"]
        assert reply.headers.get_all("X-Accel-Buffering") == ["no"]


@pytest.mark.parametrize(
    ("served", "kind"),
    [
        (WITH_WRAPPER["streaming"], HttpClient),
        (WITH_WRAPPER["streaming"], Http2Client),
        (WITH_WRAPPER["async"], HttpClient),
    ],
    ids=["streaming-HTTP/1.1", "streaming-HTTP/2", "async-HTTP/1.1"],
    indirect=["served"],
)
def test_a_buffering_nginx_would_fail_that(served, site, lane, ask, tmp_path, kind):
    """A user behind one still has nothing when a user who asked later reads the first word.

    Over HTTP/2 even a buffering nginx passes chunks on. This one asks by HTTP/1.0, so that gunicorn sends none;
    uvicorn does all the same, so async over HTTP/2 is the one pair that could not fail.
    """
    lane.script(otherwise=Answer(deltas=WORDS, gated=True))
    buffering = site_of(served, tmp_path / "buffering")
    buffers = "proxy_buffering on; proxy_ignore_headers X-Accel-Buffering; proxy_http_version 1.0;"
    buffering.change("proxy_buffering off;", buffers)
    with site.start(find_nginx("system")), buffering.start(find_nginx("system")):
        held_back = ask(buffering, kind)
        lane.release(1)
        lane.wait(deltas=1)
        assert next(ask(site, kind).events()) == {"delta": WORDS[0]}
        held_back.connection.settimeout(HELD_BACK)
        with pytest.raises(TimeoutError):
            held_back.read_event()


@each(*STREAMS)
def test_a_silent_stream_outlives_the_patience_of_nginx(served, talkative, taciturn, lane, ask, tmp_path):
    """As long as there are keepalives; one that is asked later, without them, is cut before."""
    site, kept_site = (
        site_of(project, tmp_path / project.settings["CHAT_KEEPALIVE"])
        for project in (taciturn(served), talkative(served))
    )
    for project in (taciturn(served), talkative(served)):
        project.user().post("/chat/ask/", {"prompt": "The first question loads the SDK."})
    lane.reset()
    lane.script(otherwise=Answer(deltas=WORDS, gated=True, pings=0.05))
    for one in (site, kept_site):
        one.change("proxy_read_timeout 330s", f"proxy_read_timeout {NGINX_WAITS}s")
    with site.start(find_nginx("system")), kept_site.start(find_nginx("system")):
        kept = [ask(kept_site) for _ in range(2)]
        lane.wait(arrived=2)
        lane.release(1, request=0)
        cut = ask(site)
        lane.wait(arrived=3)
        lane.release(1, request=2)
        assert list(iter(cut.read_event, None)) == [{"delta": WORDS[0]}]
        assert "upstream timed out" in site.log("error")
        lane.release(len(WORDS))
        for reply in kept:
            events = list(iter(reply.read_event, None))
            assert ": keepalive" in events
            *deltas, done = [event for event in events if event != ": keepalive"]
            assert "".join(event["delta"] for event in deltas) == "".join(WORDS)
            assert done["done"] is True
        assert kept_site.log("error") == ""


@each("streaming")
def test_one_client_may_ask_twenty_at_once(nginx, user, lane, ask):
    """And is refused the next one in words that the page's script can read."""
    lane.script(otherwise=Answer(deltas=WORDS, gated=True))
    lane.release(1)
    assert [next(ask(nginx).events()) for _ in range(20)] == [{"delta": WORDS[0]}] * 20
    refused = user.post("/chat/stream/", {"prompt": "Why?"})
    assert (refused.status, refused.headers["Retry-After"]) == (429, "1")
    assert refused.headers["Content-Type"] == "application/json"
    assert refused.json == {"error": "Too many requests, please try again in a moment", "status": 429}
    assert len(lane.requests()) == 20


# --- Accounts and headers ---------------------------------------------------------------------------


@each(*SERVERS)
def test_users_sign_in(served, nginx):
    """As a browser does it: with the origin, with the page that they come from, and with cookies that stay on HTTPS."""
    account = ["--username", "new", "--email", "new@example.com"]
    served.manage("createsuperuser", "--no-input", *account, DJANGO_SUPERUSER_PASSWORD=PASSWORD)
    user = nginx.user()
    reply = user.get("/")
    assert (reply.status, reply.headers["Location"]) == (302, "/accounts/sign-in/?next=/")
    signed_in = user.sign_in("new", PASSWORD, {"Referer": f"https://{nginx.domain}/accounts/sign-in/?next=/"})
    cookies = {cookie.split("=")[0]: cookie.split("; ")[1:] for cookie in signed_in.headers.get_all("Set-Cookie")}
    assert {"Secure", "HttpOnly", "SameSite=Lax"} <= set(cookies["my_claude_app_sessionid"])
    assert {"Secure", "SameSite=Lax"} <= set(cookies["my_claude_app_csrftoken"])
    assert "new" in user.get("/").text


@each(*SERVERS)
def test_another_site_cannot_ask_for_them(user, lane):
    for path in ("/chat/ask/", "/"):
        assert user.post(path, {"prompt": "Why?"}, {"Origin": "https://other.example"}).status == 403
        assert user.post(path, {"prompt": "Why?"}, {"X-CSRFToken": ""}).status == 403
    assert lane.requests() == []
    assert user.post("/chat/ask/", {"prompt": "Why?"}).status == 200


@each(*STYLES)
def test_each_security_header_is_sent_once_with_whatever_the_project_says(served, nginx, user, lane):
    lane.rule("misfortune", otherwise=Status(529))
    anonymous = nginx.user()
    replies = {
        "page": user.get("/"),
        "redirect": anonymous.get("/"),
        "answer": user.post("/chat/ask/", {"prompt": "Why?"}),
        "no such page": user.get("/none/"),
        "refusal": anonymous.post("/chat/ask/", {"prompt": "Why?"}),
        "no question": user.post("/chat/ask/", {"prompt": ""}),
        "failure": user.post("/chat/ask/", {"prompt": "misfortune"}),
        "admin": anonymous.get("/admin/login/"),
    }
    statuses = [200, 302, 200, 404, 403, 400, 502, 200]
    if served.view_style != "sync":
        replies["stream"] = user.post("/chat/stream/", {"prompt": "Why?"})
        statuses.append(200)
    assert [reply.status for reply in replies.values()] == statuses
    for what, reply in replies.items():
        assert {name: reply.headers.get_all(name) for name in SECURITY} == {
            name: [value] for name, value in SECURITY.items()
        }, what
        (permissions,) = reply.headers.get_all("Permissions-Policy")
        assert "microphone=()" in permissions
        (policy,) = reply.headers.get_all("Content-Security-Policy")
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert reply.headers["Server"] == "nginx"


@each(*SERVERS)
def test_django_too_refuses_an_unknown_host(site, served):
    """Should nginx ever be told to let one pass."""
    site.change("server_name example.com;", "server_name example.com other.example;")
    with site.start(find_nginx("system")):
        assert site.user(served.cookies()).get("/", {"Host": "other.example"}).status == 400
        assert site.user(served.cookies()).get("/").status == 200


# --- Static files -----------------------------------------------------------------------------------


def expect_static_files(user, project):
    """All that the page refers to comes compressed, as `collectstatic` made it, and browsers may keep it for ever."""
    names = set(re.findall(r'"/static/([^"]+)"', user.get("/").text))
    assert sorted(name.rpartition(".")[2] for name in names) == ["css", "css", "css", "css", "js", "svg"]
    for name in names:
        assert re.search(r"\.[0-9a-f]{12}\.", name)
        reply = user.get(f"/static/{name}", {"Accept-Encoding": "gzip"})
        assert reply.status == 200
        content, body = (project / "staticfiles" / name).read_bytes(), reply.body
        # What is short may come as it is.
        assert reply.headers["Content-Encoding"] == "gzip" or len(content) < 1024
        assert (gzip.decompress(body) if reply.headers["Content-Encoding"] else body) == content
        assert "immutable" in reply.headers["Cache-Control"]
        assert int(re.findall(r"max-age=(\d+)", reply.headers["Cache-Control"])[0]) >= A_YEAR
        assert reply.headers.get_all("X-Content-Type-Options") == ["nosniff"]
        assert reply.headers.get_all("Set-Cookie") is None


@each("sync")
def test_nginx_serves_the_static_files(served, user):
    expect_static_files(user, served.project)


@each(*STREAMS, nginx=False)
def test_without_nginx_the_project_serves_them_itself(served):
    expect_static_files(served.user(), served.project)
