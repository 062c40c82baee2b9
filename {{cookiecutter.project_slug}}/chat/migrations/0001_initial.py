import uuid

import django.db.models.deletion
import django.db.models.functions.datetime
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import chat.models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Conversation",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("title", models.CharField(max_length=80, verbose_name="title")),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, verbose_name="created at")),
                ("updated_at", models.DateTimeField(default=django.utils.timezone.now, verbose_name="updated at")),
                (
                    "user",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="conversations",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="user",
                    ),
                ),
            ],
            options={
                "verbose_name": "conversation",
                "verbose_name_plural": "conversations",
                "indexes": [
                    models.Index(fields=["user", "-updated_at"], name="conversations_of_user"),
                    models.Index(fields=["updated_at"], name="conversations_by_age"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Turn",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("idempotency_key", models.UUIDField(default=uuid.uuid4)),
                ("digest", models.CharField(max_length=64)),
                ("prompt", models.TextField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("asked", "Asked"),
                            ("answered", "Answered"),
                            ("declined", "Declined"),
                            ("stopped", "Stopped"),
                            ("failed", "Failed"),
                            ("interrupted", "Interrupted"),
                            ("lost", "Lost"),
                        ],
                        default="asked",
                        max_length=11,
                    ),
                ),
                ("asked_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("alive_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("replaces", models.BigIntegerField(null=True)),
                ("content", chat.models.AnyJSONField(null=True)),
                ("ending", chat.models.AnyJSONField(null=True)),
                ("message_id", models.CharField(max_length=255)),
                (
                    "conversation",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="turns",
                        to="chat.conversation",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="turns",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("conversation__isnull", False)),
                        fields=["conversation", "id"],
                        name="turns_of_conversation",
                    ),
                    models.Index(
                        condition=models.Q(("conversation__isnull", True)),
                        fields=["asked_at"],
                        name="turns_that_stand_alone",
                    ),
                    models.Index(condition=models.Q(("state", "asked")), fields=["alive_at"], name="turns_under_way"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("user", "idempotency_key"), name="one_turn_per_idempotency_key")
                ],
            },
        ),
    ]
