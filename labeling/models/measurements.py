"""What a project's answers say of its labelers and items: measured in the background, read by screens.

measurement   requested -> started -> finished; one whose process was lost is started again
"""

import uuid
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q


class Measurement(models.Model):
    """One look at all answers of a project. Never changed once it has finished."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    project = models.ForeignKey("labeling.Project", models.CASCADE, related_name="measurements", db_index=False)
    requested_at = models.DateTimeField()
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+"
    )  # null: due by itself
    attempt = models.PositiveSmallIntegerField(default=0)  # times that a process has claimed it; fences its writes
    started_at = models.DateTimeField(null=True)  # null: waits
    finished_at = models.DateTimeField(null=True)  # null: waits, or is at work
    error = models.TextField(blank=True)  # why there is no report; empty: there is one, or not yet
    answers_through = models.BigIntegerField(null=True)  # the newest answer that counted; null: none, or not finished
    report: Any = models.JSONField(default=dict)  # as `labeling.api.measurement_shapes` describes
    sha256 = models.CharField(max_length=64, blank=True)  # of the reliability fit; empty: there is none

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project"], condition=Q(finished_at__isnull=True), name="measurement_one_at_a_time"
            ),
            models.CheckConstraint(
                condition=Q(finished_at__isnull=True) | Q(started_at__isnull=False),
                name="measurement_starts_before_it_finishes",
            ),
        ]
        indexes = [models.Index(F("project"), F("id").desc(), name="measurement_newest_first")]


class LabelerMeasure(models.Model):
    """What one measurement says of one labeler, or of one origin of imported answers."""

    measurement = models.ForeignKey(Measurement, models.CASCADE, related_name="labelers")
    labeler = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+"
    )  # null: answers imported from `origin`
    origin = models.CharField(max_length=120, blank=True)
    weight = models.FloatField(null=True)  # of this labeler's rankings in training, 0 to 1; null: unknown
    numbers: Any = models.JSONField()  # as `labeling.api.measurement_shapes` describes

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["measurement", "labeler"], condition=Q(labeler__isnull=False), name="labeler_measured_once"
            ),
            models.UniqueConstraint(
                fields=["measurement", "origin"], condition=Q(labeler__isnull=True), name="origin_measured_once"
            ),
            models.CheckConstraint(
                condition=Q(labeler__isnull=False, origin="") | Q(labeler__isnull=True),
                name="labeler_measure_is_of_a_person_or_an_origin",
            ),
        ]


class SetMeasure(models.Model):
    """How far those who ranked one rollout set agree, as of the newest measurement that saw a change in it."""

    rollout_set = models.OneToOneField("labeling.RolloutSet", models.CASCADE, related_name="measure")
    project = models.ForeignKey("labeling.Project", models.CASCADE, related_name="+", db_index=False)
    rankings = models.PositiveSmallIntegerField()
    agreeing_pairs = models.PositiveIntegerField()
    decided_pairs = models.PositiveIntegerField()  # by both of two labelers
    pairwise_agreement = models.FloatField(null=True)  # null: no two labelers decide the same pair
    kendall_tau_b = models.FloatField(null=True)  # mean over pairs of labelers; null: one of each two ties everything
    krippendorff_alpha = models.FloatField(null=True)  # null: everybody ties everything
    ambiguous = models.BooleanField()  # the majority's preferences go in a circle

    class Meta:
        indexes = [
            models.Index(F("project"), F("id").desc(), name="set_measure_newest_first"),
            models.Index(
                fields=["project", "pairwise_agreement", "id"],
                condition=Q(pairwise_agreement__isnull=False),
                name="set_measure_by_agreement",
            ),
            models.Index(F("project"), F("id").desc(), condition=Q(ambiguous=True), name="set_measure_ambiguous"),
        ]
