"""Work that waits for people: tasks, their slots, and the leases on these.

    task   open -> done | halted | closed
    slot   open -> leased -> answered, or withdrawn when the task is halted or closed; an expired lease counts as open

`Slot.free_at` says when a slot may be handed out: from its creation while open, from the end of its
lease while leased, never (null) once answered or withdrawn. So expiry is judged when read.

A labeler may hold one more slot than the one on their screen: the next, fetched ahead of time.

A gold or repeat task is handed out by making a slot for the labeler it was drawn for. Such a slot is reserved: it is
never free to anybody else, so its `free_at` is null from the start.
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


class Purpose(models.TextChoices):
    """Why a task is there, and so what its answers may be counted as."""

    ORDINARY = "ordinary"  # independent answers: the only ones that training, overlap and agreement count
    GOLD = "gold"  # its order is known; each labeler gets it once, without knowing
    REPEAT = "repeat"  # one labeler's own earlier item again
    ANCHOR = "anchor"  # an item ranked in an earlier round, ranked again
    REVIEW = "review"  # a reviewer's settlement; of answers only, no task has it


class LabelingTask(models.Model):
    """One item of human work: a prompt to answer, a rollout set to rank, or two policies to compare."""

    class State(models.TextChoices):
        OPEN = "open"
        DONE = "done"
        HALTED = "halted"  # too many labelers skipped or flagged it: a reviewer decides
        CLOSED = "closed"
        SETTLED = "settled"  # a reviewer gave the ranking that counts
        DISCARDED = "discarded"  # a reviewer found that no answer to it counts

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    project = models.ForeignKey("labeling.Project", models.CASCADE, related_name="tasks", db_index=False)
    kind = models.CharField(max_length=13, choices=Kind.choices)
    prompt = models.ForeignKey("labeling.Prompt", models.PROTECT, related_name="tasks")
    rollout_set = models.ForeignKey(
        "labeling.RolloutSet", models.PROTECT, null=True, related_name="tasks"
    )  # null: a demonstration, which has no responses to show
    purpose = models.CharField(max_length=8, choices=Purpose.choices, default=Purpose.ORDINARY)
    repeat_of = models.OneToOneField(
        "labeling.Answer", models.PROTECT, null=True, related_name="repeat"
    )  # null: not a repeat
    opened_for = models.UUIDField(null=True)  # an anchor: the run whose rollouts it accompanies; null: no anchor
    policy_draft = models.TextField(null=True)  # noqa: DJ001  null: no policy wrote one
    priority = models.FloatField(default=0.0)
    information = models.FloatField(null=True)  # 0 to 1, how much its ranking would tell; null: nobody said
    state = models.CharField(max_length=9, choices=State.choices, default=State.OPEN)
    created_at = models.DateTimeField()
    # No columns: where the hot path has looked, whether several labelers answer it, and its responses' keys by id.
    shared = False
    responses: dict[str, int] | None = None

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["rollout_set"],
                condition=Q(purpose__in=["ordinary", "gold"]),
                name="task_once_per_rollout_set",
            ),
            models.UniqueConstraint(
                fields=["rollout_set", "opened_for"],
                condition=Q(purpose="anchor"),
                name="task_once_per_anchor_and_run",
            ),
            models.CheckConstraint(
                condition=Q(purpose="repeat", repeat_of__isnull=False)
                | (Q(repeat_of__isnull=True) & ~Q(purpose="repeat")),
                name="task_repeats_an_answer_if_it_is_a_repeat",
            ),
            models.CheckConstraint(
                condition=Q(purpose="anchor", opened_for__isnull=False)
                | Q(purpose__in=["ordinary", "gold", "repeat"], opened_for__isnull=True),
                name="task_is_opened_for_a_run_if_it_is_an_anchor",
            ),
            models.UniqueConstraint(
                fields=["prompt"], condition=Q(kind="demonstration"), name="task_once_per_prompt_to_answer"
            ),
            models.CheckConstraint(
                condition=Q(kind="demonstration", rollout_set__isnull=True)
                | (Q(kind__in=["ranking", "comparison"]) & Q(rollout_set__isnull=False)),
                name="task_has_responses_unless_it_asks_for_one",
            ),
        ]
        indexes = [
            models.Index(fields=["project", "kind", "state", "id"], name="task_by_state"),
            # For each filter of the list, in its order.
            models.Index(F("project"), F("id").desc(), name="task_newest_first"),
            models.Index(F("project"), F("kind"), F("id").desc(), name="task_newest_first_of_kind"),
            models.Index(F("project"), F("state"), F("id").desc(), name="task_newest_first_of_state"),
        ]


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
    reserved = models.BooleanField(default=False)  # made for one labeler, and never anybody else's
    free_at = models.DateTimeField(null=True)  # null: answered, withdrawn or reserved
    labeler = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="slots"
    )  # null: open or withdrawn
    token = models.UUIDField(null=True)  # of the newest lease; null: never leased, or given back
    # Leased before its labeler is there: not on their screen yet. Says nothing of a slot that is not leased.
    ahead = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["task", "number"], name="slot_number_once_per_task"),
            models.UniqueConstraint(
                fields=["task", "labeler"], condition=Q(labeler__isnull=False), name="slot_of_a_task_once_per_labeler"
            ),
            models.UniqueConstraint(
                fields=["labeler", "project", "kind", "ahead"],
                condition=Q(state="leased"),
                name="one_lease_per_labeler_and_kind",
            ),
            models.UniqueConstraint(
                fields=["labeler", "project"],
                condition=Q(state="leased", ahead=True),
                name="one_lease_ahead_per_labeler",
            ),
            models.CheckConstraint(
                condition=Q(
                    state="open", reserved=False, free_at__isnull=False, labeler__isnull=True, token__isnull=True
                )
                | Q(state="leased", reserved=False, free_at__isnull=False, labeler__isnull=False, token__isnull=False)
                | Q(state="leased", reserved=True, free_at__isnull=True, labeler__isnull=False, token__isnull=False)
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
    # That a hand-out to this labeler at this moment chose this task, given what it was for: gold and repeats are
    # chosen among themselves, at the project's shares.
    selection_probability = models.FloatField()
    created_at = models.DateTimeField()
    begun_at = models.DateTimeField(null=True)  # when it was shown; null: fetched ahead, and not begun so far
    outcome = models.CharField(max_length=8, choices=Outcome.choices, null=True)  # noqa: DJ001  null: none yet

    contents: Any = None  # no column: what the task shows, where the hand-out has read it already

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
