"""Answers, only ever added: an edit is a new revision that names the one it replaces.

A comparison is a ranking of two, so rankings and comparisons share their rows. Pairs are never stored.
"""

import uuid
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from labeling.models.work import Kind, Purpose


class Answer(models.Model):
    """One labeler's answer to one task, or one imported from outside."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    project = models.ForeignKey("labeling.Project", models.CASCADE, related_name="answers", db_index=False)
    kind = models.CharField(max_length=13, choices=Kind.choices)
    purpose = models.CharField(max_length=8, choices=Purpose.choices, default=Purpose.ORDINARY)  # what it may count as
    prompt = models.ForeignKey("labeling.Prompt", models.PROTECT, related_name="answers")
    rollout_set = models.ForeignKey(
        "labeling.RolloutSet", models.PROTECT, null=True, related_name="answers"
    )  # null: a demonstration
    task = models.ForeignKey(
        "labeling.LabelingTask", models.PROTECT, null=True, related_name="answers", db_index=False
    )  # null: imported
    labeler = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="answers", db_index=False
    )  # null: imported
    lease = models.ForeignKey(
        "labeling.Lease", models.PROTECT, null=True, related_name="answers", db_index=False
    )  # null: imported, or a reviewer's settlement
    origin = models.CharField(max_length=120, blank=True)  # format and annotator of an imported answer, else empty
    guideline = models.ForeignKey(
        "labeling.Guideline", models.PROTECT, null=True, db_index=False
    )  # null: there was none
    order_shown: Any = models.JSONField(default=list)  # response ids, first shown first; empty: imported
    rationale = models.TextField(blank=True)
    confidence = models.PositiveSmallIntegerField(null=True)  # 1 to 5; null: not asked or not given
    active_ms = models.PositiveIntegerField(null=True)  # time of work, pauses left out; null: not measured
    idempotency_key = models.CharField(max_length=100)
    body_hash = models.CharField(max_length=64)
    too_fast = models.BooleanField(default=False)  # below the project's minimum of active time when it came
    late = models.BooleanField(default=False)  # somebody else had the slot by then; not counted in the overlap
    erased_at = models.DateTimeField(null=True)  # null: it counts; else what it said is gone
    created_at = models.DateTimeField()
    revision = models.PositiveSmallIntegerField(default=1)
    replaces = models.OneToOneField(
        "self", models.PROTECT, null=True, related_name="replaced_by"
    )  # null: the first revision

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["labeler", "idempotency_key"],
                condition=Q(labeler__isnull=False),
                name="answer_once_per_idempotency_key",
            ),
            models.UniqueConstraint(
                fields=["task", "labeler"],
                condition=Q(revision=1, task__isnull=False) & ~Q(purpose="review"),
                name="answer_once_per_task_and_labeler",
            ),
            models.UniqueConstraint(
                fields=["project", "body_hash"], condition=Q(labeler__isnull=True), name="answer_imported_once"
            ),
            models.CheckConstraint(
                condition=Q(purpose="ordinary", labeler__isnull=True, task__isnull=True, lease__isnull=True)
                | (Q(labeler__isnull=False, task__isnull=False, lease__isnull=False) & ~Q(purpose="review"))
                | Q(purpose="review", labeler__isnull=False, task__isnull=False, lease__isnull=True),
                name="answer_is_ours_or_imported",
            ),
            models.CheckConstraint(
                condition=Q(revision=1, replaces__isnull=True) | Q(revision__gt=1, replaces__isnull=False),
                name="answer_revision_replaces_another",
            ),
            models.CheckConstraint(
                condition=Q(kind="demonstration", rollout_set__isnull=True)
                | (Q(kind__in=["ranking", "comparison"]) & Q(rollout_set__isnull=False)),
                name="answer_orders_a_set_unless_it_demonstrates",
            ),
        ]
        indexes = [
            models.Index(F("project"), F("id").desc(), name="answer_newest_first"),
            models.Index(fields=["project", "kind", "created_at"], name="answer_by_time"),
            models.Index(F("project"), F("kind"), F("id").desc(), name="answer_newest_first_of_kind"),
            # Imported answers, of which there may be millions, are in none of these.
            models.Index(
                F("labeler"),
                F("project"),
                F("kind"),
                F("id").desc(),
                condition=Q(labeler__isnull=False),
                name="answer_newest_of_one_and_kind",
            ),
            models.Index(
                F("labeler"),
                F("project"),
                F("id").desc(),
                condition=Q(labeler__isnull=False),
                name="answer_newest_first_of_one",
            ),
            models.Index(fields=["task"], condition=Q(task__isnull=False), name="answer_by_task"),
            models.Index(fields=["lease"], condition=Q(lease__isnull=False), name="answer_by_lease"),
        ]


class RankedResponse(models.Model):
    """What an answer says of one response: its place (1 is best, equal is tied) and its marks."""

    answer = models.ForeignKey(Answer, models.CASCADE, related_name="ranked", db_index=False)
    response = models.ForeignKey("labeling.Response", models.PROTECT, related_name="ranked")
    rank = models.PositiveSmallIntegerField(null=True)  # null: not ranked
    unacceptable = models.BooleanField(default=False)
    likert = models.PositiveSmallIntegerField(null=True)  # null: not given
    flags: Any = models.JSONField(default=list)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["answer", "response"], name="ranking_ranks_each_rollout_once"),
            models.CheckConstraint(condition=Q(rank__isnull=True) | Q(rank__gte=1), name="ranking_ranks_start_at_1"),
        ]


class Demonstration(models.Model):
    """A labeler's own ideal continuation of the prompt."""

    answer = models.OneToOneField(Answer, models.CASCADE, related_name="demonstration")
    reply: Any = models.JSONField()  # [{role, content, name}], the last one an assistant's
    policy_draft = models.TextField(null=True)  # noqa: DJ001  null: the labeler was shown none
    edit_distance = models.PositiveIntegerField(null=True)  # characters from the draft; null: there was no draft
