"""The playground's requests: a conversation with a checkpoint, and what a worker answers, token by token.

Rows are scratch, not records: no lineage points to them, and workers delete them after a day.
"""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone


class PlaygroundRequest(models.Model):
    """One thing asked of one checkpoint. `claim` names the worker's thread that answers, and fences its writes."""

    class Kind(models.TextChoices):
        REPLY = "reply"
        INSPECT = "inspect"

    class Status(models.TextChoices):
        QUEUED = "queued"
        LOADING = "loading"
        RUNNING = "running"
        SUCCEEDED = "succeeded"
        FAILED = "failed"
        CANCELLED = "cancelled"

    UNDER_WAY = (Status.LOADING, Status.RUNNING)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey("labeling.Project", on_delete=models.CASCADE, related_name="+")
    checkpoint = models.ForeignKey("training.Checkpoint", on_delete=models.CASCADE, related_name="+")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=16, choices=Kind.choices)
    # What `contracts/playground.py` says a request of this kind holds, without the model.
    body = models.JSONField()
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.QUEUED)
    # Null: no worker has taken it.
    claim = models.UUIDField(null=True)
    # Null: as above.
    heartbeat_at = models.DateTimeField(null=True)
    # Null: nobody asked to cancel.
    cancel_requested_at = models.DateTimeField(null=True)
    # The reply's tokens so far.
    tokens = models.JSONField(default=list)
    # Null: not answered yet.
    result = models.JSONField(null=True)
    error_code = models.CharField(max_length=64, blank=True)
    error_sentence = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    # Null: not in a final status.
    finished_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["created_at"],
                name="playground_queued",
                condition=Q(status__in=["queued", "loading", "running"]),
            ),
            models.Index(fields=["finished_at"], name="playground_finished"),
        ]
        constraints = [
            models.CheckConstraint(
                name="playground_status_is_known",
                condition=Q(status__in=["queued", "loading", "running", "succeeded", "failed", "cancelled"]),
            ),
            models.CheckConstraint(
                name="playground_is_finished_exactly_in_final_status",
                condition=Q(status__in=["queued", "loading", "running"], finished_at__isnull=True)
                | Q(status__in=["succeeded", "failed", "cancelled"], finished_at__isnull=False),
            ),
            models.CheckConstraint(
                name="playground_was_claimed_once_under_way",
                condition=~Q(status__in=["loading", "running"]) | Q(claim__isnull=False, heartbeat_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} ({self.status})"

    @property
    def is_final(self) -> bool:
        return self.finished_at is not None
