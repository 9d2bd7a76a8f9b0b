"""Imports: files that people bring, how far they are read, and what came of them.

    uploading -> ready -> queued -> running -> done | failed;  any but done and failed -> cancelled

An import that a command makes is born running. `attempt` counts the claims, and each write names it: a process
that lost its claim changes nothing.
"""

import uuid
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q


class Import(models.Model):
    class State(models.TextChoices):
        UPLOADING = "uploading"
        READY = "ready"  # here as a whole, and waits for a person's word
        QUEUED = "queued"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"
        CANCELLED = "cancelled"

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    project = models.ForeignKey("labeling.Project", models.CASCADE, related_name="imports", db_index=False)
    name = models.CharField(max_length=200)  # of the file, as its owner calls it
    bytes = models.PositiveBigIntegerField()  # that the whole file has
    received = models.PositiveBigIntegerField(default=0)
    location = models.CharField(max_length=200, blank=True)  # relative to the artifacts folder; empty: lies elsewhere
    sha256 = models.CharField(max_length=64, blank=True)  # empty: not here as a whole yet
    options: Any = models.JSONField(default=dict)  # format, mapping, cleaning and what to open
    state = models.CharField(max_length=9, choices=State.choices)
    attempt = models.PositiveIntegerField(default=0)
    seen_at = models.DateTimeField(null=True)  # the last sign of life of who reads it; null: nobody has
    records = models.PositiveBigIntegerField(default=0)  # of the file that are dealt with
    share = models.FloatField(default=0)  # of the file that is dealt with, from 0 to 1
    report: Any = models.JSONField(default=dict)
    error = models.TextField(blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True)  # null: made by a command
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)  # null: not finished

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(received__lte=F("bytes")), name="import_receives_no_more_than_it_has"),
        ]
        indexes = [
            models.Index(F("project"), F("id").desc(), name="import_newest_first"),
            models.Index(fields=["project", "sha256"], name="import_by_content"),
            models.Index(
                fields=["state", "seen_at"], condition=Q(state__in=["queued", "running"]), name="import_alive"
            ),
        ]

    @property
    def path(self) -> Path:
        return Path(settings.ARTIFACTS) / self.location
