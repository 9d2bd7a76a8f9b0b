"""Snapshots: annotations frozen as hashed JSONL, so that a training run can be done again."""

import shutil
import uuid
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction

from contracts import snapshots as files
from labeling import errors
from labeling.models.people import User
from labeling.models.projects import Project
from labeling.models.records import Corpus, Snapshot
from labeling.selectors import filters as filtering
from labeling.selectors import records, weights
from labeling.selectors.records import unweighted


def freeze(*, project: Project, kind: str, filters: dict[str, Any], by: User | None, now: datetime) -> Snapshot:
    """Freeze what the filters take now. The same content as an earlier snapshot of the project is that snapshot.

    kind "corpus" takes {"corpus": id}, or the newest one. Refuses an empty snapshot: nothing could train on it.
    """
    if kind == Snapshot.Kind.CORPUS:
        return _freeze_corpus(project=project, filters=filters, by=by, now=now)
    if kind not in Snapshot.Kind.values:
        raise errors.Invalid(
            "There is no such kind of snapshot.", fields={"kind": f"must be one of {', '.join(Snapshot.Kind.values)}"}
        )
    parsed = filtering.parse(filters)
    details: dict[str, Any] = {"project": project.slug, "filters": filtering.plain(filters)}
    reliability = None
    if parsed.weights == "reliability":
        reliability = weights.newest(project=project)
        if reliability is None:
            raise errors.NotMeasured(fields={"weights": "no labeler's reliability is known yet"})
        details["reliability"] = reliability.details()
    weigh = reliability.of_answer if reliability else unweighted
    rows = records.records(project=project, kind=kind, filters=parsed, weigh=weigh)
    identity = uuid.uuid4()
    location = Path("snapshots") / str(identity)
    folder = Path(settings.ARTIFACTS) / location
    manifest = files.write(
        folder,
        kind=kind,
        records=rows,
        details={**details, "snapshot": str(identity)},
    )
    if manifest.rows == 0:
        shutil.rmtree(folder)
        raise errors.Invalid(f"The project has no {kind} that these filters take.", code="empty_snapshot")
    snapshot = _register(
        Snapshot(
            uuid=identity,
            project=project,
            kind=kind,
            sha256=manifest.sha256,
            rows=manifest.rows,
            location=location.as_posix(),
            filters=filtering.plain(filters),
            created_by=by,
            created_at=now,
        )
    )
    if snapshot.uuid != identity:
        shutil.rmtree(folder)
    return snapshot


def _freeze_corpus(*, project: Project, filters: dict[str, Any], by: User | None, now: datetime) -> Snapshot:
    if unknown := set(filters) - {"corpus"}:
        raise errors.Invalid(code="bad_filter", fields={min(unknown): "unknown filter; a corpus takes only: corpus"})
    corpora = Corpus.objects.filter(project=project).order_by("-id")
    if "corpus" in filters:
        try:
            corpora = corpora.filter(uuid=uuid.UUID(str(filters["corpus"])))
        except ValueError:
            raise errors.Invalid(code="bad_filter", fields={"corpus": "must be a corpus' id"}) from None
    corpus = corpora.first()
    if corpus is None:
        raise errors.Invalid("The project has no such corpus.", code="empty_snapshot")
    with corpus.path.open("rb") as stream:
        rows = sum(1 for _ in stream)
    return _register(
        Snapshot(
            project=project, kind=Snapshot.Kind.CORPUS, sha256=corpus.sha256, rows=rows, location=corpus.location,
            filters={"corpus": str(corpus.uuid)}, created_by=by, created_at=now,
        )
    )  # fmt: skip


def _register(snapshot: Snapshot) -> Snapshot:
    """Store the row, or return the one with the same content."""
    try:
        with transaction.atomic():
            snapshot.save(force_insert=True)
    except IntegrityError:
        return Snapshot.objects.get(project=snapshot.project, kind=snapshot.kind, sha256=snapshot.sha256)
    return snapshot
