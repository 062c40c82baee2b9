"""Who has typed a wrong password too often: which name and which address count, and what is answered.

https://django-axes.readthedocs.io/en/latest/4_configuration.html
"""

from ipaddress import IPv6Network, ip_address
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

# As much as the column of django-axes holds, and more than the name of any user.
MAX_NAME_CHARS = 255


def client_address(request: HttpRequest) -> str | None:
    """The client's address: as a trusted proxy forwards it, or that of the connection. None on a UNIX socket.

    An IPv6 client owns the 2**64 addresses of its network, so the network counts as one.
    """
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "") if settings.TRUST_PROXY else ""
    # Our own proxy adds the last one. Any client could have written those before it, and the header Forwarded.
    return parse_address(forwarded.rpartition(",")[2]) or parse_address(request.META.get("REMOTE_ADDR", ""))


def parse_address(text: str) -> str | None:
    """The address in `192.0.2.1:443`, `"[2001:db8::1]:443"` or `fe80::1%eth0`. None where there is none."""
    text = text.strip(' \t"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if address.version == 4:
        return str(address)
    return str(address.ipv4_mapped or IPv6Network((int(address), 64), strict=False).network_address)


def attempted_name(request: HttpRequest, credentials: dict[str, Any] | None) -> str:
    """The user name that was typed, as far as the database can hold it."""
    return str((credentials or {}).get("username", ""))[:MAX_NAME_CHARS]


def locked_out(request: HttpRequest, *args: object) -> HttpResponse:
    """429, and when to come back. Every try before that starts the wait again."""
    response = render(request, "accounts/locked_out.html", status=429)
    response["Retry-After"] = str(int(settings.AXES_COOLOFF_TIME.total_seconds()))
    return response
