"""What the admin shows of batches, to those with the permission to view them. Nobody can change one, or read an answer."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from claude.models import Batch, BatchItem


class ReadOnly(admin.ModelAdmin):
    """Records that nobody adds, changes or deletes by hand."""

    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Batch)
class BatchAdmin(ReadOnly):
    list_display = ("created_at", "user", "purpose", "state", "size", "outcomes", "ended_at")
    list_filter = ("state", "purpose")
    list_select_related = ("user",)
    date_hierarchy = "created_at"
    ordering = ("-created_at",)
    search_fields = ("=id", "=anthropic_batch_id", "user__username")
    fields = readonly_fields = (
        "id", "anthropic_batch_id", "user", "purpose", "state", "size", "outcomes", "created_at", "ended_at"
    )  # fmt: skip

    @admin.display(description=_("outcomes"))
    def outcomes(self, batch: Batch) -> str:
        return ", ".join(f"{outcome}: {number}" for outcome, number in sorted(batch.counts.items()))


@admin.register(BatchItem)
class BatchItemAdmin(ReadOnly):
    list_display = ("key", "batch", "model", "outcome", "is_delivered", "ended_at")
    list_filter = ("outcome", "is_delivered")
    search_fields = ("=id", "=key", "=batch__id")
    fields = readonly_fields = ("id", "batch", "key", "model", "outcome", "is_delivered", "ended_at")

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """An address such as `?message__icontains=…` would tell what an answer says."""
        return not lookup.startswith("message") and super().lookup_allowed(lookup, value, request)
