"""A user who asks over HTTP, and the wire between the project and Claude.

The answers come from claude/offline/: the real SDK runs above it, and no test needs a network or a key. A
question that begins with `fail` makes a call fail, one that begins with `play` makes Claude answer otherwise;
`claude.offline.FAILURES` and `ANSWERS` list the ways.
"""

import ipaddress
import itertools
import json
import os
import socket
import socketserver
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest

from claude import offline
# % if cookiecutter.view_style != "async"
from claude.client import get_client
# % endif
from tests import streams
from tests.asking import Browser

left_the_machine = []


def refuse_network(event: str, args: tuple[Any, ...]) -> None:
    """Python calls this before it asks for an address or connects. https://docs.python.org/3/library/audit_events.html"""
    if event == "socket.getaddrinfo":
        host = args[0]
    elif event in ("socket.connect", "socket.sendto") and isinstance(args[1], tuple):
        host = args[1][0]
    else:
        return
    host = host.decode() if isinstance(host, bytes) else host or "localhost"
    try:
        is_here = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_here = False
    if not is_here:
        left_the_machine.append(host)
        raise PermissionError(f"a test may not reach {host}")


sys.addaudithook(refuse_network)


@pytest.fixture(scope="session", autouse=True)
def no_certificates(tmp_path_factory):
    """Every client of the SDK would read those of this machine, which takes longer than most tests. No test needs one."""
    folder = tmp_path_factory.mktemp("certificates")
    (folder / "00000000.0").touch()  # a name by which OpenSSL would look for one
    os.environ["SSL_CERT_DIR"] = str(folder)


@pytest.fixture(autouse=True)
def no_network():
    """Fails a test that would leave this machine, even where its code caught the error."""
    left_the_machine.clear()
    yield
    assert left_the_machine == []


# % if cookiecutter.usage
@pytest.fixture(autouse=True)
def no_ledger_without_a_database(request: pytest.FixtureRequest) -> Iterator[None]:
    """Nobody writes down the calls of a test that has no database."""
    from claude import calls
    from usage import budgets, ledger

    has_one = request.node.get_closest_marker("django_db") or {"db", "transactional_db"} & set(request.fixturenames)
    listeners = [] if has_one else [(calls.call_starting, budgets.reserve), (calls.call_ended, ledger.record)]
    for signal, listener in listeners:
        signal.disconnect(listener)
    yield
    for signal, listener in listeners:
        signal.connect(listener)


# % endif
@pytest.fixture
def anonymous() -> Browser:
    """Somebody who has not signed in."""
    return Browser()


@pytest.fixture
def user(django_user_model) -> Browser:
    """Somebody who has."""
    user = Browser()
    user.sign_in(django_user_model.objects.create_user("user"))
    return user


@pytest.fixture
def wire(monkeypatch) -> list[dict[str, Any]]:
    """What went out to Claude, one entry for each attempt: its `headers` and its `body`."""
    seen = []
    respond = offline.respond

    def recorded(request, body):
        seen.append({"headers": request.headers, "body": body})
        return respond(request, body)

    monkeypatch.setattr(offline, "respond", recorded)
    return seen


@pytest.fixture
def play(monkeypatch) -> Callable[..., list[dict[str, Any]]]:
    """play(answer, …) has Claude give one answer after the other: the events of a stream (`tests.streams`), the name of a
    failure, or what the network raises. Gives what went out, as `wire` does.
    """
    fail = offline.respond

    def play(*answers):
        seen, left = [], iter(answers)

        def respond(request, body):
            seen.append({"headers": request.headers, "body": body})
            answer = next(left)
            if isinstance(answer, Exception):
                raise answer
            if isinstance(answer, str):
                return fail(request, body | {"messages": [{"role": "user", "content": f"fail {answer}"}]})
            stream = httpx2.ByteStream(streams.body(answer))
            return httpx2.Response(200, headers={"request-id": f"req_{len(seen)}"}, stream=stream)

        monkeypatch.setattr(offline, "respond", respond)
        return seen

    return play


@pytest.fixture
def connect() -> Iterator[Callable[..., None]]:
    """connect(signal, receiver) has the receiver called until the end of the test."""
    connected = []

    def connect(signal, receiver):
        signal.connect(receiver)
        connected.append((signal, receiver))

    yield connect
    for signal, receiver in connected:
        signal.disconnect(receiver)


class Api(socketserver.ThreadingTCPServer):
    """A server on this machine in the place of the API: `answer(connection)` says, byte by byte, what it does.

    Until it is told, it is silent for as long as the project waits. It answers once it has read a question, unless `is_hasty`.
    """

    allow_reuse_address = daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Questions)
        self.answer: Callable[[socket.socket], object] = lambda connection: connection.recv(1)
        self.is_hasty = False
        self.connections = 0
        self.questions = 0

    def handle_error(self, request: Any, client_address: Any) -> None:
        """The project has hung up."""


class Questions(socketserver.StreamRequestHandler):
    server: Api

    def handle(self) -> None:
        self.server.connections += 1
        while head := list(itertools.takewhile(bytes.strip, self.rfile)):
            lengths = [int(line.split(b":")[1]) for line in head if line.lower().startswith(b"content-length")]
            if not self.server.is_hasty:
                self.rfile.read(sum(lengths))
            self.server.questions += 1
            if not self.server.answer(self.connection):
                return


@pytest.fixture
def api(settings) -> Iterator[Api]:
    with Api() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        settings.CLAUDE_OFFLINE = False
        settings.ANTHROPIC_API_KEY = "sk-ant-test"
        settings.ANTHROPIC_BASE_URL = f"http://127.0.0.1:{server.server_address[1]}"
        yield server
        # % if cookiecutter.view_style != "async"
        get_client().close()
        # % endif
        server.shutdown()


@pytest.fixture
def replies(api):
    """replies(reply, …) has the API send one after the other: JSON, lines, a status without a body; None hangs up."""

    def replies(*each):
        left = iter(each)

        def answer(connection):
            reply = next(left)
            if reply is None:
                return False
            status = reply if isinstance(reply, int) else 200
            content = "" if isinstance(reply, int) else reply if isinstance(reply, str) else json.dumps(reply)
            head = f"HTTP/1.1 {status} .\r\ncontent-type: application/json\r\ncontent-length: {len(content.encode())}\r\n\r\n"
            connection.sendall((head + content).encode())
            return True

        api.answer = answer
        return left

    return replies
