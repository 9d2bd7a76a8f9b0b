"""Hand-out: who gets which slot, for how long, and what happens when they do not answer.

One statement claims a slot, and the database's constraints refuse whatever would break the promises:
one live lease per slot, one slot of a task per labeler, one lease per labeler, project and kind.
"""

import random
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.db import IntegrityError

from labeling import errors
from labeling.models import sql
from labeling.models.people import User
from labeling.models.projects import Project
from labeling.models.quality import ReviewCase
from labeling.models.work import Draft, Exclusion, Kind, LabelingTask, Lease, Purpose, Skip, Slot
from labeling.selectors import work
from labeling.services import audit, cases, claims, silent, tasks

ATTEMPTS = 5


def acquire(
    *,
    project: Project,
    guideline_id: int | None,
    labeler: User,
    kinds: Sequence[Kind],
    now: datetime,
    paused: bool = False,
    ahead: bool = False,
) -> tuple[Lease, datetime] | None:
    """The labeler's unfinished lease, renewed, or a new one; None where nothing waits. Also: when it ends.

    Who is paused gets the unfinished one only. `ahead` fetches the task that comes after it, one at most, which
    begins when the labeler asks for their next; None also where one of another kind is fetched already, and where it
    would be the last that waits.
    """
    if project.status != Project.Status.OPEN:
        raise errors.ProjectClosed(fields={"project": f"is {project.status}"})
    for attempt in range(ATTEMPTS):
        try:
            with sql.writing():
                return _acquire(project, guideline_id, labeler, kinds, now, paused, ahead)
        except IntegrityError:
            # The same labeler asked twice at once and this request came second: look again.
            if attempt == ATTEMPTS - 1:
                raise
    return None


def _acquire(
    project: Project,
    guideline_id: int | None,
    labeler: User,
    kinds: Sequence[Kind],
    now: datetime,
    paused: bool,
    ahead: bool,
) -> tuple[Lease, datetime] | None:
    ends = now + timedelta(seconds=project.lease_seconds)
    whose: Any = {"project_id": project.pk, "labeler_id": labeler.pk}
    if not ahead:
        held = claims.unfinished(**whose, kinds=kinds, ends=ends, begin=not paused)
        if held is not None:
            return _begun(held, now), ends
    if paused:
        raise errors.Paused(fields={"project": "has paused your work"})
    if ahead and (fetched := claims.fetched_ahead(**whose, ends=ends)):
        token, kind = fetched
        return (Lease.objects.get(token=token), ends) if kind in kinds else None
    if ahead and not _leaves_some(whose, kinds, now):
        return None
    claim = silent.draw(project=project, kinds=kinds, labeler_id=labeler.pk, now=now, ahead=ahead) or claims.claim(
        project_id=project.pk,
        kinds=kinds,
        labeler_id=labeler.pk,
        token=uuid4(),
        random_share=project.random_share,
        now=now,
        ends=ends,
        ahead=ahead,
    )
    if claim is None:
        return None
    contents = work.contents(task_id=claim.task_id, labeler_id=labeler.pk)
    values: dict[str, Any] = {
        "token": claim.token,
        "slot_id": claim.slot_id,
        "task_id": claim.task_id,
        "labeler_id": labeler.pk,
        "guideline_id": guideline_id,
        "order_shown": _order(contents.responses, claim.task_id, labeler),
        "drawn_at_random": claim.drawn_at_random,
        "selection_probability": claim.probability,
        "created_at": now,
        "begun_at": None if ahead else now,
    }
    lease = sql.loaded(Lease, id=sql.insert(Lease, **values), **values)
    lease.contents = contents
    return lease, ends


def _leaves_some(whose: dict[str, int], kinds: Sequence[Kind], now: datetime) -> bool:
    """Whether more than one slot waits: the last is for who has nothing to do, not for who will have."""
    for kind in kinds:
        if claims.waits(**whose, kind=kind, now=now):
            return claims.waits(**whose, kind=kind, now=now, besides=1)
    return False


def _begun(token: UUID, now: datetime) -> Lease:
    """The lease; its labeler's time at it begins now where it was fetched ahead."""
    lease = Lease.objects.get(token=token)
    if lease.begun_at is None:
        lease.begun_at = now
        lease.save(update_fields=["begun_at"])
    return lease


def give_back(*, token: UUID, labeler: User, now: datetime) -> bool:
    """Free a task that was fetched ahead, because its labeler leaves. False: it is begun, or theirs no more."""
    lease = mine(token=token, labeler=labeler)
    if lease.begun_at is not None:
        return False
    with sql.writing():
        return claims.give_back_ahead(project_id=lease.task.project.pk, labeler_id=labeler.pk, token=token, now=now)


def renew(*, token: UUID, labeler: User, now: datetime) -> datetime:
    """Begin the lease's time anew; returns its end. An expired lease that nobody took since is renewed too."""
    lease = mine(token=token, labeler=labeler)
    ends = now + timedelta(seconds=lease.task.project.lease_seconds)
    if not _extend(lease, ends):
        raise _why_lost(lease)
    return ends


def save_draft(*, token: UUID, labeler: User, body: Any, now: datetime) -> datetime | None:
    """Keep unfinished work, and renew. Returns the lease's end, or None where it is lost: the draft is kept anyway."""
    lease = mine(token=token, labeler=labeler)
    if lease.outcome is not None:
        raise _why_lost(lease)
    Draft.objects.update_or_create(task_id=lease.task_id, labeler=labeler, defaults={"body": body, "saved_at": now})
    ends = now + timedelta(seconds=lease.task.project.lease_seconds)
    return ends if _extend(lease, ends) else None


def skip(*, token: UUID, labeler: User, reason: str, comment: str, now: datetime) -> Skip:
    """Give the slot back for good. The task never returns to this labeler; enough skips halt it."""
    lease = mine(token=token, labeler=labeler)
    with sql.writing():
        task = LabelingTask.objects.select_for_update(no_key=True).get(pk=lease.task_id)
        lease.refresh_from_db(fields=["outcome"])
        if lease.outcome in (Lease.Outcome.ANSWERED, Lease.Outcome.LATE):
            raise errors.AlreadyAnswered
        known = Skip.objects.filter(task=task, labeler=labeler).first()
        if known is not None:
            return known
        held = Slot.objects.filter(task=task, labeler=labeler, state=Slot.State.LEASED)
        held.filter(reserved=False).update(state=Slot.State.OPEN, labeler=None, token=None, free_at=now)
        held.filter(reserved=True).update(state=Slot.State.WITHDRAWN, labeler=None, token=None)
        stored = Skip.objects.create(
            task=task, labeler=labeler, lease=lease, reason=reason, comment=comment, created_at=now
        )
        Exclusion.objects.get_or_create(task=task, labeler=labeler, defaults={"reason": Exclusion.Reason.SKIPPED})
        Lease.objects.filter(pk=lease.pk).update(outcome=Lease.Outcome.SKIPPED)
        audit.note(project=lease.task.project, actor=labeler, action="task_skipped", subject=f"task:{task.uuid}",
                   details={"reason": reason}, now=now)  # fmt: skip
        if task.purpose == Purpose.REPEAT:
            tasks.withdraw(tasks=LabelingTask.objects.filter(pk=task.pk), state=LabelingTask.State.CLOSED)
        elif task.state == LabelingTask.State.OPEN and task.skips.count() >= lease.task.project.skips_to_halt:
            cases.halt(task=task, why=ReviewCase.Why.SKIPS, now=now)
    return stored


_MINE = """
    SELECT l.id, l.slot_id, l.task_id, l.labeler_id, l.guideline_id, l.order_shown, l.outcome, l.created_at, l.begun_at,
        t.uuid, t.kind, t.purpose, t.prompt_id, t.rollout_set_id, t.repeat_of_id, t.policy_draft, t.state,
        (SELECT COUNT(*) FROM labeling_slot s WHERE s.task_id = t.id AND s.number < 2),
        (SELECT {object}(r.uuid, r.id) FROM labeling_response r WHERE r.rollout_set_id = t.rollout_set_id),
        p.id, p.uuid, p.slug, p.status, p.lease_seconds, p.skips_to_halt, p.flags_to_halt, p.quality, p.allow_ties,
        p.allow_partial, p.allow_unacceptable, p.flags, p.likert_points, p.ask_rationale, p.ask_confidence
    FROM labeling_lease l
    JOIN labeling_labelingtask t ON t.id = l.task_id
    JOIN labeling_project p ON p.id = t.project_id
    WHERE l.token = %s
"""


def mine(*, token: UUID, labeler: User) -> Lease:
    """The lease with this token, if it is this labeler's; with its task and the project's rules of labeling.

    `lease.task.shared` says whether the task has more than one slot; `lease.task.responses` are its responses' keys.
    """
    statement = _MINE.format(object="json_group_object" if sql.is_sqlite() else "json_object_agg")
    row = sql.first(statement, [sql.key(token)])
    if row is None:
        raise errors.LeaseUnknown(fields={"token": "is not the token of a lease"})
    if row[3] != labeler.pk:
        raise errors.LeaseOfAnother(fields={"token": "belongs to somebody else"})
    project = sql.loaded(
        Project,
        id=row[19],
        uuid=sql.as_uuid(row[20]),
        slug=row[21],
        status=row[22],
        lease_seconds=row[23],
        skips_to_halt=row[24],
        flags_to_halt=row[25],
        quality=sql.as_json(row[26]),
        allow_ties=bool(row[27]),
        allow_partial=bool(row[28]),
        allow_unacceptable=bool(row[29]),
        flags=sql.as_json(row[30]),
        likert_points=row[31],
        ask_rationale=bool(row[32]),
        ask_confidence=bool(row[33]),
    )
    task = sql.loaded(
        LabelingTask,
        {"project": project},
        id=row[2],
        project_id=row[19],
        uuid=sql.as_uuid(row[9]),
        kind=row[10],
        purpose=row[11],
        prompt_id=row[12],
        rollout_set_id=row[13],
        repeat_of_id=row[14],
        policy_draft=row[15],
        state=row[16],
    )
    task.shared = row[17] > 1
    task.responses = {str(sql.as_uuid(uuid)): key for uuid, key in (sql.as_json(row[18]) or {}).items()}
    return sql.loaded(
        Lease,
        {"task": task, "labeler": labeler},
        id=row[0],
        token=token,
        slot_id=row[1],
        task_id=row[2],
        labeler_id=row[3],
        guideline_id=row[4],
        order_shown=sql.as_json(row[5]),
        outcome=row[6],
        created_at=sql.as_time(row[7]),
        begun_at=sql.as_time(row[8]) if row[8] else None,
    )


_EXTEND = """
    UPDATE labeling_slot SET free_at = CASE WHEN reserved THEN NULL ELSE %s END
    WHERE id = %s AND token = %s AND state = 'leased'
"""


def _extend(lease: Lease, ends: datetime) -> bool:
    """False: the slot is not this lease's any more."""
    values = [sql.time(ends), lease.slot_id, sql.key(lease.token)]
    return bool(sql.change(_EXTEND, values))


def _why_lost(lease: Lease) -> errors.Refused:
    if lease.outcome in (Lease.Outcome.ANSWERED, Lease.Outcome.LATE):
        return errors.AlreadyAnswered()
    if lease.outcome == Lease.Outcome.SKIPPED:
        return errors.AlreadySkipped()
    return errors.LeaseLost(fields={"token": "expired, and the slot went to somebody else or was withdrawn"})


def _order(responses: Iterable[str], task_id: int, labeler: User) -> list[str]:
    """Response ids, shuffled per labeler and task: handed out again, a task looks the same."""
    ids = list(responses)
    random.Random(f"{task_id}:{labeler.uuid}").shuffle(ids)
    return ids
