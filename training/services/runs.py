"""What changes a run's row. Every change is a compare-and-swap, and a worker's carry its attempt.

A worker that lost its run (silent for too long, requeued, claimed elsewhere) matches no row any more: its
functions here return False and it stops. Where to read next: `supervisor` calls them, `inputs` resolves.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Collection
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet

from contracts import configs
from labeling.models.people import User
from labeling.models.projects import Project
from labeling.services.text import storable
from training import errors
from training.models.rounds import Round
from training.models.runs import Run, RunInput
from training.services import inputs, messages
from training.services.storable import storable_json

Status = Run.Status
MOST_PROCESSES = 64
# Kinds whose algorithm shares its work among several processes.
PARALLEL = ("reward_model", "ppo")


def start(
    *,
    project: Project,
    kind: str,
    config: Any,
    given: Any,
    by: User | None,
    now: datetime,
    seed: int | None = None,
    name: str = "",
    processes: int = 1,
    queue: str = "",
    round: Round | None = None,
) -> Run:
    """Check everything, freeze the inputs that say so, and queue the run. Raises `BadRun` before any row is made.

    `given` maps names of `configs.INPUTS` to ids, {"hub": name} or {"filters": {...}}; see `inputs.resolve`.
    """
    problems: dict[str, str] = {}
    parsed = None
    try:
        parsed = configs.parse(kind, config)
    except configs.ConfigError as error:
        problems.update(error.fields)
    if kind not in configs.KINDS:
        raise errors.BadRun(fields=problems)
    if not 1 <= processes <= MOST_PROCESSES:
        problems["processes"] = f"must be from 1 to {MOST_PROCESSES}, found {processes}"
    elif processes > 1 and kind not in PARALLEL:
        problems["processes"] = f"{kind} works in one process; {', '.join(PARALLEL)} can share work among several"
    if seed is not None and not 0 <= seed < 2**63:
        problems["seed"] = f"must be from 0 to 2^63 - 1, found {seed}"
    if queue and queue not in settings.CELERY_TASK_QUEUES:
        problems["queue"] = f"must be one of {', '.join(settings.CELERY_TASK_QUEUES)}; found {queue!r}"
    plan = inputs.plan(project=project, kind=kind, config=parsed, given=given, problems=problems)
    if isinstance(parsed, configs.RewardModelConfig):
        inputs.check_labelers(project=project, names=parsed.left_out, problems=problems)
    if problems:
        raise errors.BadRun(fields=problems)
    assert parsed is not None
    rows = inputs.freeze(plan, project=project, by=by, now=now)
    run = Run(
        project=project,
        round=round,
        kind=kind,
        name=name or f"{kind} {Run.objects.filter(project=project, kind=kind).count() + 1}",
        config=parsed.to_json(),
        seed=secrets.randbelow(2**31) if seed is None else seed,
        processes=processes,
        queue=queue or settings.RUN_QUEUE,
        sent_at=now,
        created_by=by,
        created_at=now,
    )
    _create(run, rows)
    return run


@transaction.atomic
def _create(run: Run, rows: list[RunInput]) -> None:
    run.save(force_insert=True)
    for row in rows:
        row.run = run
    RunInput.objects.bulk_create(rows)
    _send_on_commit(run.id, run.queue)


@transaction.atomic
def cancel(*, run: Run, now: datetime) -> Run:
    """A queued run is cancelled at once; a running one is asked to stop, and stops within its grace."""
    ended = Run.objects.filter(id=run.id, status=Status.QUEUED).update(
        status=Status.CANCELLED, cancel_requested_at=now, finished_at=now
    )
    if not ended:
        running = Run.objects.filter(id=run.id, status=Status.RUNNING)
        asked = running.filter(cancel_requested_at__isnull=True).update(cancel_requested_at=now)
        if not asked and not running.exists():
            raise errors.RunIsFinal
    run.refresh_from_db()
    return run


@transaction.atomic
def resume(*, run: Run, now: datetime) -> Run:
    """Queue a failed or cancelled run again; it goes on from its saved state."""
    requeued = Run.objects.filter(id=run.id, status__in=[Status.FAILED, Status.CANCELLED]).update(
        status=Status.QUEUED,
        sent_at=now,
        cancel_requested_at=None,
        finished_at=None,
        error_code="",
        error_sentence="",
        log_tail="",
    )
    if not requeued:
        raise errors.RunCannotResume
    run.refresh_from_db()
    _send_on_commit(run.id, run.queue)
    return run


# The worker's side.


def claim(run_id: uuid.UUID, *, now: datetime) -> Run | None:
    """Take a queued run, or one whose worker was lost. None where there is nothing to take.

    Two workers that ask at once read the same attempt, and only one update still finds it.
    """
    free = Run.objects.filter(Run.claimable(now=now), id=run_id, cancel_requested_at__isnull=True)
    run = free.select_related("project").first()
    if run is None:
        return None
    attempt = run.attempt + 1
    started = run.started_at or now
    taken = free.filter(attempt=run.attempt).update(
        status=Status.RUNNING, attempt=attempt, heartbeat_at=now, started_at=started
    )
    if not taken:
        return None
    run.status, run.attempt, run.heartbeat_at, run.started_at = Status.RUNNING, attempt, now, started
    return run


def held(run_id: uuid.UUID, attempt: int) -> QuerySet[Run]:
    """The run's row as long as this attempt holds it, else no row: what fences every write of a worker."""
    return Run.objects.filter(id=run_id, attempt=attempt, status=Status.RUNNING)


def beat(run_id: uuid.UUID, attempt: int, *, progress: dict[str, Any] | None, now: datetime) -> bool:
    """Say that the worker lives, and how far the run is. False where the run is no longer ours."""
    values: dict[str, Any] = {"heartbeat_at": now}
    if progress is not None:
        values["progress"] = storable_json(progress)
    return held(run_id, attempt).update(**values) == 1


def is_cancel_requested(run_id: uuid.UUID, attempt: int) -> bool:
    return held(run_id, attempt).filter(cancel_requested_at__isnull=False).exists()


def fail(run_id: uuid.UUID, attempt: int, *, code: str, sentence: str, log_tail: str, now: datetime) -> bool:
    return (
        held(run_id, attempt).update(
            status=Status.FAILED,
            finished_at=now,
            error_code=code[:64] or "failed",
            error_sentence=storable(sentence) or "The run failed without saying why.",
            log_tail=storable(log_tail),
        )
        == 1
    )


def end_cancelled(run_id: uuid.UUID, attempt: int, *, now: datetime) -> bool:
    return held(run_id, attempt).update(status=Status.CANCELLED, finished_at=now) == 1


def release(run_id: uuid.UUID, attempt: int, *, now: datetime) -> bool:
    """Queue a run again because its worker shuts down; not sent: the next idle worker finds it."""
    return held(run_id, attempt).update(status=Status.QUEUED, sent_at=_long_ago(now)) == 1


# The reaper's side.


def requeue_lost(*, now: datetime, ours: Collection[uuid.UUID] = ()) -> int:
    """Queue runs whose worker fell silent; those that were to be cancelled are cancelled. Returns how many.

    `ours` are supervised in this very process, which lives: a late heartbeat of theirs means a busy database.
    """
    lost = Run.objects.filter(Run.lost(now=now)).exclude(id__in=list(ours))
    ended = lost.filter(cancel_requested_at__isnull=False).update(status=Status.CANCELLED, finished_at=now)
    # A run that takes its worker down with it would do so for ever.
    ended += lost.filter(attempt__gte=settings.RUN_MOST_ATTEMPTS).update(
        status=Status.FAILED,
        finished_at=now,
        error_code="worker_lost",
        error_sentence=(
            f"Its worker was lost again and again, and {settings.RUN_MOST_ATTEMPTS} attempts are enough; "
            "look whether the run exhausts the machine's memory, then resume it."
        ),
    )
    requeued = lost.filter(cancel_requested_at__isnull=True).update(status=Status.QUEUED, sent_at=_long_ago(now))
    return ended + requeued


def send_unheard(*, queues: Collection[str], limit: int, now: datetime) -> int:
    """Send queued runs again whose message nobody heard for `RUN_RESEND_SECONDS`, oldest first."""
    unheard = Q(status=Status.QUEUED, sent_at__lt=now - timedelta(seconds=settings.RUN_RESEND_SECONDS))
    waiting = Run.objects.filter(unheard, queue__in=list(queues)).order_by("created_at")
    sent = 0
    for run_id, queue in waiting.values_list("id", "queue")[:limit]:
        if Run.objects.filter(unheard, id=run_id).update(sent_at=now):
            sent += messages.send(run_id, queue=queue)
    return sent


def _long_ago(now: datetime) -> datetime:
    """A `sent_at` that makes the next idle worker send the run at once."""
    return now - timedelta(seconds=settings.RUN_RESEND_SECONDS + 1)


def _send_on_commit(run_id: uuid.UUID, queue: str) -> None:
    transaction.on_commit(partial(messages.send, run_id, queue=queue))
