"""Single responses that somebody marked good or bad, imported; pairs and orders are answers."""

import uuid

from django.db import models


class Judgment(models.Model):
    """One response and whether it is good, as KTO trains on."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    project = models.ForeignKey("labeling.Project", models.CASCADE, related_name="judgments", db_index=False)
    prompt = models.ForeignKey("labeling.Prompt", models.PROTECT, related_name="judgments")
    response = models.ForeignKey("labeling.Response", models.PROTECT, related_name="judgments")
    good = models.BooleanField()
    origin = models.CharField(max_length=120)  # format and annotator
    body_hash = models.CharField(max_length=64)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "body_hash"], name="judgment_imported_once")]
