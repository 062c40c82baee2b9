"""One-time links, with which people choose a password: because they forgot theirs, were invited, or signed up.

A link is Django's for the reset of a password: it works once, and for PASSWORD_RESET_TIMEOUT seconds. Its token is in the
query, which no log of production has. https://docs.djangoproject.com/en/stable/topics/auth/default/#django.contrib.auth.views.PasswordResetView
"""

import logging
import threading
import unicodedata
from datetime import timedelta
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth.tokens import default_token_generator
from django.core.mail import EmailMessage
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from django.utils.translation import gettext_lazy as _

from accounts.models import LinkRequest, User

logger = logging.getLogger("accounts")

# Nobody can have more than one e-mail sent to an address in this time.
PAUSE = timedelta(minutes=5)
# What a page says to everybody who asks for a link.
ON_ITS_WAY = _("If all is right with this address, an e-mail with a link is on its way. It may take a few minutes.")


def link(request: HttpRequest, user: User) -> str:
    """Begins with SITE_ORIGIN: whoever asks for a link to somebody else's mailbox could send a false host name."""
    query = {"user": urlsafe_base64_encode(force_bytes(user.pk)), "token": default_token_generator.make_token(user)}
    path = f"{reverse('accounts:choose_password')}?{urlencode(query)}"
    return settings.SITE_ORIGIN + path if settings.SITE_ORIGIN else request.build_absolute_uri(path)


def folded(address: str) -> str:
    """The same for what Django takes for one address."""
    return unicodedata.normalize("NFKC", address).casefold()


def may_ask(address: str, purpose: str) -> bool:
    """Whether nobody has asked for such a link to this address lately, in any process. From now on somebody has.

    Each purpose has a pause of its own: who signs up with somebody's address keeps no other link from them.
    """
    digest = salted_hmac(f"accounts.links.{purpose}", folded(address), algorithm="sha256").hexdigest()
    now = timezone.now()
    LinkRequest.objects.filter(asked_at__lte=now - PAUSE).delete()
    return LinkRequest.objects.get_or_create(digest=digest, defaults={"asked_at": now})[1]


def mail_link(request: HttpRequest, user: User) -> None:
    """Nobody waits for the mail server: how long a page takes would tell whether an address has an account."""
    context = {
        "project_name": settings.PROJECT_NAME,
        "user": user,
        "link": link(request, user),
        "until": timezone.now() + timedelta(seconds=settings.PASSWORD_RESET_TIMEOUT),
    }
    subject = _("Your account at %(project)s") % {"project": settings.PROJECT_NAME}
    text = render_to_string("accounts/link.txt", context)
    message = EmailMessage(" ".join(str(subject).split()), text, to=[user.email])
    threading.Thread(target=send, args=(message, user.pk), name="account-mail").start()


def send(message: EmailMessage, user_id: int) -> None:
    try:
        message.send()
    except Exception as error:
        logger.error("No link could be sent to user %s: %s", user_id, type(error).__name__)
