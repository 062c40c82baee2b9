"""Signing in, with a button in development that needs no account, and signing up where a setting allows it."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import get_user_model, login
from django.contrib.auth.views import LoginView
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse_lazy
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST
from django.views.generic import FormView

from accounts import links
from accounts.forms import SignUpForm


class SignInView(LoginView):
    template_name = "accounts/sign_in.html"
    redirect_authenticated_user = True

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        offers = {"demo_sign_in": settings.DEBUG, "sign_up": settings.ACCOUNTS_SIGN_UP, "reset": settings.SENDS_MAIL}
        return super().get_context_data(**offers, **kwargs)


@method_decorator(never_cache, name="dispatch")
class SignUpView(FormView):
    """Makes an account that nobody can use before the link in the e-mail has come back."""

    form_class = SignUpForm
    template_name = "accounts/form.html"
    success_url = reverse_lazy("accounts:sign_in")
    extra_context = {
        "title": _("Create an account"),
        "advice": _("You will get an e-mail with a link to choose a password."),
        "button": _("Create the account"),
    }

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not settings.ACCOUNTS_SIGN_UP:
            raise Http404
        return super().dispatch(request, *args, **kwargs)

    def form_valid(self, form: Any) -> HttpResponse:
        if links.may_ask(form.cleaned_data["email"], "sign-up"):
            links.mail_link(self.request, form.save())
        messages.success(self.request, links.ON_ITS_WAY)
        return super().form_valid(form)


@require_POST
def demo(request: HttpRequest) -> HttpResponse:
    """Signs in as the user `demo`, and creates it on the first call. In DEBUG only.

    The user has no password, so nobody can sign in as it where a copy of this database runs in production.
    """
    if not settings.DEBUG:
        raise Http404
    user, created = get_user_model().objects.get_or_create(username="demo")
    if created:
        user.set_unusable_password()
        user.save()
    login(request, user, backend="django.contrib.auth.backends.ModelBackend")
    following = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(following, {request.get_host()}, require_https=request.is_secure())
    return redirect(following if safe else settings.LOGIN_REDIRECT_URL)
