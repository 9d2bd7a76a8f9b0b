"""Checkpoints: immutable model directories, each made by one run and known by the hash of its manifest."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q
from django.utils import timezone


class Checkpoint(models.Model):
    """A model directory with a manifest. Neither the row nor the directory changes after it is made."""

    class Kind(models.TextChoices):
        BASE = "base"
        POLICY = "policy"
        REWARD_MODEL = "reward_model"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey("labeling.Project", on_delete=models.PROTECT, related_name="checkpoints")
    kind = models.CharField(max_length=16, choices=Kind.choices)
    name = models.CharField(max_length=200)
    run = models.OneToOneField("training.Run", on_delete=models.PROTECT, related_name="checkpoint")
    # Relative to the folder of runs, so that the folder can move.
    path = models.CharField(max_length=500)
    manifest_sha256 = models.CharField(max_length=64)
    parents = models.ManyToManyField("self", symmetrical=False, related_name="children")
    # Null: labelers see no responses of it: a reward model, or a model never sampled for ranking.
    source = models.ForeignKey("labeling.Source", on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["project", "kind", "-created_at"], name="checkpoint_newest_of_kind")]
        constraints = [
            models.CheckConstraint(
                name="checkpoint_kind_is_known", condition=Q(kind__in=["base", "policy", "reward_model"])
            ),
            models.CheckConstraint(name="checkpoint_has_a_manifest", condition=~Q(manifest_sha256="")),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.kind})"
