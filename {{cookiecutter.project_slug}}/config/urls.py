"""Where each address of the site leads."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("", include("chat.urls")),
    path("accounts/", include("accounts.urls")),
    path("admin/", admin.site.urls),
]

handler400 = "chat.decorators.bad_request"
handler404 = "chat.decorators.not_found"
handler500 = "chat.decorators.server_error"
