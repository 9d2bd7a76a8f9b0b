"""What is known of the work's quality: gold, what gold and repeats showed, and items that wait for a reviewer."""

import uuid
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from labeling.models.work import Kind, Purpose


class GoldItem(models.Model):
    """The known order of a gold task's responses. Retired rather than changed: answers were scored by it."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    task = models.OneToOneField("labeling.LabelingTask", models.CASCADE, related_name="gold")
    project = models.ForeignKey("labeling.Project", models.CASCADE, related_name="gold_items", db_index=False)
    kind = models.CharField(max_length=13, choices=Kind.choices)
    ranks: Any = models.JSONField()  # {response id: place, 1 is best, equal is tied}; every response is in it
    reason = models.TextField(blank=True)  # why this order is right; shown to reviewers only
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True)  # null: imported by a command
    created_at = models.DateTimeField()
    retired_at = models.DateTimeField(null=True)  # null: it is handed out

    class Meta:
        indexes = [
            models.Index(fields=["project", "kind"], condition=Q(retired_at__isnull=True), name="gold_in_use"),
            models.Index(F("project"), F("id").desc(), name="gold_newest_first"),
        ]


class QualityCheck(models.Model):
    """How an answer to a gold item or a repeat compares with what it should be: pairs of responses.

    For gold, `decided` counts the pairs that the known order decides, and `agreeing` those that the labeler put the
    same way. For a repeat, `decided` counts the pairs that either answer decides.
    """

    answer = models.OneToOneField("labeling.Answer", models.CASCADE, related_name="quality_check")
    against = models.ForeignKey(
        "labeling.Answer", models.CASCADE, null=True, related_name="+"
    )  # the first of a repeat's pair of answers, in its newest revision then; null: gold
    project = models.ForeignKey("labeling.Project", models.CASCADE, related_name="quality_checks", db_index=False)
    labeler = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="quality_checks", db_index=False)
    purpose = models.CharField(max_length=8, choices=Purpose.choices)  # gold or repeat
    agreeing = models.PositiveSmallIntegerField()
    decided = models.PositiveSmallIntegerField()
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(agreeing__lte=F("decided")), name="check_agrees_on_what_is_decided"),
            models.CheckConstraint(
                condition=Q(purpose="gold", against__isnull=True) | Q(purpose="repeat", against__isnull=False),
                name="check_compares_a_repeat_with_its_first",
            ),
        ]
        indexes = [
            models.Index(F("labeler"), F("project"), F("purpose"), F("id").desc(), name="check_newest_first_of_one"),
            models.Index(F("project"), F("id").desc(), name="check_newest_first"),
        ]


class ReviewCase(models.Model):
    """An item that waits for a reviewer, and how it was settled: by whom and why."""

    class Why(models.TextChoices):
        SKIPS = "skips"
        FLAGS = "flags"
        DISAGREEMENT = "disagreement"  # its labelers agree too little
        CYCLE = "cycle"  # most prefer A to B, B to C and C to A

    class State(models.TextChoices):
        OPEN = "open"
        SETTLED = "settled"  # a final ranking counts
        REOPENED = "reopened"  # more labelers are asked
        DISCARDED = "discarded"  # no answer to it counts
        LEFT = "left"  # the answers stand as they are

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    task = models.ForeignKey("labeling.LabelingTask", models.CASCADE, related_name="cases", db_index=False)
    project = models.ForeignKey("labeling.Project", models.CASCADE, related_name="review_cases", db_index=False)
    why = models.CharField(max_length=12, choices=Why.choices)
    agreement = models.FloatField(null=True)  # of pairs, when it was opened; null: no two answers decide a pair
    state = models.CharField(max_length=9, choices=State.choices, default=State.OPEN)
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)  # null: open
    closed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True)  # null: open
    reason = models.TextField(blank=True)  # the reviewer's; empty while open
    settlement = models.OneToOneField(
        "labeling.Answer", models.PROTECT, null=True, related_name="case"
    )  # null: not settled by a ranking

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["task"], condition=Q(state="open"), name="one_open_case_per_task"),
            models.CheckConstraint(
                condition=Q(state="open", closed_at__isnull=True, closed_by__isnull=True, settlement__isnull=True)
                | Q(state="settled", closed_at__isnull=False, closed_by__isnull=False, settlement__isnull=False)
                | Q(
                    state__in=["reopened", "discarded", "left"],
                    closed_at__isnull=False,
                    closed_by__isnull=False,
                    settlement__isnull=True,
                ),
                name="case_is_closed_by_somebody",
            ),
        ]
        indexes = [
            models.Index(F("project"), F("state"), F("id").desc(), name="case_newest_first"),
            models.Index(fields=["task", "id"], name="case_by_task"),
        ]
