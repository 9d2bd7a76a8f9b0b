"""Work that waits for people: tasks, their slots, and the leases on these.

    task   open -> done | halted | closed
    slot   open -> leased -> answered, or withdrawn when the task is halted or closed; an expired lease counts as open

`Slot.free_at` says when a slot may be handed out: from its creation while open, from the end of its
lease while leased, never (null) once answered or withdrawn. So expiry is judged when read.
"""

import uuid
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q


class Kind(models.TextChoices):
    RANKING = "ranking"
    DEMONSTRATION = "demonstration"
    COMPARISON = "comparison"


class LabelingTask(models.Model):
    """One item of human work: a prompt to answer, a rollout set to rank, or two policies to compare."""

    class State(models.TextChoices):
        OPEN = "open"
        DONE = "done"
        HALTED = "halted"  # too many labelers skipped it: a reviewer decides
        CLOSED = "closed"

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    project = models.ForeignKey("labeling.Project", models.CASCADE, related_name="tasks")
    kind = models.CharField(max_length=13, choices=Kind.choices)
    prompt = models.ForeignKey("labeling.Prompt", models.PROTECT, related_name="tasks")
    rollout_set = models.ForeignKey(
        "labeling.RolloutSet", models.PROTECT, null=True, related_name="tasks"
    )  # null: a demonstration, which has no responses to show
    policy_draft = models.TextField(null=True)  # noqa: DJ001  null: no policy wrote one
    priority = models.FloatField(default=0.0)
    state = models.CharField(max_length=6, choices=State.choices, default=State.OPEN)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["rollout_set"], name="task_once_per_rollout_set"),
            models.UniqueConstraint(
                fields=["prompt"], condition=Q(kind="demonstration"), name="task_once_per_prompt_to_answer"
            ),
            models.CheckConstraint(
                condition=Q(kind="demonstration", rollout_set__isnull=True)
                | (Q(kind__in=["ranking", "comparison"]) & Q(rollout_set__isnull=False)),
                name="task_has_responses_unless_it_asks_for_one",
            ),
        ]
        indexes = [models.Index(fields=["project", "kind", "state", "id"], name="task_by_state")]


class Slot(models.Model):
    """One seat on a task, for one labeler."""

    class State(models.TextChoices):
        OPEN = "open"
        LEASED = "leased"
        ANSWERED = "answered"
        WITHDRAWN = "withdrawn"

    task = models.ForeignKey(LabelingTask, models.CASCADE, related_name="slots", db_index=False)
    number = models.PositiveSmallIntegerField()
    # Copied from the task, so that one index finds the next slot.
    project = models.ForeignKey("labeling.Project", models.CASCADE, related_name="+", db_index=False)
    kind = models.CharField(max_length=13, choices=Kind.choices)
    priority = models.FloatField()
    shuffle = models.FloatField()  # uniform on [0, 1), drawn once: the order of random hand-out
    state = models.CharField(max_length=9, choices=State.choices, default=State.OPEN)
    free_at = models.DateTimeField(null=True)  # null: answered or withdrawn
    labeler = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="slots"
    )  # null: open or withdrawn
    token = models.UUIDField(null=True)  # of the newest lease; null: never leased, or given back

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["task", "number"], name="slot_number_once_per_task"),
            models.UniqueConstraint(
                fields=["task", "labeler"], condition=Q(labeler__isnull=False), name="slot_of_a_task_once_per_labeler"
            ),
            models.UniqueConstraint(
                fields=["labeler", "project", "kind"],
                condition=Q(state="leased"),
                name="one_lease_per_labeler_and_kind",
            ),
            models.CheckConstraint(
                condition=Q(state="open", free_at__isnull=False, labeler__isnull=True, token__isnull=True)
                | Q(state="leased", free_at__isnull=False, labeler__isnull=False, token__isnull=False)
                | Q(state="answered", free_at__isnull=True, labeler__isnull=False)
                | Q(state="withdrawn", free_at__isnull=True, labeler__isnull=True),
                name="slot_state_agrees_with_its_lease",
            ),
        ]
        indexes = [
            # Hand-out walks these in order and stops at the first slot that fits: no sort, no scan.
            models.Index(
                F("project"),
                F("kind"),
                F("priority").desc(),
                F("id"),
                condition=Q(free_at__isnull=False),
                name="slot_by_priority",
            ),
            models.Index(fields=["project", "free_at"], condition=Q(state="leased"), name="slot_held"),
            models.Index(
                fields=["project", "kind", "shuffle", "id"], condition=Q(free_at__isnull=False), name="slot_by_shuffle"
            ),
        ]


class Lease(models.Model):
    """One hand-out of a slot, kept for good: what was shown, to whom, why, and how it ended."""

    class Outcome(models.TextChoices):
        ANSWERED = "answered"
        LATE = "late"  # the answer came after the slot had gone to somebody else, and is kept
        SKIPPED = "skipped"

    token = models.UUIDField(unique=True, editable=False)
    slot = models.ForeignKey(Slot, models.CASCADE, related_name="leases")
    task = models.ForeignKey(LabelingTask, models.CASCADE, related_name="leases")
    labeler = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="leases", db_index=False)
    guideline = models.ForeignKey(
        "labeling.Guideline", models.PROTECT, null=True, db_index=False
    )  # null: the project had none
    order_shown: Any = models.JSONField(default=list)  # response ids, first shown first
    drawn_at_random = models.BooleanField()
    selection_probability = models.FloatField()  # that this hand-out chose this slot
    created_at = models.DateTimeField()
    outcome = models.CharField(max_length=8, choices=Outcome.choices, null=True)  # noqa: DJ001  null: none yet

    # Response id -> (text, tokens), where the hand-out has read them already; not stored.
    texts: dict[str, tuple[str, int | None]] | None = None

    class Meta:
        indexes = [models.Index(fields=["labeler", "task"], name="lease_by_labeler_and_task")]


class Exclusion(models.Model):
    """A task that a labeler is never handed: skipped, answered late, or showing the labeler's own text."""

    class Reason(models.TextChoices):
        SKIPPED = "skipped"
        LATE = "late"
        OWN_TEXT = "own_text"

    task = models.ForeignKey(LabelingTask, models.CASCADE, related_name="exclusions")
    labeler = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="exclusions")
    reason = models.CharField(max_length=8, choices=Reason.choices)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["task", "labeler"], name="exclusion_once_per_labeler")]


class Skip(models.Model):
    """A labeler's refusal of a task, with the reason. Sticky: the task does not come back to them."""

    task = models.ForeignKey(LabelingTask, models.CASCADE, related_name="skips")
    labeler = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="skips")
    lease = models.OneToOneField(Lease, models.PROTECT)
    reason = models.CharField(max_length=60)
    comment = models.TextField(blank=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["task", "labeler"], name="skip_once_per_labeler")]


class Draft(models.Model):
    """Unfinished work on a task. It outlives the lease."""

    task = models.ForeignKey(LabelingTask, models.CASCADE, related_name="drafts")
    labeler = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="drafts")
    body: Any = models.JSONField()
    saved_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["task", "labeler"], name="draft_once_per_labeler")]
