"""The rendered systemd unit: systemd accepts it, it starts the server of the view style, and stops it late enough."""

import configparser
import re
import shutil
import subprocess

import pytest

from bakery import choices
from environments import skip_or_fail

STYLES = choices("view_style")


def unit_of(project):
    return project / "deploy" / f"{project.name}.service"


def service_of(project):
    """The unit's [Service] section. A key that stands more than once would be an error here; none does."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str
    parser.read_string(unit_of(project).read_text(encoding="utf-8"))
    return parser["Service"]


@pytest.mark.parametrize("view_style", STYLES)
def test_systemd_accepts_it(bake, view_style):
    analyze = shutil.which("systemd-analyze") or skip_or_fail("no systemd-analyze is installed")
    project = bake(view_style=view_style)
    deploy = project / "deploy"
    for unit in (*deploy.glob("*.service"), *deploy.glob("*.timer")):
        done = subprocess.run([analyze, "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False)
        # The project is not in /srv here, so its commands are missing; nothing else may be said of this unit.
        said = [line for line in done.stderr.splitlines() if unit.name in line or str(unit) in line]
        assert said or unit.suffix == ".timer", "a missing command should have been found"
        assert all("/.venv/bin/" in line and "is not executable" in line for line in said), said


@pytest.mark.parametrize("view_style", STYLES)
def test_it_starts_the_server_of_the_view_style(bake, view_style):
    project = bake(view_style=view_style)
    service = service_of(project)
    scripts = f"/srv/{project.name}/.venv/bin"
    if view_style == "async":
        assert service["ExecStart"] == f"{scripts}/python -m config.uvicorn"
        assert (project / "config/uvicorn.py").exists()
    else:
        assert service["ExecStart"] == f"{scripts}/gunicorn -c config/gunicorn.py config.wsgi"
        assert (project / "config/gunicorn.py").exists()
        assert (project / "config/wsgi.py").exists()
    assert service["WorkingDirectory"] == f"/srv/{project.name}"
    assert service["EnvironmentFile"] == f"/etc/{project.name}.env"
    assert service["Restart"] == "always"


@pytest.mark.parametrize("view_style", STYLES)
def test_systemd_waits_longer_than_the_server_does(bake, view_style):
    project = bake(view_style=view_style)
    text = (project / "config/settings.py").read_text(encoding="utf-8")
    (grace,) = re.findall(r"WEB_GRACE = .*default=(\d+)", text)
    assert int(service_of(project)["TimeoutStopSec"]) > int(grace)
