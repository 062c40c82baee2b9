import uuid

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [migrations.swappable_dependency(settings.AUTH_USER_MODEL)]

    operations = [
        migrations.CreateModel(
            name="Batch",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("purpose", models.CharField(blank=True, max_length=100, verbose_name="purpose")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("submitting", "submitting"),
                            ("in_progress", "in progress"),
                            ("canceling", "canceling"),
                            ("ended", "ended"),
                            ("failed", "failed"),
                        ],
                        default="submitting",
                        max_length=20,
                        verbose_name="state",
                    ),
                ),
                ("anthropic_batch_id", models.CharField(blank=True, max_length=255, verbose_name="Anthropic's id")),
                ("size", models.PositiveIntegerField(verbose_name="items")),
                ("counts", models.JSONField(default=dict, verbose_name="outcomes")),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, verbose_name="created at")),
                ("ended_at", models.DateTimeField(null=True, verbose_name="ended at")),
                (
                    "user",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="user",
                    ),
                ),
            ],
            options={
                "verbose_name": "batch",
                "verbose_name_plural": "batches",
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("anthropic_batch_id", ""), _negated=True),
                        fields=("anthropic_batch_id",),
                        name="one_batch_per_anthropic_id",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="BatchItem",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("key", models.CharField(max_length=255, verbose_name="key")),
                ("model", models.CharField(max_length=255, verbose_name="model")),
                ("outcome", models.CharField(default="pending", max_length=50, verbose_name="outcome")),
                ("message", models.TextField(blank=True)),
                ("ended_at", models.DateTimeField(null=True, verbose_name="ended at")),
                ("is_delivered", models.BooleanField(default=False, verbose_name="delivered")),
                (
                    "batch",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="items",
                        to="claude.batch",
                        verbose_name="batch",
                    ),
                ),
            ],
            options={
                "verbose_name": "item of a batch",
                "verbose_name_plural": "items of batches",
                "indexes": [
                    models.Index(
                        condition=models.Q(("is_delivered", False), models.Q(("outcome", "pending"), _negated=True)),
                        fields=["ended_at"],
                        name="batch_items_to_deliver",
                    )
                ],
                "constraints": [models.UniqueConstraint(fields=("batch", "key"), name="one_item_per_key")],
            },
        ),
    ]
