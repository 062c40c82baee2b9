"""A project in production behind nginx, and a browser that finds its domain on this machine."""

import base64
import hashlib
import sqlite3
from collections.abc import Callable
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from browser import launch
from claude_server.client import refused_url
from nginx_server import Site, find_nginx
from production import change_line

PASSWORD = "seven-small-otters"
"""Of the user `another`, who is an administrator."""

# One Django and one kind of server each.
PYTHONS = {"streaming": "oldest", "async": "newest", "sync": "oldest"}


class PageSite(NamedTuple):
    url: str
    browser: Any
    cookies: list[dict[str, str]]
    """Of a user who has signed in, and may see the ledger."""
    certificate: Path
    manage: Callable[..., str]
    """What `manage.py` of the project prints."""


@contextmanager
def served_site(view_style, production, playwright, folder):
    """The site, until the end of the block. The project's own stand-in answers in the place of Claude."""
    answers = {"view_style": view_style, "client_wrapper": True}
    serving = {"change": prepare, "python": PYTHONS[view_style]}
    with refused_url() as nobody, production.serve(answers, folder, nobody, **serving) as served:
        site = Site(served.project, folder / "site", served.server.port, static=served.project / "staticfiles")
        url = f"https://{site.domain}"
        cookies = [{"name": name, "value": value, "url": url} for name, value in served.cookies().items()]
        with site.start(find_nginx("current")):
            browser = launch(playwright, f"--host-resolver-rules=MAP {site.domain}:443 127.0.0.1:{site.https_port}")
            yield PageSite(url, browser, cookies, site.folder / "certificate", served.manage)
            browser.close()


def prepare(project):
    """Production does not start with the stand-in unless the settings say so. And somebody gets a password."""
    settings = project / "config/settings.py"
    change_line(settings, "CLAUDE_OFFLINE = DEBUG and not ANTHROPIC_API_KEY", "CLAUDE_OFFLINE = True")
    digest = base64.b64encode(hashlib.pbkdf2_hmac("sha256", PASSWORD.encode(), b"salt", 1)).decode()
    password = "UPDATE accounts_user SET password = ?, is_staff = 1, is_superuser = 1 WHERE username = 'another'"
    permission = """
        INSERT INTO accounts_user_user_permissions (user_id, permission_id) SELECT accounts_user.id, auth_permission.id
        FROM accounts_user, auth_permission WHERE username = 'user' AND codename = 'view_ledgerentry'
    """
    with closing(sqlite3.connect(project / "db.sqlite3", isolation_level=None)) as database:
        database.execute(password, [f"pbkdf2_sha256$1$salt${digest}"])
        database.execute(permission)
