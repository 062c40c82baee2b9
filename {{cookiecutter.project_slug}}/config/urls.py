"""Where each address of the site leads."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("", include("chat.urls")),
    path("accounts/", include("accounts.urls")),
# % if cookiecutter.usage
    path("usage/", include("usage.urls")),
# % endif
    path("admin/", admin.site.urls),
]

handler400 = "config.error_views.bad_request"
handler404 = "config.error_views.not_found"
handler500 = "config.error_views.server_error"
