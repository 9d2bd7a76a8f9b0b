"""Items that wait for a reviewer: how they come to, and that each is closed once."""

from datetime import datetime

from labeling import errors
from labeling.models.answers import Answer
from labeling.models.people import User
from labeling.models.quality import ReviewCase
from labeling.models.work import LabelingTask
from labeling.services import audit, tasks


def halt(*, task: LabelingTask, why: ReviewCase.Why, now: datetime) -> None:
    """Take the task out of the queue until a reviewer has looked at it. Nothing where that was decided already."""
    found = LabelingTask.objects.filter(
        pk=task.pk, state__in=[LabelingTask.State.OPEN, LabelingTask.State.DONE]
    )  # fmt: skip
    if not found.exists():
        return
    tasks.withdraw(tasks=found, state=LabelingTask.State.HALTED)
    opened(task=task, why=why, agreement=None, now=now)
    audit.note(project=task.project, actor=None, action="task_halted", subject=f"task:{task.uuid}",
               details={"why": why.value}, now=now)  # fmt: skip


def opened(*, task: LabelingTask, why: ReviewCase.Why, agreement: float | None, now: datetime) -> None:
    """Put the task in the review queue, once."""
    ReviewCase.objects.get_or_create(
        task=task,
        state=ReviewCase.State.OPEN,
        defaults={"project_id": task.project_id, "why": why, "agreement": agreement, "opened_at": now},
    )


def close(
    *,
    task: LabelingTask,
    state: ReviewCase.State,
    by: User,
    reason: str,
    now: datetime,
    settlement: Answer | None = None,
) -> None:
    """Close the task's open case. Refuses where another reviewer was first."""
    closed = ReviewCase.objects.filter(task=task, state=ReviewCase.State.OPEN).update(
        state=state, closed_at=now, closed_by=by, reason=reason, settlement=settlement
    )
    if not closed:
        raise errors.Conflict("This case is closed already.", code="case_closed")
