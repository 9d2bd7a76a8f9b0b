"""Which ranking would tell most: priorities by what a reward model does not know, or seems to know too well.

Tasks that were opened together are ordered by information; fresher rollouts still outrank staler ones, and the random
share of hand-outs, whose probability each lease keeps, still draws from all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import OuterRef, Subquery

from labeling import errors
from labeling.models.people import User
from labeling.models.projects import Project
from labeling.models.work import LabelingTask, Purpose, Slot
from labeling.services import audit, tasks
from labeling.services.bodies import Body, is_finite

SIGNALS = ("uncertainty", "disagreement", "reward")
ONE_SECOND = 1 / 86_400  # days
MOST = 10_000  # tasks a request
BATCH = 500


@dataclass(frozen=True, kw_only=True)
class Signals:
    """What is known of one task, in any unit: only the order within one call counts. None: not known."""

    task: UUID  # of the task, or of its rollout set
    uncertainty: float | None = None  # of the reward model about the order
    disagreement: float | None = None  # between the reward model and people, or among its members
    reward: float | None = None  # of the best response; suspicious where it is high


def information(rows: Sequence[Signals]) -> list[float]:
    """From 0 to 1, how much each would tell: the highest of its signals' quantiles, for one reason is enough.

    A quantile is the share of the known values below, half of the equal ones counted; a lone value is 0.5.
    """
    found = [0.0] * len(rows)
    for name in SIGNALS:
        known = [(getattr(row, name), place) for place, row in enumerate(rows) if getattr(row, name) is not None]
        ordered = sorted(value for value, _ in known)
        bounds: dict[float, tuple[int, int]] = {}
        for index, value in enumerate(ordered):
            first, _ = bounds.get(value, (index, index))
            bounds[value] = (first, index + 1)
        for value, place in known:
            first, end = bounds[value]
            found[place] = max(found[place], (first + end) / 2 / len(ordered))
    return found


def inform(
    *, project: Project, rows: Sequence[Signals], days: float = ONE_SECOND, by: User | None, now: datetime
) -> int:
    """Put the tasks in the order of their information; returns how many there were to put.

    `days` is by how much fresher the most informative task counts: one second orders those opened together.
    Tasks that nobody waits for any more are passed over, and so are names that the project does not know.
    """
    values = dict(zip([row.task for row in rows], information(rows), strict=True))
    changed = 0
    keys = list(values)
    for start in range(0, len(keys), BATCH):
        some = keys[start : start + BATCH]
        with transaction.atomic():
            changed += _apply(project, {key: values[key] for key in some}, days)
    audit.note(project=project, actor=by, action="priorities_set", subject=f"project:{project.uuid}",
               details={"tasks": changed, "days": days}, now=now)  # fmt: skip
    return changed


def read(plain: Any) -> tuple[list[Signals], float]:
    """The body of a request that informs."""
    body = Body(plain)
    days = body.take("days")
    if days is None:
        days = ONE_SECOND
    elif not (is_finite(days) and 0 <= days <= 365):
        body.problem("days", "must be a number from 0 to 365", code="out_of_range")
    given = body.take("tasks")
    if not isinstance(given, list) or not 0 < len(given) <= MOST:
        body.problem("tasks", f"must be a list of 1 to {MOST} tasks", code="wrong_type")
        given = []
    rows = []
    for index, one in enumerate(given):
        path = f"tasks.{index}"
        if not isinstance(one, dict):
            body.problem(path, "must be an object with task and one signal or more", code="wrong_type")
            continue
        if unknown := set(one) - {"task", *SIGNALS}:
            body.problem(f"{path}.{min(unknown)}", "is not a known field", code="unknown_field")
        signals = {name: one[name] for name in SIGNALS if one.get(name) is not None}
        if not signals or not all(is_finite(value) for value in signals.values()):
            body.problem(path, f"needs a finite number as one of {', '.join(SIGNALS)}", code="wrong_type")
        try:
            rows.append(Signals(task=UUID(str(one.get("task"))), **signals))
        except ValueError:
            body.problem(f"{path}.task", "must be the id of a task or rollout set")
    if len({row.task for row in rows}) != len(rows):
        body.problem("tasks", "names a task twice", code="duplicate_task")
    body.finish()
    return rows, float(days)


def _apply(project: Project, values: dict[UUID, float], days: float) -> int:
    waiting = LabelingTask.objects.filter(
        project=project, state=LabelingTask.State.OPEN, purpose__in=[Purpose.ORDINARY, Purpose.ANCHOR]
    ).select_related("rollout_set")
    rows = {task.pk: task for task in waiting.filter(uuid__in=list(values))}
    rows.update({task.pk: task for task in waiting.filter(rollout_set__uuid__in=list(values))})
    for task in rows.values():
        by_set = values.get(task.rollout_set.uuid) if task.rollout_set else None
        told = values.get(task.uuid, by_set)
        assert told is not None
        task.information = told
        task.priority = tasks.freshness(task.created_at) + days * told
    LabelingTask.objects.bulk_update(rows.values(), ["information", "priority"], batch_size=BATCH)
    newest = LabelingTask.objects.filter(pk=OuterRef("task")).values("priority")
    Slot.objects.filter(task__in=list(rows)).update(priority=Subquery(newest))
    return len(rows)


def require_known(project: Project, rows: Sequence[Signals]) -> None:
    """Refuse what names nothing of this project: a mistake over there, not a task that ended meanwhile."""
    ids = [row.task for row in rows]
    known: set[UUID] = set()
    for start in range(0, len(ids), BATCH):
        some = ids[start : start + BATCH]
        for uuid, set_uuid in LabelingTask.objects.filter(project=project, uuid__in=some).values_list(
            "uuid", "rollout_set__uuid"
        ):
            known |= {uuid, set_uuid}
        known |= set(project.rollout_sets.filter(uuid__in=some).values_list("uuid", flat=True))
    foreign = [index for index, id in enumerate(ids) if id not in known]
    if foreign:
        raise errors.Invalid(
            code="unknown_task", fields={f"tasks.{foreign[0]}.task": "is no task or rollout set of this project"}
        )
