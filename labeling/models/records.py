"""What was done, what is to be told to others, and what was frozen for training."""

import uuid
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F


class AuditEntry(models.Model):
    """Who did what to which thing, and when. Only ever added."""

    project = models.ForeignKey("labeling.Project", models.CASCADE, null=True)  # null: outside projects
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True)  # null: the system
    action = models.CharField(max_length=60)
    subject = models.CharField(max_length=100)  # "task:<id>" and the like
    details: Any = models.JSONField(default=dict)
    created_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(F("project"), F("id").desc(), name="audit_newest_first")]


class OutboxEvent(models.Model):
    """Something that others may wait for, committed with the change itself."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    project = models.ForeignKey("labeling.Project", models.CASCADE)
    kind = models.CharField(max_length=60)
    payload: Any = models.JSONField(default=dict)
    created_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["project", "id"], name="outbox_in_order")]


class Corpus(models.Model):
    """A text file to pretrain on."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    project = models.ForeignKey("labeling.Project", models.CASCADE, related_name="corpora")
    name = models.CharField(max_length=120)
    location = models.CharField(max_length=200)  # relative to the artifacts folder
    bytes = models.PositiveBigIntegerField()
    sha256 = models.CharField(max_length=64)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True)  # null: made by a command
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "sha256"], name="corpus_once_per_project")]

    @property
    def path(self) -> Path:
        return Path(settings.ARTIFACTS) / self.location


class Snapshot(models.Model):
    """Annotations frozen for training: a folder of hashed JSONL, or a corpus' text file."""

    class Kind(models.TextChoices):
        PROMPTS = "prompts"
        DEMONSTRATIONS = "demonstrations"
        RANKINGS = "rankings"
        CORPUS = "corpus"

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    project = models.ForeignKey("labeling.Project", models.CASCADE, related_name="snapshots")
    kind = models.CharField(max_length=14, choices=Kind.choices)
    sha256 = models.CharField(max_length=64)  # of the rows, or of the text file
    rows = models.PositiveIntegerField()
    location = models.CharField(max_length=200)  # relative to the artifacts folder
    filters: Any = models.JSONField(default=dict)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True)  # null: the system
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "kind", "sha256"], name="snapshot_once_per_content")]

    @property
    def path(self) -> Path:
        """The snapshot's folder, or the corpus' file."""
        return Path(settings.ARTIFACTS) / self.location
