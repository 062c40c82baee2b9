"""Signing in and out, and one's own account."""

from django.contrib.auth.views import LogoutView
from django.urls import path
from django.views.i18n import set_language

from accounts import account, passwords, views

app_name = "accounts"

urlpatterns = [
    path("", account.Account.as_view(), name="account"),
    path("sign-in/", views.SignInView.as_view(), name="sign_in"),
    path("sign-up/", views.SignUpView.as_view(), name="sign_up"),
    path("sign-out/", LogoutView.as_view(), name="sign_out"),
    path("sign-out-everywhere/", account.SignOutEverywhere.as_view(), name="sign_out_everywhere"),
    path("forgot-password/", passwords.AskForLink.as_view(), name="ask_for_link"),
    path("choose-password/", passwords.ChoosePassword.as_view(), name="choose_password"),
    path("change-password/", passwords.ChangePassword.as_view(), name="change_password"),
    path("language/", set_language, name="language"),
    path("delete/", account.DeleteAccount.as_view(), name="delete_account"),
    path("demo/", views.demo, name="demo"),
]
