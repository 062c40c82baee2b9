"""docs/deploy.md of a rendered project, done as it says, in a folder that stands for the root of a bare host."""

import os
import re
import shlex
import stat
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest
from uv import find_uv_bin

from bakery import name_of
from documents import text_of
from environments import kept_by, run, variables_for
from postgres_server import USER, postgresql

# What would change this machine, or needs what it has not; and where it is proven otherwise.
NOT_HERE = {
    "apt-get": "installs on this machine; .ci/run does",
    "useradd": "makes an account of this machine",
    "editor": "asks a person; the test writes the key",
    "systemctl": "needs systemd as process 1; tests/deploying/test_service.py checks the unit",
    "certbot": "needs a public address",
    "nginx": "tests/deploying/test_nginx.py runs it with a certificate",
    "python3 -m http.server": "for certbot",
    "kill": "for certbot",
    "manage createsuperuser": "asks a person; the test gives the answers in the environment",
}
# Does what systemd-run does with the options that the document gives it.
SYSTEMD_RUN = """#!/usr/bin/env bash
set -eu
while [[ $1 == --* ]]; do
    case $1 in
        --property=EnvironmentFile=*) set -a; source "${1#--property=EnvironmentFile=}"; set +a ;;
        --setenv=*) export "${1#--setenv=}" ;;
        --working-directory=*) cd "${1#--working-directory=}" ;;
        --quiet | --pty | --wait | --collect | --uid=*) ;;
        *) echo "no such option here: $1" >&2; exit 2 ;;
    esac
    shift
done
exec "$@"
"""
ANSWERS = [
    {"package_manager": "uv", "database": "sqlite"},
    {"package_manager": "pip", "database": "postgresql", "view_style": "async"},
]


def commands_of(document):
    """Every command of root, those of several lines joined, in order."""
    blocks = re.findall(r"^ *```console\n(.*?)^ *```", document, re.MULTILINE | re.DOTALL)
    lines = re.sub(r"\\\n\s*", "", "".join(blocks)).splitlines()
    return [line.strip().removeprefix("# ") for line in lines]


def left_out(command):
    return any(re.match(rf"{re.escape(words)}( |$)", command) for words in NOT_HERE)


class Host:
    """A folder with the outline of a host; paths in commands lead into it."""

    def __init__(self, folder, project):
        self.folder = folder
        self.slug = project.name
        self.environment_file = folder / f"etc/{project.name}.env"
        for name in ("srv", "etc/systemd/system", "etc/nginx", "opt", "var/www", f"var/lib/{project.name}", "bin"):
            (folder / name).mkdir(parents=True)
        shim = folder / "bin/systemd-run"
        shim.write_text(SYSTEMD_RUN, encoding="utf-8")
        shim.chmod(0o755)
        self.repository = folder / "repository"
        self.variables = variables_for(None) | {"PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"}
        (cache,) = kept_by([find_uv_bin(), "cache", "dir"])
        self.variables |= {"UV_CACHE_DIR": str(cache), "PYTHONDONTWRITEBYTECODE": "1"}

    def here(self, command):
        """The command with this folder in place of the root, and this repository in place of yours."""
        command = command.replace("YOUR-REPOSITORY", shlex.quote(str(self.repository)))
        return re.sub(r"(?<![\w.~-])/(srv|etc|opt|var)/", rf"{self.folder}/\1/", command)

    def run(self, commands, **more):
        """One shell for all of them, which stops at the first that fails. Gives what it printed."""
        # The umask of a hardened host's root.
        script = "\n".join(["umask 027", "set -eux", *map(self.here, commands)])
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self.folder,
            env=self.variables | more,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout


@pytest.mark.parametrize("answers", ANSWERS, ids=name_of)
def test_a_bare_host_serves_the_project_after_the_commands_of_the_document(bake_copy, tmp_path, answers):
    project = bake_copy(nginx=True, **answers)
    host = Host(tmp_path / "host", project)
    commands = commands_of(text_of("docs/deploy.md", project))
    later = commands.index(f"cd /srv/{host.slug} && git pull") - 1  # the umask before it
    first, again = commands[:later], commands[later:]
    publish(project, host.repository, answers)
    on_database = [command for command in first if command.startswith("runuser")]
    to_run = [command for command in first if not left_out(command) and command not in on_database]
    serve = next(number for number, command in enumerate(to_run) if command.startswith("manage()"))
    with database(answers, host) as (url, reach):
        for command in on_database:
            run(shlex.split(command.partition(" -- ")[2]), host.folder, **reach)
        host.run(to_run[:serve])
        expect_readable(host.folder / "srv")
        assert stat.S_IMODE(host.environment_file.stat().st_mode) == 0o600
        settings = host.environment_file.read_text(encoding="utf-8")
        assert len(re.search(r"^SECRET_KEY=(.*)$", settings, re.MULTILINE)[1]) > 50
        if url:
            assert f"/{host.slug}\n" in settings
            settings = re.sub(r"(?m)^DATABASE_URL=.*$", f"DATABASE_URL={url}", settings)
        host.environment_file.write_text(
            f"{settings}ANTHROPIC_API_KEY=only-for-this-test\nEMAIL_HOST=none\n", encoding="utf-8"
        )
        manage, *checking = to_run[serve:]
        there = f"cd /srv/{host.slug}"
        host.run([there, manage, *starting(host), *checking, "manage createsuperuser --no-input"], **ADMINISTRATOR)
        listening = (host.folder / "etc/nginx/nginx.conf").read_text(encoding="utf-8").count("listen [::]")
        assert listening == (4 if Path("/proc/net/if_inet6").exists() else 0)
        host.run([command for command in again if not left_out(command)])
        expect_readable(host.folder / "srv")


def expect_readable(folder):
    """Whoever is not root can read every file in it, as the service must."""
    modes = {path: path.stat().st_mode for path in folder.rglob("*") if not path.is_symlink()}
    closed = [path for path, mode in modes.items() if mode & (0o005 if stat.S_ISDIR(mode) else 0o004) == 0]
    assert closed == []


ADMINISTRATOR = {
    "DJANGO_SUPERUSER_USERNAME": "admin",
    "DJANGO_SUPERUSER_EMAIL": "admin@example.com",
    "DJANGO_SUPERUSER_PASSWORD": "seven-small-otters",
}


def publish(project, repository, answers):
    """What the team has pushed: the rendered project, locked where it is kept by uv."""
    if answers["package_manager"] == "uv":
        run([find_uv_bin(), "lock", "--quiet"], project)
    git = ["git", "-c", "user.name=Team", "-c", "user.email=team@example.com"]
    run([*git, "init", "--quiet", "--initial-branch=main", project], project.parent)
    run([*git, "add", "--all"], project)
    run([*git, "commit", "--quiet", "--message", "The first version"], project)
    run([*git, "clone", "--quiet", "--bare", project, repository], project.parent)


def starting(host):
    """What systemd does first when it starts the service, as the unit says it."""
    unit = host.folder / f"etc/systemd/system/{host.slug}.service"
    (before,) = re.findall(r"^ExecStartPre=\S+ manage.py (.*)$", unit.read_text(encoding="utf-8"), re.MULTILINE)
    return [f"manage {before}"]


@contextmanager
def database(answers, host):
    """The URL of a database that is still to be made, and what its programs find in their environment; or neither."""
    if answers["database"] == "sqlite":
        yield "", {}
        return
    with postgresql() as server:
        reach = {"PGHOST": "127.0.0.1", "PGPORT": str(server.port), "PGUSER": USER}
        path = f"{server.programs}{os.pathsep}{os.environ['PATH']}"
        yield server.url(host.slug).replace(USER, host.slug, 1), reach | {"PATH": path}


def test_what_is_left_out_here_is_all_in_the_document(bake):
    """A reason that no command needs any more would hide the next one that does."""
    commands = commands_of(text_of("docs/deploy.md", bake(nginx=True)))
    unused = [words for words in NOT_HERE if not any(re.match(rf"{re.escape(words)}( |$)", line) for line in commands)]
    assert unused == []
