"""The rendered nginx.conf as text: nginx old and new accepts it, a linter finds nothing, and it says what it must."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import crossplane
import pytest

from bakery import choices
from documents import text_of
from nginx_server import BINARIES, Site, find_nginx, provide_mime_types

STYLES = choices("view_style")
STREAMING_STYLES = [style for style in STYLES if style != "sync"]
ASKING = (["/chat/"], ["=", "/"], ["/c/"])
"""The locations that ask Claude."""

# Security headers are Django's to send, HSTS among them: here it would be a second place to change it, and the
# header would go out twice.
LINTS_NOT_WANTED = "hsts_header"


@pytest.fixture
def conf(bake, tmp_path):
    """conf(view_style) gives the path of a rendered nginx.conf that has a mime.types beside it, as in /etc/nginx."""

    def copy(view_style, **answers):
        source = bake(view_style=view_style, nginx=True, **answers) / "deploy/nginx.conf"
        provide_mime_types(tmp_path)
        return Path(shutil.copy(source, tmp_path))

    return copy


def parsed(path):
    """The directives of a configuration as crossplane's nested dictionaries."""
    result = crossplane.parse(str(path), single=True)
    assert result["status"] == "ok", result["errors"]
    return result["config"][0]["parsed"]


def find(block, directive, *args):
    """All blocks or directives of this name and these first arguments, directly in a block."""
    return [item for item in block if item["directive"] == directive and tuple(item["args"][: len(args)]) == args]


def only(block, directive, *args):
    """The one block or directive of this name and these first arguments."""
    (found,) = find(block, directive, *args)
    return found


def value(block, directive):
    """What a directive that stands once in a block says."""
    return " ".join(only(block, directive)["args"])


def http_of(path):
    return only(parsed(path), "http")["block"]


def site_of(path):
    """The server block that answers for the domain over HTTPS."""
    servers = [server["block"] for server in find(http_of(path), "server")]
    (site,) = [server for server in servers if find(server, "ssl_certificate")]
    return site


@pytest.mark.parametrize("binary", BINARIES)
@pytest.mark.parametrize("view_style", STYLES)
def test_nginx_accepts_it(bake, tmp_path, view_style, binary):
    site = Site(bake(view_style=view_style, nginx=True), tmp_path / "site")
    checked = site.check(find_nginx(binary))
    assert checked.returncode == 0, checked.stderr
    # The one spelling of HTTP/2 that both take is the one that the newer warns about.
    warnings = [line for line in checked.stderr.splitlines() if "[warn]" in line and '"listen ... http2"' not in line]
    assert not warnings


def test_the_longest_domain_name_is_accepted(bake, tmp_path):
    domain = ".".join(["a" * 60] * 4)
    project = bake(nginx=True, domain_name=domain)
    checked = Site(project, tmp_path / "site", domain=domain).check(find_nginx("system"))
    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("binary", BINARIES)
def test_nginx_accepts_what_the_document_adds_for_each_provider(bake, tmp_path, binary):
    """A CDN or a load balancer, each by itself and where the document puts it."""
    project = bake(nginx=True)
    page = text_of("docs/deploy.md", project)
    (block,) = re.findall(r"to the `http` block of `/etc/nginx/nginx.conf`:\n\n```nginx\n(.*?)```", page, re.DOTALL)
    assert page.count("```nginx") == 1
    for number, part in enumerate(block.split("\n\n")):
        assert "real_ip_header" in part
        site = Site(project, tmp_path / str(number))
        site.change("\nhttp {", f"\nhttp {{\n{part}")
        checked = site.check(find_nginx(binary))
        assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("binary", BINARIES)
@pytest.mark.parametrize("view_style", ["streaming", "async"])
def test_nginx_accepts_what_the_document_says_for_several_machines(bake, tmp_path, view_style, binary):
    project = bake(view_style=view_style, nginx=True, database="postgresql")
    site = Site(project, tmp_path / "site")
    site.spread(project, 8001, 8002)
    checked = site.check(find_nginx(binary))
    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("binary", BINARIES)
def test_nginx_accepts_what_the_document_leaves_on_a_host_without_ipv6(bake_copy, tmp_path, binary):
    project = bake_copy(nginx=True)
    path = project / "deploy/nginx.conf"
    listens = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip().startswith("listen ")]
    assert sum("[::]" in line for line in listens) == len(listens) / 2

    page = text_of("docs/deploy.md", project)
    (command,) = re.findall(r"^# \[ -e /proc/net/if_inet6 \] \|\| (sed .*)$", page, re.MULTILINE)
    subprocess.run(["sh", "-c", command.replace("/etc/nginx/nginx.conf", f"'{path}'")], check=True)

    left = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip().startswith("listen ")]
    assert left == [line for line in listens if "[::]" not in line]
    checked = Site(project, tmp_path / "site").check(find_nginx(binary))
    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("view_style", STYLES)
def test_a_linter_finds_nothing(conf, view_style):
    gixy = Path(sys.executable).with_name("gixy")
    command = [str(gixy), "--format", "json", "--skips", LINTS_NOT_WANTED, str(conf(view_style))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (json.loads(done.stdout), done.returncode) == ([], 0), done.stderr


def test_the_linter_would_find_something(conf):
    path = conf("streaming")
    path.write_text(path.read_text(encoding="utf-8").replace("$host;", "$http_host;"), encoding="utf-8")
    gixy = Path(sys.executable).with_name("gixy")
    done = subprocess.run([str(gixy), "--format", "json", str(path)], capture_output=True, text=True, check=False)
    assert "host_spoofing" in {issue["plugin"] for issue in json.loads(done.stdout)}


@pytest.mark.parametrize("view_style", STREAMING_STYLES)
def test_the_stream_location_holds_nothing_back(conf, view_style):
    chat = only(site_of(conf(view_style)), "location", "/chat/")["block"]
    stream = only(chat, "location", "/chat/stream/")["block"]
    assert [value(stream, name) for name in ("proxy_buffering", "proxy_cache", "gzip")] == ["off", "off", "off"]
    # Stands inside /chat/, and says nothing else about what it inherits from there.
    inherited = {"proxy_read_timeout", "limit_req", "limit_conn", "error_page"}
    assert not inherited & {item["directive"] for item in stream}


def test_a_project_without_streams_has_no_stream_location(conf):
    path = conf("sync")
    assert "/chat/stream/" not in path.read_text(encoding="utf-8")
    assert not find(only(site_of(path), "location", "/chat/")["block"], "location")


@pytest.mark.parametrize("view_style", STYLES)
def test_nginx_waits_longer_than_a_call_to_claude_may_take(bake, conf, view_style):
    settings = (bake(view_style=view_style, nginx=True) / "config/settings.py").read_text(encoding="utf-8")
    deadline = float(settings.split('"CLAUDE_DEADLINE", default=')[1].split(",")[0])
    site = site_of(conf(view_style))
    waits = [value(only(site, "location", *path)["block"], "proxy_read_timeout") for path in ASKING]
    waits.append(value(parsed(conf(view_style)), "worker_shutdown_timeout"))
    assert all(float(wait.removesuffix("s")) > deadline for wait in waits), (waits, deadline)


@pytest.mark.parametrize("view_style", STYLES)
def test_whatever_asks_claude_or_tries_a_password_is_limited(conf, view_style):
    path = conf(view_style)
    site = site_of(path)
    for location in ASKING:
        block = only(site, "location", *location)["block"]
        assert only(block, "limit_req")["args"][0] == "zone=questions"
        assert only(block, "limit_conn")["args"][0] == "answers"
    for location in (["/accounts/"], ["=", "/admin/login/"]):
        assert only(only(site, "location", *location)["block"], "limit_req")["args"][0] == "zone=sign_in"
    http = http_of(path)
    assert [value(http, "limit_req_status"), value(http, "limit_conn_status")] == ["429", "429"]


@pytest.mark.parametrize("view_style", STYLES)
def test_the_project_learns_the_truth_about_the_client(conf, view_style):
    path = conf(view_style)
    told = dict(item["args"] for item in find(http_of(path), "proxy_set_header"))
    assert told == {
        "Connection": "",
        "Host": "$host",
        "X-Forwarded-For": "$remote_addr",
        "X-Forwarded-Proto": "$scheme",
        "X-Request-ID": "$request_id",
    }
    # A location with one proxy_set_header of its own would lose all of these.
    assert path.read_text(encoding="utf-8").count("proxy_set_header ") == len(told)


def test_tls_is_mozillas_intermediate_profile(conf):
    http = http_of(conf("streaming"))
    assert value(http, "ssl_protocols") == "TLSv1.2 TLSv1.3"
    ciphers = value(http, "ssl_ciphers").split(":")
    assert len(ciphers) == 6
    assert all(cipher.startswith("ECDHE-") and ("GCM" in cipher or "POLY1305" in cipher) for cipher in ciphers)
    assert value(http, "ssl_prefer_server_ciphers") == "off"
    assert value(http, "server_tokens") == "off"


def test_the_names_in_it_are_the_projects_own(conf):
    path = conf("streaming", project_slug="ask_us", domain_name="ask.example.org")
    text = path.read_text(encoding="utf-8")
    assert "example.com" not in text
    site = site_of(path)
    assert value(site, "server_name") == "ask.example.org"
    assert value(site, "ssl_certificate") == "/etc/letsencrypt/live/ask.example.org/fullchain.pem"
    assert value(only(site, "location", "/static/")["block"], "alias") == "/srv/ask_us/staticfiles/"


def test_without_the_answer_there_is_no_file(bake):
    deploy = bake(nginx=False, docker=False) / "deploy"
    assert {path.suffix for path in deploy.iterdir()} == {".service", ".timer"}
