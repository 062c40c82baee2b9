"""The pages of one's own account."""

from typing import Any

from django.contrib import messages
from django.contrib.auth import logout, update_session_auth_hash
from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpRequest, HttpResponse
from django.urls import reverse_lazy
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.generic import FormView, UpdateView

from accounts import deletion
from accounts.forms import AccountForm, OwnPasswordForm
from accounts.models import User


@method_decorator([never_cache, sensitive_post_parameters()], name="dispatch")
class OwnAccount(LoginRequiredMixin):
    """What every view here has."""

    request: HttpRequest
    success_url: Any = reverse_lazy("accounts:account")

    def own(self) -> User:
        """A second copy: what a form that fails has put into it does not show in the header."""
        return User.objects.get(username=self.request.user.get_username())

    def get_form_kwargs(self) -> dict[str, Any]:
        return super().get_form_kwargs() | {"request": self.request}  # type: ignore[misc]


class Account(OwnAccount, UpdateView):
    form_class = AccountForm
    template_name = "accounts/account.html"
    context_object_name = "account"

    def get_object(self, queryset: Any = None) -> User:
        return self.own()

    def form_valid(self, form: Any) -> HttpResponse:
        messages.success(self.request, _("Your account is changed."))
        return super().form_valid(form)


class SignOutEverywhere(OwnAccount, FormView):
    form_class = OwnPasswordForm
    template_name = "accounts/form.html"
    extra_context = {
        "title": _("Sign out everywhere else?"),
        "advice": _("Every other browser will have to sign in again."),
        "button": _("Sign out everywhere else"),
        "cancel": True,
    }

    def form_valid(self, form: OwnPasswordForm) -> HttpResponse:
        """A session holds for the hash of the password: the same password with another salt ends all but this one."""
        user = self.own()
        user.set_password(form.cleaned_data["password"])
        user.save(update_fields=["password"])
        update_session_auth_hash(self.request, user)
        messages.success(self.request, _("Every other browser is signed out."))
        return super().form_valid(form)


class DeleteAccount(OwnAccount, FormView):
    form_class = OwnPasswordForm
    template_name = "accounts/form.html"
    success_url = reverse_lazy("accounts:sign_in")
    extra_context = {
        "title": _("Delete your account?"),
        "advice": _("Your account and all your conversations will be gone, and nobody can bring them back."),
        "button": _("Delete the account"),
        "cancel": True,
    }

    def form_valid(self, form: OwnPasswordForm) -> HttpResponse:
        if not deletion.delete(self.own()):
            form.add_error(None, _("You are the last administrator: make somebody else a superuser first."))
            return self.form_invalid(form)
        logout(self.request)
        messages.success(self.request, _("Your account is deleted."))
        return super().form_valid(form)
