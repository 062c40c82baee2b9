"""The pages where users find, rename, export and delete their conversations. Another user's is a 404."""

import uuid
from typing import Any

from django.contrib.auth.decorators import login_required
from django.contrib.auth.mixins import LoginRequiredMixin
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_list_or_404, redirect
from django.urls import reverse_lazy
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe
from django.views.generic import DeleteView, ListView, TemplateView, UpdateView

from chat import keeper
from chat.export import as_json, as_markdown
from chat.models import Conversation, Turn

LIST_URL = reverse_lazy("chat:conversations")
WORDS = 200  # characters in a search: SQLite fails with very many


def own_conversations(request: HttpRequest) -> QuerySet[Conversation]:
    return Conversation.objects.filter(user=request.user.pk).order_by("-updated_at")


@method_decorator([never_cache, require_http_methods(["GET", "HEAD", "POST"])], name="dispatch")
class OwnConversations(LoginRequiredMixin):
    """What every view here may see."""

    request: HttpRequest

    def get_queryset(self) -> QuerySet[Conversation]:
        return own_conversations(self.request)


class ConversationList(OwnConversations, ListView):
    """The newest first; with `q`, those that have it in their title or in a question."""

    template_name = "chat/conversations.html"
    paginate_by = 30

    @property
    def words(self) -> str:
        return self.request.GET.get("q", "").replace("\0", "").strip()[:WORDS]

    def get_queryset(self) -> QuerySet[Conversation]:
        found = super().get_queryset()
        if self.words:
            # By user, and not by conversation: PostgreSQL would read the questions of everybody.
            asked = Turn.objects.filter(user=self.request.user.pk, prompt__icontains=self.words).values("conversation")
            found = found.filter(Q(title__icontains=self.words) | Q(pk__in=asked))
        return found

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(words=self.words, **kwargs)


class Rename(OwnConversations, UpdateView):
    template_name = "chat/rename.html"
    fields = ("title",)

    def form_valid(self, form: Any) -> HttpResponse:
        """Changes the title alone, of a conversation that is still there: what happened meanwhile stays."""
        if not self.get_queryset().filter(pk=form.instance.pk).update(**form.cleaned_data):
            raise Http404
        return redirect(LIST_URL)


class Delete(OwnConversations, DeleteView):
    """Asks first. There is no way back."""

    template_name = "chat/delete.html"

    def form_valid(self, form: Any) -> HttpResponse:
        keeper.delete(self.get_queryset().filter(pk=self.object.pk))
        return redirect(LIST_URL)


class DeleteAll(OwnConversations, TemplateView):
    """Also deletes the answers that stand alone, which clients get again for some time."""

    template_name = "chat/delete.html"

    def post(self, request: HttpRequest) -> HttpResponse:
        Turn.objects.filter(user=request.user.pk, conversation=None).exclude(keeper.under_way()).delete()
        keeper.delete(self.get_queryset())
        return redirect(LIST_URL)


@require_safe
@never_cache
@login_required
def export(request: HttpRequest, extension: str, pk: uuid.UUID | None = None) -> HttpResponse:
    """One of the conversations or all of them, as a file: JSON, or Markdown for the extension md."""
    keeper.mark_interrupted(Turn.objects.filter(user=request.user.pk))
    own = own_conversations(request).prefetch_related("turns")
    found = list(own) if pk is None else get_list_or_404(own, pk=pk)
    if extension == "json":
        response: HttpResponse = JsonResponse({"conversations": list(map(as_json, found))})
    elif extension == "md":
        response = HttpResponse("\n".join(map(as_markdown, found)), content_type="text/markdown; charset=utf-8")
    else:
        raise Http404
    response["Content-Disposition"] = f'attachment; filename="conversations.{extension}"'
    return response
