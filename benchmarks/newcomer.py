"""How long a newcomer takes from `cookiecutter` to the first eval: the commands of the READMEs, typed and timed.

    make newcomer
    make newcomer A="--warm"

The home is empty, and so is the cache of packages, unless it is `--warm`: then it is this machine's. Every question is
answered with Enter alone. There is no API key: the offline stand-in answers.
"""

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from uv import find_uv_bin

from documents import TEMPLATE, commands_in, text_of
from environments import kept_by, run, variables_for
from http_client import HttpClient
from project_server import free_port

PATIENCE = 600  # seconds


def main():
    """Type the commands, print what each took, and fail where one does not do what its README says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--warm", action="store_true", help="with the packages that this machine has in its cache")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        newcomer = Newcomer(Path(folder), warm=arguments.warm)
        bake, serve = commands_in(text_of("README.md").split("## Make your own")[1])[:2]
        with newcomer.takes(bake):
            newcomer.type(f"yes '' | {bake.replace('gh:OWNER/cookiecutter-django-claude', str(TEMPLATE))}")
        project = newcomer.folder / "my_claude_app"
        with newcomer.takes(f"{serve}, until there is an answer"), newcomer.serving(serve) as url:
            newcomer.ask(url)
        readme = text_of("README.md", project)
        (case,) = re.findall(r"^```yaml\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
        (command,) = re.findall(r"`(make evals ARGS=\w+)`", readme)
        with newcomer.takes(f"{command}, with a case of one's own"):
            with open(project / "evals/system.yaml", "a", encoding="utf-8") as cases:
                cases.write(f"\n{case}")
            said = newcomer.type(command, project)
        if not re.search(r"says what it cannot know +asked", said):
            sys.exit(f"The case was not asked:\n{said}")
        newcomer.report(arguments.warm)


class Newcomer:
    """Somebody with git, make, Python and uv on a machine, and nothing in their home."""

    def __init__(self, folder, *, warm):
        self.folder = folder / "work"
        self.port = free_port()
        self.times = {}
        home, tools = folder / "home", folder / "tools"
        for new in (self.folder, home, tools):
            new.mkdir()
        for name in ("uv", "uvx"):
            (tools / name).symlink_to(Path(find_uv_bin()).with_name(name))
        (tools / "python3").symlink_to(sys._base_executable)
        (cache,) = kept_by([find_uv_bin(), "cache", "dir"]) if warm else [home / "cache"]
        self.variables = {"HOME": str(home), "UV_CACHE_DIR": str(cache), "PORT": str(self.port)}
        self.variables["PATH"] = f"{tools}{os.pathsep}{os.environ['PATH']}"

    @contextmanager
    def takes(self, what):
        """What the block does is a line of the report."""
        began = time.monotonic()
        yield
        self.times[what] = time.monotonic() - began

    def type(self, command, folder=None):
        return run(["sh", "-c", command], folder or self.folder, **self.variables)

    @contextmanager
    def serving(self, command):
        """The address of what the command serves until the end of the block."""
        variables = variables_for(None, **self.variables)
        process = subprocess.Popen(
            ["sh", "-c", command],
            cwd=self.folder,
            env=variables,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            yield f"http://127.0.0.1:{self.port}"
        finally:
            os.killpg(process.pid, signal.SIGTERM)  # to all that the command has started: some ignore a Ctrl-C
            process.wait(30)

    def ask(self, url):
        """As the page does it, once it is there: the button that signs in, and a question."""
        user = HttpClient.in_place_of_proxy(url)
        user.headers = {"Origin": url}  # no proxy
        end = time.monotonic() + PATIENCE
        while True:
            try:
                page = user.get("/accounts/sign-in/").text
                break
            except OSError:
                if time.monotonic() > end:
                    sys.exit(f"There is no page after {PATIENCE} s.")
                time.sleep(0.1)
        (token,) = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page)[:1]
        user.post("/accounts/demo/", {"csrfmiddlewaretoken": token})
        reply = user.post("/chat/ask/", {"prompt": "Why is the sky blue?"})
        if reply.status != 200:
            sys.exit(f"The question was answered with {reply.status}: {reply.text}")

    def report(self, warm):
        print("| command | seconds |\n|---|--:|")
        for what, seconds in self.times.items():
            print(f"| `{what.replace(', ', '`, ', 1) if ', ' in what else what + '`'} | {seconds:.1f} |")
        load = os.getloadavg()[0]
        cache = "this machine's cache of packages" if warm else "no cache of packages"
        print(f"| {len(self.times)} commands | {sum(self.times.values()):.1f} |\n")
        print(f"{date.today()}, {os.cpu_count()} cores, load {load:.1f}; an empty home, {cache}.")


if __name__ == "__main__":
    main()
