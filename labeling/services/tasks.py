"""Labeling tasks and their slots: opened together, halted and closed together."""

import random
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Max, Q, QuerySet

from labeling import errors
from labeling.models.people import User
from labeling.models.projects import Project
from labeling.models.prompts import Prompt, RolloutSet
from labeling.models.quality import ReviewCase
from labeling.models.work import Exclusion, Kind, LabelingTask, Purpose, Slot
from labeling.services import audit
from labeling.services.bodies import Body, is_finite

BATCH = 500


def freshness(now: datetime) -> float:
    """The priority of a task opened now, in days: newer rollouts outrank older ones, and a boost of 1 is a day."""
    return now.timestamp() / 86_400


def open_for_sets(
    *,
    project: Project,
    kind: Kind,
    rollout_sets: Sequence[RolloutSet],
    priority: float,
    now: datetime,
    purpose: Purpose = Purpose.ORDINARY,
    opened_for: UUID | None = None,
) -> list[LabelingTask]:
    """One task per rollout set, with its slots, kept from the authors of its responses.

    None for sets whose prompt is behind the wall of an evaluation set by now, or erased.
    """
    hidden = _hidden({rollout_set.prompt_id for rollout_set in rollout_sets})
    rollout_sets = [rollout_set for rollout_set in rollout_sets if rollout_set.prompt_id not in hidden]
    tasks = LabelingTask.objects.bulk_create(
        [
            LabelingTask(
                project=project,
                kind=kind,
                purpose=purpose,
                opened_for=opened_for,
                prompt_id=rollout_set.prompt_id,
                rollout_set=rollout_set,
                priority=priority,
                created_at=now,
            )
            for rollout_set in rollout_sets
        ],
        batch_size=BATCH,
    )
    _open_slots(project=project, tasks=tasks, now=now)
    authored = (
        LabelingTask.objects.filter(pk__in=[task.pk for task in tasks], rollout_set__responses__author__isnull=False)
        .values_list("pk", "rollout_set__responses__author")
        .distinct()
    )
    Exclusion.objects.bulk_create(
        [Exclusion(task_id=task, labeler_id=author, reason=Exclusion.Reason.OWN_TEXT) for task, author in authored],
        ignore_conflicts=True,
    )
    return tasks


def refuse_hidden(task: LabelingTask) -> None:
    """Raises `Conflict` for a task that nobody may get any more."""
    if _hidden({task.prompt_id}):
        raise errors.Conflict("Its prompt is of an evaluation set, or erased.", code="evaluation_prompt")


def _hidden(prompts: set[int]) -> set[int]:
    """Those of the prompts that are of an evaluation set or erased."""
    found: set[int] = set()
    listed = list(prompts)
    for start in range(0, len(listed), BATCH):
        gone = Q(evaluation_set__isnull=False) | Q(erased_at__isnull=False)
        found.update(Prompt.objects.filter(gone, pk__in=listed[start : start + BATCH]).values_list("pk", flat=True))
    return found


def open_demonstrations(
    *, project: Project, prompts: Iterable[Prompt], now: datetime, drafts: dict[int, str] | None = None
) -> list[LabelingTask]:
    """One task per prompt that has none yet. `drafts` maps a prompt's key to what a policy would reply."""
    prompts = [prompt for prompt in prompts if prompt.evaluation_set_id is None and prompt.erased_at is None]
    having = set(
        LabelingTask.objects.filter(kind=Kind.DEMONSTRATION, prompt__in=[prompt.pk for prompt in prompts]).values_list(
            "prompt_id", flat=True
        )
    )
    tasks = LabelingTask.objects.bulk_create(
        [
            LabelingTask(
                project=project,
                kind=Kind.DEMONSTRATION,
                prompt=prompt,
                policy_draft=(drafts or {}).get(prompt.pk),
                created_at=now,
            )
            for prompt in prompts
            if prompt.pk not in having
        ],
        batch_size=BATCH,
    )
    _open_slots(project=project, tasks=tasks, now=now)
    return tasks


def withdraw(*, tasks: QuerySet[LabelingTask], state: LabelingTask.State) -> None:
    """Take the tasks' unanswered slots out of the queue and put the tasks in `state`."""
    keys = list(tasks.values_list("pk", flat=True))
    Slot.objects.filter(task__in=keys, state__in=[Slot.State.OPEN, Slot.State.LEASED]).update(
        state=Slot.State.WITHDRAWN, free_at=None, labeler=None
    )
    LabelingTask.objects.filter(pk__in=keys).update(state=state)


@transaction.atomic
def change(*, task: LabelingTask, plain: Any, by: User, now: datetime) -> None:
    """Reopen, close or reprioritize a task, as a reviewer asks."""
    body = Body(plain)
    state = body.text("state", most=10)
    if state not in ("", LabelingTask.State.OPEN, LabelingTask.State.CLOSED):
        body.problem("state", "must be open or closed")
    priority = body.take("priority")
    if priority is not None and not is_finite(priority):
        body.problem("priority", "must be a finite number", code="wrong_type")
    body.finish()
    task = LabelingTask.objects.select_for_update(no_key=True).get(pk=task.pk)
    if state == LabelingTask.State.OPEN:
        refuse_hidden(task)
    if priority is not None:
        LabelingTask.objects.filter(pk=task.pk).update(priority=priority)
        Slot.objects.filter(task=task).update(priority=priority)
    if state == LabelingTask.State.CLOSED:
        withdraw(tasks=LabelingTask.objects.filter(pk=task.pk), state=LabelingTask.State.CLOSED)
    elif state == LabelingTask.State.OPEN and task.state in (LabelingTask.State.HALTED, LabelingTask.State.CLOSED):
        # Gold has no slots until it is drawn; those that it had as an ordinary task stay withdrawn.
        gold = task.purpose == Purpose.GOLD
        withdrawn = Slot.objects.filter(task=task, state=Slot.State.WITHDRAWN, reserved=False)
        waits = gold or withdrawn.update(state=Slot.State.OPEN, free_at=now, token=None)
        LabelingTask.objects.filter(pk=task.pk).update(
            state=LabelingTask.State.OPEN if waits else LabelingTask.State.DONE
        )
    if state:
        closed = ReviewCase.State.REOPENED if state == LabelingTask.State.OPEN else ReviewCase.State.LEFT
        ReviewCase.objects.filter(task=task, state=ReviewCase.State.OPEN).update(
            state=closed, closed_at=now, closed_by=by, reason=f"the task was set to {state}"
        )
    audit.note(project=task.project, actor=by, action="task_changed", subject=f"task:{task.uuid}",
               details={"state": state, "priority": priority}, now=now)  # fmt: skip


def add_slots(*, task: LabelingTask, number: int, now: datetime) -> None:
    """More seats on a task that is there already."""
    first = (Slot.objects.filter(task=task).aggregate(last=Max("number"))["last"] or 0) + 1
    Slot.objects.bulk_create(_slot(task, first + place, now) for place in range(number))


def _open_slots(*, project: Project, tasks: Iterable[LabelingTask], now: datetime) -> None:
    Slot.objects.bulk_create(
        [_slot(task, number, now) for task in tasks for number in range(project.overlap)],
        batch_size=BATCH,
    )


def _slot(task: LabelingTask, number: int, now: datetime) -> Slot:
    return Slot(
        task=task,
        number=number,
        project_id=task.project_id,
        kind=task.kind,
        priority=task.priority,
        shuffle=random.random(),
        free_at=now,
    )
