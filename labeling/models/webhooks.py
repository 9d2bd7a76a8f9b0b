"""Who is told of a project's events, and how each telling went."""

import uuid
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q


class Webhook(models.Model):
    """An address that a project's events are sent to, signed with a secret that both sides know."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    project = models.ForeignKey("labeling.Project", models.CASCADE, related_name="webhooks")
    url = models.URLField(max_length=500)
    secret = models.CharField(max_length=100)  # "whsec_" and base64; needed to sign, so it is kept as it is
    kinds: Any = models.JSONField(default=list)  # of events; empty: all
    is_active = models.BooleanField(default=True)
    after = models.PositiveBigIntegerField()  # events up to this key need no more looking at
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True)  # null: made by a command
    created_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["id"], condition=Q(is_active=True), name="webhook_active")]


class Delivery(models.Model):
    """One event on its way to one webhook. Tried again until it arrives, or until there is no use in it."""

    class State(models.TextChoices):
        PENDING = "pending"
        DELIVERED = "delivered"
        FAILED = "failed"

    webhook = models.ForeignKey(Webhook, models.CASCADE, related_name="deliveries", db_index=False)
    event = models.ForeignKey("labeling.OutboxEvent", models.CASCADE, related_name="deliveries")
    state = models.CharField(max_length=9, choices=State.choices, default=State.PENDING)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField(null=True)  # when to try, or until when a try under way is waited for; null: ended
    status = models.PositiveSmallIntegerField(null=True)  # of the newest HTTP response; null: there was none
    error = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)  # null: pending

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["webhook", "event"], name="delivery_once_per_event"),
            models.CheckConstraint(
                condition=Q(state="pending", next_at__isnull=False, ended_at__isnull=True)
                | (Q(next_at__isnull=True, ended_at__isnull=False) & ~Q(state="pending")),
                name="delivery_is_pending_or_ended",
            ),
        ]
        indexes = [
            models.Index(fields=["next_at"], condition=Q(state="pending"), name="delivery_due"),
            models.Index(F("webhook"), F("id").desc(), name="delivery_newest_first"),
        ]
