"""Measurements are asked for, claimed by a process, and finished. Each change is a compare-and-swap."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Max, Q

from labeling.models.answers import Answer
from labeling.models.measurements import LabelerMeasure, Measurement
from labeling.models.people import User
from labeling.models.projects import Project

LOST = timedelta(minutes=30)  # of silence; a measurement of a million tasks takes less
KEPT = 100  # of a project's measurements


def request(*, project: Project, by: User | None, now: datetime) -> Measurement:
    """Ask for a measurement; the one that waits or is at work already, where there is one."""
    while True:
        try:
            with transaction.atomic():
                return Measurement.objects.create(project=project, requested_at=now, requested_by=by)
        except IntegrityError:
            # It may finish before we look; then ask again.
            if known := Measurement.objects.filter(project=project, finished_at=None).first():
                return known


def request_due(*, every: timedelta, now: datetime) -> int:
    """Ask for one of each open project that has newer answers than its last. Returns how many were asked for."""
    asked = 0
    for project in Project.objects.filter(status=Project.Status.OPEN).order_by("id"):
        last = Measurement.objects.filter(project=project).order_by("-id").first()
        if last and (last.finished_at is None or last.finished_at > now - every):
            continue
        newest = newest_answer(project=project)
        if newest is not None and (last is None or newest != last.answers_through):
            request(project=project, by=None, now=now)
            asked += 1
    return asked


def newest_answer(*, project: Project) -> int | None:
    return Answer.objects.filter(project=project).aggregate(newest=Max("pk"))["newest"]


def waiting(*, now: datetime) -> Measurement | None:
    """The oldest that nobody works on."""
    free = Measurement.objects.filter(_claimable(now)).select_related("project")
    return free.order_by("requested_at", "id").first()


def claim(*, measurement: Measurement, now: datetime) -> bool:
    """Take it. False: another process was first."""
    attempt = measurement.attempt
    free = Measurement.objects.filter(_claimable(now), pk=measurement.pk, attempt=attempt)
    if not free.update(started_at=now, attempt=attempt + 1):
        return False
    measurement.attempt, measurement.started_at = attempt + 1, now
    return True


@transaction.atomic
def finish(
    *,
    measurement: Measurement,
    report: dict[str, Any],
    labelers: Sequence[LabelerMeasure],
    answers_through: int | None,
    sha256: str,
    now: datetime,
) -> bool:
    """Store what was found. False: another process has taken it over meanwhile."""
    if not _held(measurement).update(
        finished_at=now, report=report, answers_through=answers_through, sha256=sha256, error=""
    ):
        return False
    for labeler in labelers:
        labeler.measurement = measurement
    LabelerMeasure.objects.bulk_create(labelers, batch_size=500)
    kept = Measurement.objects.filter(project=measurement.project).order_by("-id").values_list("pk", flat=True)
    oldest = list(kept[KEPT - 1 : KEPT])
    Measurement.objects.filter(project=measurement.project, pk__lt=oldest[0] if oldest else 0).delete()
    return True


def release(*, measurement: Measurement) -> bool:
    """Give it back: its process has to stop, and another one starts it anew."""
    return bool(_held(measurement).update(started_at=None))


def fail(*, measurement: Measurement, error: str, now: datetime) -> bool:
    return bool(_held(measurement).update(finished_at=now, error=error[:2_000] or "It failed without saying why."))


def _held(measurement: Measurement) -> Any:
    return Measurement.objects.filter(pk=measurement.pk, attempt=measurement.attempt, finished_at=None)


def _claimable(now: datetime) -> Q:
    return Q(finished_at=None) & (Q(started_at=None) | Q(started_at__lt=now - LOST))
