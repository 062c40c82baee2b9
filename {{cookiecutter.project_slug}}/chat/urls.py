"""The page, and the endpoints that its script and other clients ask."""

from django.urls import path

from chat import views

app_name = "chat"

urlpatterns = [
    path("", views.page, name="page"),
    path("chat/ask/", views.ask, name="ask"),
# % if cookiecutter.view_style != "sync"
    path("chat/stream/", views.stream, name="stream"),
# % endif
# % if cookiecutter.view_style == "async"
    path("chat/ask-many/", views.ask_many, name="ask_many"),
# % endif
]
