"""Users in the admin, who are invited: they choose their password with a link."""

import logging
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts import links
from accounts.forms import InvitationForm
from accounts.models import User

logger = logging.getLogger("accounts")


@admin.register(User)
class InvitedUserAdmin(UserAdmin):
    add_form = InvitationForm
    add_form_template = None  # Django's speaks of a password
    add_fieldsets = (
        (
            None,
            {
                "fields": ("username", "email"),
                "description": _("The user gets a link to choose a password. It works once."),
            },
        ),
    )
    actions = ("invite",)

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if not change:
            self.send_link(request, obj)

    @admin.action(description=_("Send a link to choose a password"), permissions=["change"])
    def invite(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        for user in queryset.filter(is_active=True):
            self.send_link(request, user)

    def send_link(self, request: HttpRequest, user: User) -> None:
        """By e-mail; where that cannot be, the administrator gets it, who could set a password just as well."""
        logger.info("User %s has a link made for user %s", request.user.pk, user.pk)
        if user.email and settings.SENDS_MAIL:
            links.mail_link(request, user)
            text = gettext("A link is on its way to %(email)s.") % {"email": user.email}
        else:
            text = gettext("Give this link to %(user)s, and to nobody else: %(link)s")
            text %= {"user": user, "link": links.link(request, user)}
        messages.success(request, text)
