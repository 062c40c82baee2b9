"""Choosing a password with a link that came by e-mail, or from an administrator; changing one."""

from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.views import PasswordChangeView, PasswordResetConfirmView, PasswordResetView
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse_lazy
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache

from accounts import links
from accounts.forms import ChangePasswordForm, LinkForm

OF_LINK = "_password_reset_user"  # in the session, as Django keeps the token of the link there


@method_decorator(never_cache, name="dispatch")
class AskForLink(PasswordResetView):
    """Answers the same, and nearly as fast, whether somebody has the address or not."""

    form_class = LinkForm
    template_name = "accounts/form.html"
    success_url = reverse_lazy("accounts:sign_in")
    title = _("Forgot your password?")
    extra_context = {
        "advice": _("You will get an e-mail with a link to choose a new one."),
        "button": _("Send the link"),
    }

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not settings.SENDS_MAIL:
            raise Http404
        return super().dispatch(request, *args, **kwargs)

    def form_valid(self, form: Any) -> HttpResponse:
        messages.success(self.request, links.ON_ITS_WAY)
        return super().form_valid(form)


class ChoosePassword(PasswordResetConfirmView):
    """The link leads here, then to itself without its token, which so gets into no `Referer`. It signs in, too."""

    template_name = "accounts/form.html"
    success_url = reverse_lazy(settings.LOGIN_REDIRECT_URL)
    title = _("Choose a password")
    extra_context = {"button": _("Save")}
    post_reset_login = True
    post_reset_login_backend = "django.contrib.auth.backends.ModelBackend"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if "token" not in request.GET:
            return super().dispatch(request, uidb64=request.session.get(OF_LINK, ""), token=self.reset_url_token)
        uid = request.GET.get("user", "")
        response = super().dispatch(request, uidb64=uid, token=request.GET["token"])
        if response.status_code == HTTPStatus.FOUND:
            request.session[OF_LINK] = uid
        return response

    def get_user(self, uidb64: str) -> Any:
        """Nobody where the account is no longer active."""
        user = super().get_user(uidb64)
        return user if user and user.is_active else None

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        if self.validlink:
            return context
        advice = _("It was used already, or it is too old.")
        return context | {"title": _("This link no longer works"), "advice": advice, "reset": settings.SENDS_MAIL}


@method_decorator(never_cache, name="dispatch")
class ChangePassword(PasswordChangeView):
    """Ends all other sessions of the user, too."""

    form_class = ChangePasswordForm
    template_name = "accounts/form.html"
    success_url = reverse_lazy("accounts:account")
    title = _("Change your password")
    extra_context = {"advice": _("You will be signed out everywhere else."), "button": _("Save"), "cancel": True}

    def get_form_kwargs(self) -> dict[str, Any]:
        return super().get_form_kwargs() | {"request": self.request}

    def form_valid(self, form: Any) -> HttpResponse:
        messages.success(self.request, _("Your password is changed."))
        return super().form_valid(form)
