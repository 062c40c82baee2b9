"""The forms of accounts: Django's, where it has them."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from django import forms
from django.contrib.auth import authenticate
from django.contrib.auth.forms import PasswordChangeForm, PasswordResetForm, UserCreationForm, UsernameField
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts import links
from accounts.models import User

# Of the accounts that have one address, so many get a link: nobody can flood a mailbox by giving its address to many.
ACCOUNTS = 10
# What browsers may fill in.
WIDGETS = {
    "first_name": forms.TextInput(attrs={"autocomplete": "given-name"}),
    "last_name": forms.TextInput(attrs={"autocomplete": "family-name"}),
    "email": forms.EmailInput(attrs={"autocomplete": "email"}),
}


def password_field(**options: Any) -> forms.CharField:
    widget = forms.PasswordInput(attrs={"autocomplete": "current-password"})
    return forms.CharField(label=_("Your password"), strip=False, widget=widget, **options)


class AsksForPassword:
    """A form for what a stranger at somebody's desk must not do."""

    cleaned_data: dict[str, Any]

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        self.request = request
        super().__init__(*args, **kwargs)

    def own_password(self, field: str) -> str:
        """Raises ValidationError if it is wrong, which counts as a wrong one on the sign-in page does."""
        name, password = self.request.user.get_username(), self.cleaned_data[field]
        if not password or not authenticate(self.request, username=name, password=password):
            raise forms.ValidationError(_("This is not your password."))
        return password


class OwnPasswordForm(AsksForPassword, forms.Form):
    password = password_field()

    def clean_password(self) -> str:
        return self.own_password("password")


class ChangePasswordForm(AsksForPassword, PasswordChangeForm):
    def clean_old_password(self) -> str:
        return self.own_password("old_password")


class AccountForm(AsksForPassword, forms.ModelForm):
    """Whoever changes the e-mail address can have a link sent there, and so must know the password."""

    password = password_field(required=False, help_text=_("Only to change the e-mail address."))

    class Meta:
        model = User
        fields = ("first_name", "last_name", "email")
        widgets = WIDGETS

    def clean_password(self) -> str:
        return self.own_password("password") if "email" in self.changed_data else ""

    def save(self, commit: bool = True) -> User:
        """These fields alone: what another request has changed meanwhile stays."""
        self.instance.save(update_fields=self.Meta.fields)
        return self.instance


class LinkForm(PasswordResetForm):
    """Sends a link to everybody with this address, and says nothing about that."""

    def get_users(self, email: str) -> Iterator[User]:
        """Those who have a password, and those who have never signed in: they were invited."""
        for user in User.objects.filter(email__iexact=email, is_active=True).order_by("pk"):
            is_same = links.folded(user.email) == links.folded(email)
            if is_same and (user.has_usable_password() or not user.last_login):
                yield user

    def save(self, *, request: HttpRequest, **options: Any) -> None:  # type: ignore[override]
        email = self.cleaned_data["email"]
        if links.may_ask(email, "reset"):
            for user in islice(self.get_users(email), ACCOUNTS):
                links.mail_link(request, user)


class InvitationForm(UserCreationForm):
    """Makes a user without a password, who chooses one with a link."""

    password1 = password2 = None  # type: ignore[assignment]  # which is how a subclass has no such field

    class Meta:
        model = User
        fields = ("username", "email")
        field_classes = {"username": UsernameField}

    def set_password_and_save(self, user: User, *args: Any, commit: bool = True, **options: Any) -> User:
        user.set_unusable_password()
        if commit:
            user.save()
        return user


class SignUpForm(InvitationForm):
    class Meta(InvitationForm.Meta):
        widgets = WIDGETS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["email"].required = True
