"""Projects, their rules of labeling, and their versioned guidelines."""

import uuid
from typing import Any

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import F, Q


class Project(models.Model):
    class Status(models.TextChoices):
        OPEN = "open"
        CLOSED = "closed"  # nothing is handed out, and no new answer is taken
        ARCHIVED = "archived"  # closed, hidden from lists, and purged when its retention time is over

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    slug = models.SlugField(max_length=60, unique=True, validators=[RegexValidator(r"^[a-z0-9][a-z0-9-]*\Z")])
    name = models.CharField(max_length=120)
    description = models.TextField(blank=True)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.OPEN)
    created_at = models.DateTimeField()
    archived_at = models.DateTimeField(null=True)  # null: not archived
    retention_days = models.PositiveIntegerField(null=True)  # kept so long once archived; null: for good

    k = models.PositiveSmallIntegerField(default=5)  # responses shown together in a ranking
    overlap = models.PositiveSmallIntegerField(default=1)  # labelers per task
    lease_seconds = models.PositiveIntegerField(default=1200)
    skips_to_halt = models.PositiveSmallIntegerField(default=3)  # skips by different labelers that halt a task
    flags_to_halt = models.PositiveSmallIntegerField(default=3)  # labelers who flag it that halt a task; 0: none do
    gold_share = models.FloatField(default=0.05)  # of hand-outs that are gold, where there is gold
    repeat_share = models.FloatField(default=0.0)  # of hand-outs that repeat an item of the labeler's own
    repeat_distance = models.PositiveSmallIntegerField(default=20)  # answers in between, at least
    anchor_share = models.FloatField(default=0.0)  # of a round's ranking tasks that are anchors, beside the new ones
    quality: Any = models.JSONField(default=dict)  # `labeling.services.quality_rules.Rules`; what is absent is default
    random_share = models.FloatField(default=0.1)  # of hand-outs drawn at random, whatever their priority
    heldout_share = models.FloatField(default=0.2)  # of prompts that no training run sees

    allow_ties = models.BooleanField(default=True)
    allow_partial = models.BooleanField(default=False)
    allow_unacceptable = models.BooleanField(default=True)
    flags = models.JSONField(default=list)  # names that a labeler may put on a response
    blocked_words: Any = models.JSONField(default=list)  # imports leave out what has one of them, where asked to
    likert_points = models.PositiveSmallIntegerField(default=0)  # 0: no scale is shown
    ask_rationale = models.BooleanField(default=False)
    ask_confidence = models.BooleanField(default=False)
    hourly_rate = models.DecimalField(max_digits=8, decimal_places=2, null=True)  # null: nobody said

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(k__range=(2, 9)), name="project_ranks_2_to_9"),
            models.CheckConstraint(condition=Q(overlap__range=(1, 50)), name="project_overlap_1_to_50"),
            models.CheckConstraint(condition=Q(lease_seconds__range=(1, 604_800)), name="project_lease_up_to_a_week"),
            models.CheckConstraint(condition=Q(skips_to_halt__gte=1), name="project_halts_after_a_skip_or_more"),
            models.CheckConstraint(condition=Q(random_share__range=(0, 1)), name="project_random_share_is_a_share"),
            models.CheckConstraint(
                condition=Q(gold_share__range=(0, 1), repeat_share__range=(0, 1), anchor_share__range=(0, 1))
                & Q(gold_share__lte=1 - F("repeat_share")),
                name="project_gold_and_repeats_are_shares",
            ),
            models.CheckConstraint(
                condition=Q(status="archived", archived_at__isnull=False)
                | (Q(archived_at__isnull=True) & ~Q(status="archived")),
                name="project_says_since_when_it_is_archived",
            ),
            models.CheckConstraint(condition=Q(heldout_share__range=(0, 1)), name="project_heldout_share_is_a_share"),
            models.CheckConstraint(condition=Q(likert_points__lte=11), name="project_likert_up_to_11"),
        ]


class Guideline(models.Model):
    """One version of a project's instructions to labelers, in Markdown. Never changed, only followed."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="guidelines")
    version = models.PositiveIntegerField()
    text = models.TextField()
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True)  # null: made by the system

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "version"], name="guideline_version_once")]
        ordering = ["-version"]
