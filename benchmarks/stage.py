"""What streams.py measures with: the API, the servers side by side, and a process that reads their streams.

All servers share the first core, and only one is asked at a time. The API (source.py) and the reader (open_streams.py)
are on the other core, and so is whoever calls this.
"""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
import uuid
from contextlib import ExitStack, contextmanager
from pathlib import Path

import rig
from environments import run, variables_for
from http_client import FORM, HttpClient
from nginx_server import make_certificate
from project_server import Server, free_port

HERE = Path(__file__).resolve().parent
UVICORN = ["python", "-m", "uvicorn", "--no-access-log"]
GUNICORN = ["python", "-m", "gunicorn", "--threads", "8"]
# How this project is called here in each view style, and what it is compared with.
STYLES = {"async": "async", "threads": "streaming"}
CONTROLS = {"control": "text_stream:application", "floor": "passthrough:application"}
PLAIN = {
    "plain async": ("async", [*UVICORN, "plain_view:asgi", "--port", "%d"]),
    "plain threads": ("threads", [*GUNICORN, "plain_view:wsgi", "--bind", "127.0.0.1:%d"]),
}
PYTHON = "newest"
VERSIONS = """
import json, platform
from importlib.metadata import distributions
wanted = "aiohttp anthropic django gunicorn httptools httpx2 uvicorn uvloop".split()
found = {one.name: one.version for one in distributions() if one.name.lower() in wanted}
print(json.dumps({"Python": platform.python_version()} | dict(sorted(found.items()))))
"""
SLACK = 0.05
"""Of a core: a server that uses less has nothing left to do."""


class Asked:
    """A server that is asked, and what its process uses."""

    def __init__(self, server, cookies):
        self.server = server
        self.pid = server.process.pid
        self.user = HttpClient.in_place_of_proxy(server.url, cookies)

    def cpu(self):
        """In seconds, since it started."""
        return rig.cpu_seconds(self.pid)

    def wait_until_idle(self, most=20):
        end = time.monotonic() + most
        before = self.cpu()
        while time.monotonic() < end:
            time.sleep(0.4)
            now = self.cpu()
            if now - before <= 0.4 * SLACK:
                return
            before = now

    @contextmanager
    def streams(
        self,
        number,
        rate=0,
        seconds=60.0,
        *,
        length=0,
        settle=0.0,
        opens_per_second=100,
        patience=20.0,
        conversation=False,
    ):
        """So many streams at once, of `rate` tokens a second; 0: all at once.

        Gives the window in which they are watched, and a function that waits for what open_streams.py says of them.
        """
        self.wait_until_idle()
        names = ["idempotency_key", "conversation"] if conversation else ["idempotency_key"]
        spec = {
            "port": self.server.port,
            "headers": list(self.user.headers_for(headers={"Content-Type": FORM}).items()),
            "questions": [{name: str(uuid.uuid4()) for name in names} for _ in range(number)],
            "rate": rate,
            "length": length,
            "opens_per_second": opens_per_second,
            "settle": settle,
            "seconds": seconds,
            "patience": patience,
        }
        with process("open_streams.py") as reading:
            reading.stdin.write(json.dumps(spec))
            reading.stdin.close()
            window = json.loads(reading.stdout.readline())["window"]
            yield window, lambda: json.loads(reading.stdout.read())

    def read(self, number, **options):
        """The same for streams that are only read to their end: what was seen, and the CPU seconds that it took."""
        with self.streams(number, **options) as (_, seen):
            before = self.cpu()
            result = seen()
        return result, self.cpu() - before


class Stage:
    """Starts them, each for a block. A server is one worker, on the core that is the servers' alone."""

    def __init__(self, production, folder, threads):
        self.production = production
        self.folder = folder
        self.threads = threads
        # Starlette is of the environment of this repository; all that it needs is in that of the project.
        (folder / "starlette").mkdir()
        package = Path(importlib.util.find_spec("starlette").origin).parent
        (folder / "starlette/starlette").symlink_to(package)

    def new_folder(self):
        folder = self.folder / uuid.uuid4().hex[:8]
        folder.mkdir()
        return folder

    @contextmanager
    def api(self, *, tls=False):
        """The API. Gives the environment variables of whoever asks it."""
        url, trust, files = "http://127.0.0.1", {}, []
        if tls:
            make_certificate(self.folder / "certificate", "localhost")
            files = [self.folder / "certificate" / name for name in ("fullchain.pem", "privkey.pem")]
            url, trust = "https://localhost", {"SSL_CERT_FILE": str(files[0])}
        with process("source.py", *files) as source:
            yield trust | {"ANTHROPIC_BASE_URL": f"{url}:{json.loads(source.stdout.readline())['port']}"}

    @contextmanager
    def serve(self, kind, api):
        """One of `STYLES`, `CONTROLS` and `PLAIN`."""
        with ExitStack() as running:
            with rig.for_server():
                start = self.project if kind in STYLES else self.plain if kind in PLAIN else self.control
                server, cookies = start(kind, api, running)
            yield Asked(server, cookies)

    def project(self, kind, api, running):
        answers, settings = {"view_style": STYLES[kind]}, {**api, "WEB_THREADS": str(self.threads)}
        url = settings.pop("ANTHROPIC_BASE_URL")
        served = self.production.serve(answers, self.new_folder(), url, python=PYTHON, **settings)
        served = running.enter_context(served)
        return served.server, served.cookies()

    def control(self, kind, api, running):
        _, environment = self.production.prepared({"view_style": "async"}, PYTHON)
        paths = f"{HERE / 'controls'}{os.pathsep}{self.folder / 'starlette'}"
        variables = variables_for(environment, PYTHONPATH=paths, ANTHROPIC_API_KEY="key", **api)
        port = free_port()
        server = Server([*UVICORN, CONTROLS[kind], "--port", port], self.new_folder(), variables, port)
        return running.enter_context(server), {}

    def plain(self, kind, api, running):
        style, command = PLAIN[kind]
        prepared, environment = self.production.prepared({"view_style": STYLES[style]}, PYTHON)
        project = shutil.copytree(prepared, self.new_folder() / prepared.name)
        settings = self.production.settings(**api)
        port = free_port()
        variables = variables_for(environment, PYTHONPATH=str(HERE / "controls"), **settings)
        server = Server([word % port if "%" in word else word for word in command], project, variables, port)
        session = json.loads((project / "sessions.json").read_text())["user"]
        slug = project.name
        return running.enter_context(server), {f"{slug}_sessionid": session, f"{slug}_csrftoken": "a" * 32}

    def versions(self):
        """Of what takes part, in words."""
        found = {}
        for style in STYLES.values():
            _, environment = self.production.prepared({"view_style": style}, PYTHON)
            found |= json.loads(run(["python", "-c", VERSIONS], self.folder, environment))
        return ", ".join(f"{name} {version}" for name, version in found.items())


@contextmanager
def process(script, *arguments):
    """A script of this folder, which ends with the block at the latest."""
    command = [sys.executable, HERE / script, *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as started:
        try:
            yield started
        finally:
            started.kill()
