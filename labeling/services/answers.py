"""Taking an answer: once, whole, and never thrown away.

Answer, slot, task, audit entry and event commit together. An answer that comes after its slot went to somebody
else is kept and marked late. The same idempotency key and body again give the answer that is stored.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from django.db import IntegrityError, transaction

from contracts.snapshots import content_hash
from labeling import errors
from labeling.models import sql
from labeling.models.answers import Answer
from labeling.models.people import User
from labeling.models.projects import Project
from labeling.models.work import Exclusion, Kind, LabelingTask, Lease, Slot
from labeling.services import audit, following, leases, quality
from labeling.services.bodies import Body
from labeling.services.text import is_storable

RATIONALE = 20_000  # characters


@dataclass(frozen=True, kw_only=True)
class Submission:
    """What was sent, checked, and how to store its details once the answer has a row."""

    key: str
    body_hash: str
    rationale: str
    confidence: int | None
    active_ms: int | None
    flagged: bool  # a response of it carries a flag
    store_details: Callable[[Answer], None]


class _Overtaken(Exception):
    """The labeler has answered this task already."""


Reader = Callable[[Body, LabelingTask], Callable[[Answer], None]]


def submit(*, token: UUID, labeler: User, kind: Kind, plain: Any, read: Reader, now: datetime) -> tuple[Answer, bool]:
    """Check and store an answer. Returns it, and whether it was stored before under the same key."""
    lease = leases.mine(token=token, labeler=labeler)
    task, project = lease.task, lease.task.project
    if task.kind != kind:
        raise errors.WrongKind(fields={"token": f"is the lease of a {task.kind}"})
    body_hash = _body_hash(plain, str(task.uuid))
    key = plain.get("idempotency_key") if isinstance(plain, dict) else None
    if lease.outcome is not None and isinstance(key, str) and (known := _stored_before(labeler, key, body_hash)):
        return known, True
    _require_open(project)
    submission = _read(plain, task, body_hash, read)
    try:
        return _settle(lease, labeler, submission, now), False
    except (_Overtaken, IntegrityError) as error:
        # The same submission, or another of the same labeler, committed meanwhile.
        if known := _stored_before(labeler, submission.key, body_hash):
            return known, True
        if isinstance(error, _Overtaken) or Answer.objects.filter(task=task, labeler=labeler).exists():
            raise errors.AlreadyAnswered from None
        raise


@transaction.atomic
def revise(*, answer: Answer, labeler: User, plain: Any, read: Reader, now: datetime) -> Answer:
    """Store a new revision of the labeler's own answer; the old one stays."""
    assert answer.task is not None
    if answer.labeler_id != labeler.pk:
        raise errors.Forbidden("This answer is somebody else's.", code="answer_of_another")
    _require_open(answer.project)
    body_hash = _body_hash(plain, str(answer.task.uuid))
    if isinstance(plain, dict) and isinstance(plain.get("idempotency_key"), str):
        known = _stored_before(labeler, plain["idempotency_key"], body_hash)
        if known:
            return known
    if Answer.objects.filter(replaces=answer).exists():
        raise errors.Conflict("This answer has a newer revision; edit that one.", code="revision_outdated")
    submission = _read(plain, answer.task, body_hash, read)
    try:
        with transaction.atomic():
            revised = Answer.objects.create(
                project=answer.project,
                kind=answer.kind,
                purpose=answer.purpose,
                prompt=answer.prompt,
                rollout_set=answer.rollout_set,
                task=answer.task,
                labeler=labeler,
                lease=answer.lease,
                guideline=answer.guideline,
                order_shown=answer.order_shown,
                too_fast=answer.too_fast,
                late=answer.late,
                revision=answer.revision + 1,
                replaces=answer,
                created_at=now,
                **_common(submission),
            )
            submission.store_details(revised)
    except IntegrityError:
        raise errors.Conflict("This answer has a newer revision; edit that one.", code="revision_outdated") from None
    _tell(revised, labeler, "answer_revised", now)
    return revised


def _settle(lease: Lease, labeler: User, submission: Submission, now: datetime) -> Answer:
    task = lease.task
    with sql.writing():
        on_time, reserved = _take_slot(task, lease, labeler, now)
        late = not on_time
        values: dict[str, Any] = {
            **reserved,
            "uuid": uuid4(),
            "project_id": task.project_id,
            "kind": task.kind,
            "purpose": task.purpose,
            "prompt_id": task.prompt_id,
            "rollout_set_id": task.rollout_set_id,
            "task_id": task.pk,
            "labeler_id": labeler.pk,
            "lease_id": lease.pk,
            "guideline_id": lease.guideline_id,
            "order_shown": lease.order_shown,
            "too_fast": quality.is_too_fast(
                project=task.project,
                kind=task.kind,
                active_ms=submission.active_ms,
                held_ms=(now - (lease.begun_at or lease.created_at)).total_seconds() * 1000,
            ),
            "late": late,
            "revision": 1,
            "created_at": now,
            **_common(submission),
        }
        outcome = Lease.Outcome.LATE if late else Lease.Outcome.ANSWERED
        if late:
            Exclusion.objects.get_or_create(task=task, labeler=labeler, defaults={"reason": Exclusion.Reason.LATE})
        with sql.batch():
            values["id"] = sql.insert(Answer, **values)
            related = {"task": task, "project": task.project, "labeler": labeler}
            answer = sql.loaded(Answer, related, **values)
            submission.store_details(answer)
            sql.change(_END_LEASES, [str(outcome), labeler.pk, task.pk])
            if not late:
                sql.change(_DONE, [task.pk, task.pk])
            sql.change("DELETE FROM labeling_draft WHERE task_id = %s AND labeler_id = %s", [task.pk, labeler.pk])
            _tell(answer, labeler, "answer_submitted", now)
        following.follow(answer=answer, task=task, labeler=labeler, flagged=submission.flagged, now=now)
    return answer


_END_LEASES = "UPDATE labeling_lease SET outcome = %s WHERE labeler_id = %s AND task_id = %s"

_DONE = """
    UPDATE labeling_labelingtask SET state = 'done'
    WHERE id = %s AND state = 'open' AND purpose <> 'gold' AND NOT EXISTS (
        SELECT 1 FROM labeling_slot s WHERE s.task_id = %s AND s.free_at IS NOT NULL
    )
"""

_TAKE_OWN = {
    "sqlite": """
        UPDATE labeling_slot SET state = 'answered', free_at = NULL
        WHERE task_id = %s AND labeler_id = %s AND state = 'leased'
    """,
    # Those who answer the same task go one after another, so that the last of them sees that it is done. Also: a key
    # for the answer, whose row then goes with all the others in one statement.
    "postgresql": """
        WITH locked AS MATERIALIZED (SELECT id FROM labeling_labelingtask WHERE id = %s FOR NO KEY UPDATE),
        taken AS (
            UPDATE labeling_slot SET state = 'answered', free_at = NULL
            FROM locked WHERE task_id = locked.id AND labeler_id = %s AND state = 'leased'
            RETURNING labeling_slot.id
        )
        SELECT nextval('labeling_answer_id_seq'), EXISTS (SELECT 1 FROM taken) FROM locked
    """,
}

_OUTCOMES = "SELECT outcome FROM labeling_lease WHERE labeler_id = %s AND task_id = %s"


def _take_slot(task: LabelingTask, lease: Lease, labeler: User, now: datetime) -> tuple[bool, dict[str, int]]:
    """Fill the labeler's own slot, expired or not, else any that is free. False: all are others'.

    Also the answer's key, where the database gave one. Who holds a slot of a task has neither answered nor skipped
    it; of others, their leases tell.
    """
    if sql.is_sqlite():
        taken, reserved = bool(sql.change(_TAKE_OWN["sqlite"], [task.pk, labeler.pk])), {}
    else:
        row = sql.first(_TAKE_OWN["postgresql"], [task.pk, labeler.pk])
        if row is None:
            raise errors.LeaseUnknown(fields={"token": "is of a task that was erased"})
        taken, reserved = row[1], {"id": row[0]}
    return taken or _take_free(task, lease, labeler, now), reserved


def _take_free(task: LabelingTask, lease: Lease, labeler: User, now: datetime) -> bool:
    outcomes = {outcome for (outcome,) in sql.rows(_OUTCOMES, [labeler.pk, task.pk])}
    if outcomes & {Lease.Outcome.ANSWERED, Lease.Outcome.LATE}:
        raise _Overtaken
    if Lease.Outcome.SKIPPED in outcomes:
        raise errors.AlreadySkipped
    free = Slot.objects.select_for_update(skip_locked=True, no_key=True).filter(task=task, free_at__lte=now).first()
    return free is not None and bool(
        Slot.objects.filter(pk=free.pk, free_at__lte=now).update(
            state=Slot.State.ANSWERED, labeler=labeler, free_at=None, token=lease.token
        )
    )


def _read(plain: Any, task: LabelingTask, body_hash: str, read: Reader) -> Submission:
    project = task.project
    body = Body(plain)
    key = body.text("idempotency_key", most=100, required=True)
    rationale = body.text("rationale", most=RATIONALE)
    confidence = body.whole("confidence", least=1, most=5)
    active_ms = body.whole("active_ms", least=0)
    if confidence is not None and not project.ask_confidence:
        body.problem("confidence", "is not asked in this project", code="not_asked")
    if rationale and not project.ask_rationale:
        body.problem("rationale", "is not asked in this project", code="not_asked")
    flags = plain.get("flags") if isinstance(plain, dict) else None
    store_details = read(body, task)
    body.finish()
    return Submission(
        key=key, body_hash=body_hash, rationale=rationale, confidence=confidence, active_ms=active_ms,
        flagged=isinstance(flags, dict) and any(flags.values()), store_details=store_details,
    )  # fmt: skip


def _common(submission: Submission) -> dict[str, Any]:
    return {
        "rationale": submission.rationale,
        "confidence": submission.confidence,
        "active_ms": submission.active_ms,
        "idempotency_key": submission.key,
        "body_hash": submission.body_hash,
    }


_KNOWN = "SELECT id FROM labeling_answer WHERE labeler_id = %s AND idempotency_key = %s"


def _stored_before(labeler: User, key: str, body_hash: str) -> Answer | None:
    if not is_storable(key) or not sql.first(_KNOWN, [labeler.pk, key[:100]]):
        return None
    known = Answer.objects.select_related("task").get(labeler=labeler, idempotency_key=key[:100])
    if known.body_hash != body_hash:
        raise errors.KeyReused(fields={"idempotency_key": "came before with another body"})
    return known


def _body_hash(plain: Any, task: str) -> str:
    return content_hash({"task": task, "body": plain})


def _require_open(project: Project) -> None:
    if project.status != Project.Status.OPEN:
        raise errors.ProjectClosed(fields={"project": f"is {project.status}"})


def _tell(answer: Answer, labeler: User, action: str, now: datetime) -> None:
    assert answer.task is not None
    details = {"answer": str(answer.uuid), "kind": answer.kind, "late": answer.late, "revision": answer.revision}
    subject = f"task:{answer.task.uuid}"
    audit.note(project=answer.project, actor=labeler, action=action, subject=subject, details=details, now=now)
    audit.announce(
        project=answer.project,
        kind=action,
        payload={**details, "task": str(answer.task.uuid), "labeler": labeler.username},
        now=now,
    )
