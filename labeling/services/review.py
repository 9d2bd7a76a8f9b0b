"""Settling what waits for a reviewer: a final ranking, more labelers, or no answer at all. Once, with a reason."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db import transaction

from contracts.snapshots import content_hash
from labeling import errors
from labeling.models.answers import Answer
from labeling.models.people import User
from labeling.models.quality import GoldItem, ReviewCase
from labeling.models.work import Kind, LabelingTask, Purpose, Slot
from labeling.selectors import review
from labeling.services import audit, cases, rankings, tasks
from labeling.services.bodies import Body

OUTCOMES = ("ranking", "merged", "reopen", "discard", "leave")
REASON = 5_000  # characters
MOST_SLOTS = 50

Outcome = Callable[[Answer], None]


@transaction.atomic
def settle(*, case: ReviewCase, plain: Any, by: User, now: datetime) -> ReviewCase:
    """Close a case. `ranking` and `merged` give the ranking that counts in place of the labelers' own.

    `reopen` asks more labelers, `discard` counts no answer, `leave` lets the answers stand.
    """
    task = LabelingTask.objects.select_for_update(no_key=True).select_related("project").get(pk=case.task_id)
    case = ReviewCase.objects.select_related("project").get(pk=case.pk)
    body = Body(plain)
    outcome, reason = body.text("outcome", most=10, required=True), body.text("reason", most=REASON, required=True)
    if outcome and outcome not in OUTCOMES:
        body.problem("outcome", f"must be one of {', '.join(OUTCOMES)}")
    if outcome in ("ranking", "merged") and task.kind == Kind.DEMONSTRATION:
        body.problem("outcome", "has no meaning for a demonstration, which ranks nothing")
    slots = body.whole("slots", least=1, most=MOST_SLOTS) if outcome == "reopen" else None
    ranking = outcome == "ranking" and task.kind != Kind.DEMONSTRATION
    store = rankings.read(body, task) if ranking else None
    body.finish()
    if case.state != ReviewCase.State.OPEN:
        raise errors.Conflict("This case is closed already.", code="case_closed", fields={"case": f"is {case.state}"})
    if outcome in ("ranking", "merged"):
        answer = _settlement(case, task, store or _merged(task), plain, by, now)
        tasks.withdraw(tasks=LabelingTask.objects.filter(pk=task.pk), state=LabelingTask.State.SETTLED)
        cases.close(task=task, state=ReviewCase.State.SETTLED, by=by, reason=reason, settlement=answer, now=now)
    elif outcome == "reopen":
        _reopen(task, slots or 1, now)
        cases.close(task=task, state=ReviewCase.State.REOPENED, by=by, reason=reason, now=now)
    elif outcome == "discard":
        tasks.withdraw(tasks=LabelingTask.objects.filter(pk=task.pk), state=LabelingTask.State.DISCARDED)
        GoldItem.objects.filter(task=task, retired_at=None).update(retired_at=now)
        cases.close(task=task, state=ReviewCase.State.DISCARDED, by=by, reason=reason, now=now)
    else:
        if task.state == LabelingTask.State.HALTED:
            tasks.withdraw(tasks=LabelingTask.objects.filter(pk=task.pk), state=LabelingTask.State.CLOSED)
        cases.close(task=task, state=ReviewCase.State.LEFT, by=by, reason=reason, now=now)
    case.refresh_from_db()
    details = {"case": str(case.uuid), "outcome": outcome, "reason": reason}
    audit.note(project=task.project, actor=by, action="case_closed", subject=f"task:{task.uuid}", details=details,
               now=now)  # fmt: skip
    audit.announce(project=task.project, kind="case_closed", payload={**details, "task": str(task.uuid)}, now=now)
    return case


def _settlement(case: ReviewCase, task: LabelingTask, store: Outcome, plain: Any, by: User, now: datetime) -> Answer:
    """The reviewer's ranking as an answer, which follows on an earlier settlement of the same task."""
    earlier = Answer.objects.filter(task=task, purpose=Purpose.REVIEW, replaced_by=None).first()
    answer = Answer.objects.create(
        project=task.project,
        kind=task.kind,
        purpose=Purpose.REVIEW,
        prompt_id=task.prompt_id,
        rollout_set_id=task.rollout_set_id,
        task=task,
        labeler=by,
        guideline=task.project.guidelines.first(),
        idempotency_key=f"case:{case.uuid}",
        body_hash=content_hash({"case": str(case.uuid), "body": plain}),
        revision=earlier.revision + 1 if earlier else 1,
        replaces=earlier,
        created_at=now,
    )
    store(answer)
    return answer


def _merged(task: LabelingTask) -> Outcome:
    """The labelers' rankings as one; what most of them called unacceptable is so."""
    merged = review.merged(task=task)
    if merged is None:
        raise errors.Conflict("Nobody has ranked this item.", code="nothing_to_merge")
    ranks, unacceptable = merged
    return rankings.storing(rankings.response_keys(task), ranks=dict(ranks), unacceptable=unacceptable, marks={})


def _reopen(task: LabelingTask, slots: int, now: datetime) -> None:
    """Back into the queue: the slots that were withdrawn, and as many new ones as it takes to make `slots`."""
    tasks.refuse_hidden(task)
    if task.purpose == Purpose.GOLD:
        LabelingTask.objects.filter(pk=task.pk).update(state=LabelingTask.State.OPEN)
        return
    withdrawn = Slot.objects.filter(task=task, state=Slot.State.WITHDRAWN, reserved=False)
    back = withdrawn.update(state=Slot.State.OPEN, free_at=now, token=None)
    if back < slots:
        tasks.add_slots(task=task, number=slots - back, now=now)
    LabelingTask.objects.filter(pk=task.pk).update(state=LabelingTask.State.OPEN)
