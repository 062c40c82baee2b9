"""What the admin shows of conversations: to those with the permission to view them, and nobody can change one."""

import logging

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from chat import keeper
from chat.models import Conversation

logger = logging.getLogger("chat")

TURNS = 200  # shown of a conversation, the newest


@admin.register(Conversation)
class ConversationAdmin(admin.ModelAdmin):
    """The list has no titles, which quote questions. Whoever opens a conversation is named in the log."""

    list_display = ("id", "user", "created_at", "updated_at")
    list_select_related = ("user",)
    search_fields = ("=id", "user__username")
    fields = readonly_fields = ("id", "user", "title", "created_at", "updated_at", "transcript")
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Conversation | None = None) -> bool:
        return False

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """An address such as `?title__icontains=…` would tell what somebody asked, without a line in the log."""
        return not lookup.startswith("title") and super().lookup_allowed(lookup, value, request)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Conversation | None:
        """For all that concerns one conversation."""
        conversation = super().get_object(request, object_id, from_field)
        if conversation is not None:
            who, whose = request.user.pk, conversation.user_id
            keeper.mark_interrupted(conversation.turns.all())
            logger.info("User %s looks at conversation %s of user %s in the admin", who, conversation.pk, whose)
        return conversation

    @admin.display(description=_("Questions and answers"))
    def transcript(self, conversation: Conversation) -> SafeString:
        newest = conversation.turns.order_by("-pk")[:TURNS]
        return format_html_join(
            "", "<h3>{}</h3><p>{}</p>{}", ((turn, turn.prompt, turn.html) for turn in list(newest)[::-1])
        )
