"""What becomes of an archived project when its retention time is over: everything of it goes, and a report stays."""

import shutil
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, transaction
from django.db.models import Model

from labeling.models.answers import Answer, Demonstration, RankedResponse
from labeling.models.imports import Import
from labeling.models.invitations import Invitation
from labeling.models.judgments import Judgment
from labeling.models.measurements import LabelerMeasure, Measurement, SetMeasure
from labeling.models.people import Membership
from labeling.models.projects import Guideline, Project
from labeling.models.prompts import EvaluationSet, Prompt, PromptBand, Response, RolloutSet, Source
from labeling.models.quality import GoldItem, QualityCheck, ReviewCase
from labeling.models.records import AuditEntry, Corpus, OutboxEvent, Snapshot
from labeling.models.webhooks import Delivery, Webhook
from labeling.models.work import Draft, Exclusion, LabelingTask, Lease, Skip, Slot
from labeling.services import audit

# In the order in which they go: each is found by what goes after it. Foreign keys are checked at the commit.
TABLES: list[tuple[type[Model], str]] = [
    (LabelerMeasure, "measurement__project"),
    (Measurement, "project"),
    (SetMeasure, "project"),
    (Import, "project"),
    (RankedResponse, "answer__project"),
    (Demonstration, "answer__project"),
    (QualityCheck, "project"),
    (ReviewCase, "project"),
    (GoldItem, "project"),
    (Delivery, "webhook__project"),
    (Webhook, "project"),
    (Draft, "task__project"),
    (Skip, "task__project"),
    (Exclusion, "task__project"),
    (Answer, "project"),
    (Lease, "task__project"),
    (Slot, "project"),
    (LabelingTask, "project"),
    (Judgment, "project"),
    (Response, "rollout_set__project"),
    (RolloutSet, "project"),
    (Source, "project"),
    (PromptBand, "project"),
    (Prompt, "project"),
    (EvaluationSet, "project"),
    (Guideline, "project"),
    (Membership, "project"),
    (Invitation, "project"),
    (OutboxEvent, "project"),
    (Snapshot, "project"),
    (Corpus, "project"),
    (AuditEntry, "project"),
]


def due(*, now: datetime) -> list[Project]:
    """Archived projects whose retention time is over, oldest first."""
    rows = Project.objects.filter(status=Project.Status.ARCHIVED, retention_days__isnull=False).order_by("archived_at")
    return [row for row in rows if row.archived_at and row.archived_at + timedelta(days=row.retention_days or 0) <= now]


def count(project: Project) -> dict[str, int]:
    """Rows by what they are, as a purge would report them."""
    return {_name(model): model._default_manager.filter(**{path: project}).count() for model, path in TABLES}


def purge(
    *, project: Project, now: datetime, before: Callable[[Project], dict[str, int]] = lambda _: {}
) -> dict[str, Any]:
    """Delete the project with all its rows and files; returns how many of each. `before` deletes what others keep.

    Refuses one that is not archived any more. Files go after the commit: a crash leaves files, never rows without them.
    """
    with transaction.atomic():
        locked = Project.objects.select_for_update().filter(pk=project.pk, status=Project.Status.ARCHIVED).first()
        if locked is None or locked.archived_at != project.archived_at:
            raise ValueError(f"{project.slug} is not archived any more")
        paths = [row.path for model in (Snapshot, Corpus) for row in model.objects.filter(project=project)]
        paths += [row.path for row in Import.objects.filter(project=project).exclude(location="")]
        report: dict[str, int] = dict(before(project))
        for model, path in TABLES:
            rows = model._default_manager.filter(**{path: project})
            report[_name(model)] = rows._raw_delete(DEFAULT_DB_ALIAS)  # type: ignore[attr-defined]
        Project.objects.filter(pk=project.pk)._raw_delete(DEFAULT_DB_ALIAS)  # type: ignore[attr-defined]
        audit.note(project=None, actor=None, action="project_purged", subject=f"project:{project.uuid}",
                   details={"slug": project.slug, "rows": report}, now=now)  # fmt: skip
    return {"project": project.slug, "rows": report, "bytes": sum(map(_remove, paths))}


def _remove(path: Path) -> int:
    """Bytes that are gone; only ever below the artifacts folder."""
    if not path.resolve().is_relative_to(Path(settings.ARTIFACTS).resolve()) or not path.exists():
        return 0
    files = [path] if path.is_file() else [one for one in path.rglob("*") if one.is_file()]
    size = sum(one.stat().st_size for one in files)
    if path.is_file():
        path.unlink()
    else:
        shutil.rmtree(path)
    return size


def _name(model: type[Model]) -> str:
    return str(model._meta.verbose_name_plural).replace(" ", "_")
