"""Hand-out: who gets which slot, for how long, and what happens when they do not answer.

One statement claims a slot, and the database's constraints refuse whatever would break the promises:
one live lease per slot, one slot of a task per labeler, one lease per labeler, project and kind.
"""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.db import IntegrityError, transaction

from labeling import errors
from labeling.models.people import User
from labeling.models.projects import Project
from labeling.models.prompts import Response
from labeling.models.work import Draft, Exclusion, Kind, LabelingTask, Lease, Skip, Slot
from labeling.services import audit, claims, tasks

ATTEMPTS = 5


def acquire(
    *, project: Project, guideline_id: int | None, labeler: User, kinds: Sequence[Kind], now: datetime
) -> tuple[Lease, datetime] | None:
    """The labeler's unfinished lease, renewed, or a new one; None where nothing waits. Also: when it ends."""
    if project.status != Project.Status.OPEN:
        raise errors.ProjectClosed(fields={"project": f"is {project.status}"})
    for attempt in range(ATTEMPTS):
        try:
            with transaction.atomic():
                return _acquire(project, guideline_id, labeler, kinds, now)
        except IntegrityError:
            # The same labeler asked twice at once and this request came second: look again.
            if attempt == ATTEMPTS - 1:
                raise
    return None


def _acquire(
    project: Project, guideline_id: int | None, labeler: User, kinds: Sequence[Kind], now: datetime
) -> tuple[Lease, datetime] | None:
    ends = now + timedelta(seconds=project.lease_seconds)
    token = claims.unfinished(project_id=project.pk, labeler_id=labeler.pk, kinds=kinds, ends=ends)
    if token is not None:
        return Lease.objects.get(token=token), ends
    for kind in kinds:
        claim = claims.claim(
            project_id=project.pk,
            kind=kind,
            labeler_id=labeler.pk,
            token=uuid4(),
            random_share=project.random_share,
            now=now,
            ends=ends,
        )
        if claim is not None:
            lease = Lease.objects.create(
                token=claim.token,
                slot_id=claim.slot_id,
                task_id=claim.task_id,
                labeler=labeler,
                guideline_id=guideline_id,
                order_shown=_order(claim.task_id, kind, labeler),
                drawn_at_random=claim.drawn_at_random,
                selection_probability=claim.probability,
                created_at=now,
            )
            return lease, ends
    return None


def renew(*, token: UUID, labeler: User, now: datetime) -> datetime:
    """Begin the lease's time anew; returns its end. An expired lease that nobody took since is renewed too."""
    lease = mine(token=token, labeler=labeler)
    ends = now + timedelta(seconds=lease.task.project.lease_seconds)
    renewed = Slot.objects.filter(pk=lease.slot_id, token=token, labeler=labeler, state=Slot.State.LEASED).update(
        free_at=ends
    )
    if not renewed:
        raise _why_lost(lease)
    return ends


def save_draft(*, token: UUID, labeler: User, body: Any, now: datetime) -> datetime | None:
    """Keep unfinished work, and renew. Returns the lease's end, or None where it is lost: the draft is kept anyway."""
    lease = mine(token=token, labeler=labeler)
    if lease.outcome is not None:
        raise _why_lost(lease)
    Draft.objects.update_or_create(task_id=lease.task_id, labeler=labeler, defaults={"body": body, "saved_at": now})
    ends = now + timedelta(seconds=lease.task.project.lease_seconds)
    renewed = Slot.objects.filter(pk=lease.slot_id, token=token, labeler=labeler, state=Slot.State.LEASED).update(
        free_at=ends
    )
    return ends if renewed else None


def skip(*, token: UUID, labeler: User, reason: str, comment: str, now: datetime) -> Skip:
    """Give the slot back for good. The task never returns to this labeler; enough skips halt it."""
    lease = mine(token=token, labeler=labeler)
    with transaction.atomic():
        task = LabelingTask.objects.select_for_update(no_key=True).get(pk=lease.task_id)
        lease.refresh_from_db(fields=["outcome"])
        if lease.outcome in (Lease.Outcome.ANSWERED, Lease.Outcome.LATE):
            raise errors.AlreadyAnswered
        known = Skip.objects.filter(task=task, labeler=labeler).first()
        if known is not None:
            return known
        Slot.objects.filter(task=task, labeler=labeler, state=Slot.State.LEASED).update(
            state=Slot.State.OPEN, labeler=None, token=None, free_at=now
        )
        stored = Skip.objects.create(
            task=task, labeler=labeler, lease=lease, reason=reason, comment=comment, created_at=now
        )
        Exclusion.objects.get_or_create(task=task, labeler=labeler, defaults={"reason": Exclusion.Reason.SKIPPED})
        Lease.objects.filter(pk=lease.pk).update(outcome=Lease.Outcome.SKIPPED)
        audit.note(project=lease.task.project, actor=labeler, action="task_skipped", subject=f"task:{task.uuid}",
                   details={"reason": reason}, now=now)  # fmt: skip
        if task.state == LabelingTask.State.OPEN and task.skips.count() >= lease.task.project.skips_to_halt:
            tasks.withdraw(tasks=LabelingTask.objects.filter(pk=task.pk), state=LabelingTask.State.HALTED)
            audit.note(
                project=lease.task.project, actor=None, action="task_halted", subject=f"task:{task.uuid}", now=now
            )
    return stored


def mine(*, token: UUID, labeler: User) -> Lease:
    """The lease with this token, if it is this labeler's; with its task, project and prompt."""
    lease = Lease.objects.select_related("task__project").filter(token=token).first()
    if lease is None:
        raise errors.LeaseUnknown(fields={"token": "is not the token of a lease"})
    if lease.labeler_id != labeler.pk:
        raise errors.LeaseOfAnother(fields={"token": "belongs to somebody else"})
    return lease


def _why_lost(lease: Lease) -> errors.Refused:
    if lease.outcome in (Lease.Outcome.ANSWERED, Lease.Outcome.LATE):
        return errors.AlreadyAnswered()
    if lease.outcome == Lease.Outcome.SKIPPED:
        return errors.AlreadySkipped()
    return errors.LeaseLost(fields={"token": "expired, and the slot went to somebody else or was withdrawn"})


def _order(task_id: int, kind: Kind, labeler: User) -> list[str]:
    """Response ids, shuffled per labeler and task: handed out again, a task looks the same."""
    if kind == Kind.DEMONSTRATION:
        return []
    ids = [
        str(uuid)
        for uuid in Response.objects.filter(rollout_set__tasks=task_id).order_by("index").values_list("uuid", flat=True)
    ]
    random.Random(f"{task_id}:{labeler.uuid}").shuffle(ids)
    return ids
