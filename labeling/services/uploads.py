"""Uploads in pieces: a large file comes over a bad line, goes on where it broke off, and is imported by a worker.

The next piece says at which byte it begins; only the byte that is wanted next is taken, so a piece that comes twice
does no harm.
"""

import fcntl
import hashlib
import os
import uuid
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from labeling import errors
from labeling.formats import reading
from labeling.formats.items import (
    DemonstrationItem,
    DocumentItem,
    Item,
    JudgmentItem,
    RankingItem,
    ResponsesItem,
    Unreadable,
)  # fmt: skip
from labeling.models.imports import Import
from labeling.models.people import User
from labeling.models.projects import Project
from labeling.services import audit, imports
from labeling.services.import_options import Options

PIECE = 64 << 20  # bytes that one request may bring
LOOKED_AT = 20_000  # records that a preview counts at most
SHOWN = 20
SILENT = timedelta(minutes=1)  # after which a worker's import is given to another: far more than a batch takes
KEPT = timedelta(days=7)  # an upload that nobody finished


def begin(*, project: Project, name: str, size: int, by: User, now: datetime) -> Import:
    if not 0 < size <= settings.UPLOAD_LIMIT:
        raise errors.TooLarge(fields={"bytes": f"must be from 1 to {settings.UPLOAD_LIMIT}"})
    identity = uuid.uuid4()
    folder = Path(settings.ARTIFACTS) / "uploads"
    folder.mkdir(parents=True, exist_ok=True)
    # The name stays at the end: its suffix helps to tell what a text file holds.
    location = f"uploads/{identity}{''.join(Path(name).suffixes[-2:])[:20]}"
    (Path(settings.ARTIFACTS) / location).touch()
    return Import.objects.create(
        uuid=identity, project=project, name=Path(name).name[:200] or "file", bytes=size, location=location,
        state=Import.State.UPLOADING, created_by=by, created_at=now,
    )  # fmt: skip


def append(*, row: Import, offset: int, blocks: Iterator[bytes]) -> Import:
    """Take a piece that begins at `offset`. What came of a piece that broke off is kept."""
    if row.state != Import.State.UPLOADING:
        raise errors.Conflict("This file is here as a whole already.", code="upload_finished")
    with row.path.open("r+b") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        row.refresh_from_db()
        if offset != row.received:
            raise errors.Conflict(
                f"The next byte that is wanted is {row.received}.", code="wrong_offset",
                fields={"offset": f"must be {row.received}"},
            )  # fmt: skip
        stream.seek(offset)
        at = offset
        try:
            for block in blocks:
                if at + len(block) > row.bytes:
                    raise errors.Invalid(
                        code="too_many_bytes", fields={"body": f"the file was to have {row.bytes} bytes"}
                    )
                stream.write(block)
                at += len(block)
        finally:
            stream.flush()
            os.fsync(stream.fileno())
            stream.truncate(at)
            Import.objects.filter(pk=row.pk).update(received=at)
        row.received = at
        if at == row.bytes:
            stream.seek(0)
            row.sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
            row.state = Import.State.READY
            Import.objects.filter(pk=row.pk).update(state=row.state, sha256=row.sha256)
    return row


def preview(*, row: Import, options: Options, now: datetime) -> dict[str, Any]:
    """What the file's first records are, and what the import would do. Stores nothing."""
    _here(row)
    try:
        look = reading.look(row.path, options.format, options.mapping, SHOWN)
        report = imports.dry_run(row=row, options=options, now=now, most=LOOKED_AT) if look.format else None
    except Unreadable as error:
        sentence = _named(row, str(error))
        raise errors.Invalid(sentence, code="unreadable_file", fields={"file": sentence}) from None
    return {
        "format": look.format,
        "formats": list(reading.FORMATS),
        "field_names": look.fields,
        "records": [_shown(one) for one in look.records],
        "report": asdict(report) if report else None,
        "whole": report is not None and report.records < LOOKED_AT,
    }  # fmt: skip


def start(*, row: Import, options: Options, by: User, now: datetime) -> Import:
    """Put the file in the queue of imports, which workers look at every second."""
    _here(row)
    with transaction.atomic():
        changed = Import.objects.filter(pk=row.pk, state=Import.State.READY).update(
            state=Import.State.QUEUED, options=options.to_plain(), seen_at=now
        )
        if not changed:
            raise errors.Conflict("This import was started already.", code="import_started")
        audit.note(project=row.project, actor=by, action="import_started", subject=f"import:{row.uuid}", now=now)
    row.refresh_from_db()
    return row


def cancel(*, row: Import, by: User, now: datetime) -> None:
    """Stop it and forget the file. What is stored stays."""
    open_states = [Import.State.UPLOADING, Import.State.READY, Import.State.QUEUED, Import.State.RUNNING]
    Import.objects.filter(pk=row.pk, state__in=open_states).update(state=Import.State.CANCELLED, finished_at=now)
    audit.note(project=row.project, actor=by, action="import_cancelled", subject=f"import:{row.uuid}", now=now)
    _forget(row)


def work(identity: uuid.UUID, *, now: datetime) -> None:
    """Called by a worker: claim the import and see it through. Its end is in its row."""
    row = imports.claim(identity, now=now)
    if row is None:
        return
    try:
        imports.follow(row=row, path=row.path, by=row.created_by, now=now)
    except (Unreadable, errors.Refused):
        pass
    finally:
        row.refresh_from_db()
        if row.state != Import.State.RUNNING:
            _forget(row)


def waiting(*, now: datetime) -> list[uuid.UUID]:
    """Imports that no worker has taken up yet, or whose worker fell silent; the oldest first."""
    silent = Q(state=Import.State.RUNNING, seen_at__lt=now - SILENT)
    rows = Import.objects.filter(Q(state=Import.State.QUEUED) | silent).exclude(location="").order_by("id")
    return list(rows.values_list("uuid", flat=True))


def sweep(*, now: datetime) -> int:
    """Forget uploads that nobody finished."""
    old = Import.objects.filter(
        state__in=[Import.State.UPLOADING, Import.State.READY], created_at__lt=now - KEPT
    )  # fmt: skip
    for row in old:
        _forget(row)
    return old.update(state=Import.State.CANCELLED, finished_at=now)


def describe(item: Item) -> dict[str, Any]:
    """An item of a preview."""
    if isinstance(item, DocumentItem):
        return {"kind": "document", "text": item.text[:2000]}
    kind = type(item).__name__.removesuffix("Item").lower()
    found: dict[str, Any] = {"kind": kind, "messages": [turn.to_json() for turn in item.messages]}
    if isinstance(item, DemonstrationItem):
        found["reply"] = [turn.to_json() for turn in item.reply]
    if isinstance(item, RankingItem | ResponsesItem):
        found["responses"] = [{"text": one.text, "source": one.source} for one in item.responses]
    if isinstance(item, RankingItem):
        found["orders"] = [{"ranks": one.ranks, "annotator": one.annotator} for one in item.orders]
    if isinstance(item, JudgmentItem):
        found |= {"responses": [{"text": item.response.text, "source": item.response.source}], "good": item.good}
    return found


def _shown(record: dict[str, Any]) -> dict[str, Any]:
    return {**record, "value": _short(record["value"]), "items": [describe(item) for item in record["items"]]}


def _here(row: Import) -> None:
    if row.state == Import.State.UPLOADING:
        raise errors.Conflict(
            f"{row.received} of {row.bytes} bytes have come.", code="upload_unfinished"
        )  # fmt: skip
    if row.state != Import.State.READY:
        raise errors.Conflict("This import was started already, or cancelled.", code="import_started")


def _forget(row: Import) -> None:
    if row.location:
        row.path.unlink(missing_ok=True)


def _named(row: Import, sentence: str) -> str:
    """A sentence about the file by the name that its owner knows."""
    return sentence.replace(row.path.name, row.name)


def _short(value: Any) -> Any:
    """A record as it is, with long texts cut: it is only to be looked at."""
    if isinstance(value, str):
        return value if len(value) <= 2000 else f"{value[:2000]}…"
    if isinstance(value, list):
        return [_short(one) for one in value[:50]]
    if isinstance(value, dict):
        return {key: _short(one) for key, one in list(value.items())[:50]}
    return value if isinstance(value, (bool, int, float, type(None))) else str(value)
