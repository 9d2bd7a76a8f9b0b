"""Gold: ranking tasks whose order is known. Made of tasks that are there, and retired when they have served."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from labeling import errors
from labeling.models.people import User
from labeling.models.prompts import Response
from labeling.models.quality import GoldItem, ReviewCase
from labeling.models.work import Kind, LabelingTask, Purpose, Slot
from labeling.services import audit, tasks
from labeling.services.bodies import Body

MOST = 1_000  # gold items in use in a project: those that a labeler has not had are looked through at each draw
REASON = 5_000  # characters
_MAY_BECOME = (LabelingTask.State.OPEN, LabelingTask.State.DONE, LabelingTask.State.CLOSED, LabelingTask.State.SETTLED)


def read(plain: Any, task: LabelingTask) -> tuple[dict[str, int], str]:
    """The known order by response id, dense from 1, and why it is right. `unacceptable` ones come last, tied."""
    body = Body(plain)
    ids = [
        str(uuid) for uuid in Response.objects.filter(rollout_set=task.rollout_set_id).values_list("uuid", flat=True)
    ]
    ranks, unacceptable = body.mapping("ranks"), body.texts("unacceptable")
    reason = body.text("reason", most=REASON)
    for field, named in (("ranks", ranks), ("unacceptable", unacceptable)):
        if foreign := [id for id in named if id not in ids]:
            body.problem(field, f"{foreign[0]!r:.60} is not a response of this task", code="foreign_response")
    both = [id for id in unacceptable if ranks.get(id) is not None]
    if both:
        body.problem("unacceptable", "names a response that is ranked too", code="duplicate_response")
    for id, rank in ranks.items():
        if rank is not None:
            body.is_whole(f"ranks.{id}", rank, least=1, most=len(ids))
    undecided = [id for id in ids if ranks.get(id) is None and id not in unacceptable]
    if undecided:
        body.problem("ranks", f"leaves {len(undecided)} of {len(ids)} undecided", code="incomplete")
    body.finish()
    order = dense({id: ranks[id] if id not in unacceptable else len(ids) + 1 for id in ids})
    if len(set(order.values())) < 2:
        raise errors.Invalid(fields={"ranks": "ties everything, so nobody could be wrong"}, code="nothing_decided")
    return order, reason


def dense(places: Mapping[str, int]) -> dict[str, int]:
    """The same order in places from 1 without gaps."""
    levels = sorted(set(places.values()))
    return {id: levels.index(place) + 1 for id, place in places.items()}


@transaction.atomic
def make(*, task: LabelingTask, ranks: dict[str, int], reason: str, by: User | None, now: datetime) -> GoldItem:
    """Make a task gold. Answers that it has stay what they were; whoever holds it may finish, and is scored."""
    task = LabelingTask.objects.select_for_update(no_key=True).select_related("project").get(pk=task.pk)
    if task.kind == Kind.DEMONSTRATION:
        raise errors.WrongKind("A demonstration has no order that could be known.", fields={"task": "is no ranking"})
    if task.purpose != Purpose.ORDINARY or task.state not in _MAY_BECOME:
        raise errors.Conflict(
            "Only an ordinary task that is not under review can become gold.", code="not_ordinary",
            fields={"task": f"is {task.purpose} and {task.state}"},
        )  # fmt: skip
    if GoldItem.objects.filter(project=task.project, retired_at=None).count() >= MOST:
        raise errors.Conflict(f"A project has {MOST} gold items at most; retire some.", code="too_much_gold")
    # Claims that are under way end first: afterwards nothing of the task is free.
    list(Slot.objects.select_for_update(no_key=True).filter(task=task).order_by("pk"))
    Slot.objects.filter(task=task, state=Slot.State.OPEN).update(state=Slot.State.WITHDRAWN, free_at=None)
    Slot.objects.filter(task=task, state=Slot.State.LEASED).update(reserved=True, free_at=None)
    LabelingTask.objects.filter(pk=task.pk).update(purpose=Purpose.GOLD, state=LabelingTask.State.OPEN)
    item = GoldItem.objects.create(
        task=task, project=task.project, kind=task.kind, ranks=ranks, reason=reason, created_by=by, created_at=now
    )
    audit.note(project=task.project, actor=by, action="gold_made", subject=f"task:{task.uuid}", now=now)
    return item


@transaction.atomic
def retire(*, item: GoldItem, by: User, now: datetime) -> GoldItem:
    """Hand it out no more. What was scored by it stays; who holds it now may finish late."""
    if not GoldItem.objects.filter(pk=item.pk, retired_at=None).update(retired_at=now):
        raise errors.Conflict("This gold item is retired already.", code="already_retired")
    tasks.withdraw(tasks=LabelingTask.objects.filter(pk=item.task_id), state=LabelingTask.State.CLOSED)
    ReviewCase.objects.filter(task=item.task_id, state=ReviewCase.State.OPEN).update(
        state=ReviewCase.State.LEFT, closed_at=now, closed_by=by, reason="retired"
    )
    item.refresh_from_db()
    audit.note(project=item.project, actor=by, action="gold_retired", subject=f"task:{item.task.uuid}", now=now)
    return item
