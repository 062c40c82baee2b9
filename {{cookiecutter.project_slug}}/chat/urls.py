"""The page, the endpoints that its script and other clients ask, and the pages of conversations."""

from django.urls import path

from chat import conversations, views

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
    path("c/", conversations.ConversationList.as_view(), name="conversations"),
    path("c/delete/", conversations.DeleteAll.as_view(), name="delete_all"),
    path("c/export.<slug:extension>", conversations.export, name="export_all"),
    path("c/<uuid:pk>/", views.page, name="conversation"),
    path("c/<uuid:pk>/rename/", conversations.Rename.as_view(), name="rename"),
    path("c/<uuid:pk>/delete/", conversations.Delete.as_view(), name="delete"),
    path("c/<uuid:pk>/export.<slug:extension>", conversations.export, name="export"),
]
