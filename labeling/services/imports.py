"""Imports: files of prompts, demonstrations and preferences become rows, each content once.

A preference becomes a prompt, a rollout set of outside sources, and an answer without a labeler whose
`origin` names the format and the annotator. Nothing of it waits for a labeler unless that is asked for.
The command, the API and the worker all come through `run`; uploads are in `uploads.py`.
"""

import copy
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import IO, Any

from django.db import IntegrityError, OperationalError
from django.utils import timezone

from labeling import errors
from labeling.formats import corpus, reading, streams, tables
from labeling.formats.items import DocumentItem, Refusal, Unreadable
from labeling.models import bulk
from labeling.models.imports import Import
from labeling.models.people import User
from labeling.models.projects import Project
from labeling.models.prompts import Prompt
from labeling.services import ahead, audit, batches, cleaning, corpora, evaluations, gathering, nearness, staging, tasks
from labeling.services.batches import Report
from labeling.services.import_options import Options
from labeling.services.import_rows import Writer
from labeling.services.preparing import Prepared
from labeling.services.staging import Staged

BEAT = 5.0  # seconds between signs of life; after twelve times that an import is taken over
TRIES = 5  # of a batch whose prompts somebody else is storing at the same time


class Superseded(Exception):
    """Another process has taken this import over."""


def run(
    *, project: Project, path: Path, name: str, options: Options, dry_run: bool, by: User | None, now: datetime
) -> Report:
    """Store a file's records. A dry run counts the same and stores nothing. Raises `Unreadable`.

    Each batch commits by itself, and with it how far it is: the same file again goes on after the last batch.
    """
    sha256 = streams.checked(path)
    if dry_run:
        return _read(project, path, name, options, None, None, now)
    row = _take(project=project, path=path, name=name, sha256=sha256, options=options, by=by, now=now)
    return follow(row=row, path=path, by=by, now=now)


def dry_run(*, row: Import, options: Options, now: datetime, most: int) -> Report:
    """What the file's first `most` records would come to."""
    return _read(row.project, row.path, row.name, options, None, None, now, most=most)


def follow(*, row: Import, path: Path, by: User | None, now: datetime) -> Report:
    """See a claimed import through to its end.

    Only what may pass, a database that does not answer, leaves it running for another attempt; every other fault
    would come again, so it ends the import.
    """
    options = Options.from_plain(row.options)
    try:
        report = _whole(row, path, options, by, now)
    except Unreadable as error:
        _end(row, Import.State.FAILED, error=str(error))
        raise
    except Superseded:
        raise errors.Conflict(
            "This import was cancelled, or another process goes on with it.", code="superseded"
        ) from None
    except OperationalError:
        raise
    except Exception as error:
        fault = f"The import broke down, and the log says why: {type(error).__name__}."
        _end(row, Import.State.FAILED, error=str(error) if isinstance(error, errors.Refused) else fault)
        raise
    _end(row, Import.State.DONE, report=asdict(report), share=1.0)
    details = {key: value for key, value in asdict(report).items() if key not in ("refusals", "reasons")}
    audit.note(project=row.project, actor=by, action="imported", subject=f"file:{row.name}"[:100], now=now,
               details={**details, "import": str(row.uuid), "sha256": row.sha256})  # fmt: skip
    return report


def _whole(row: Import, path: Path, options: Options, by: User | None, now: datetime) -> Report:
    """The file, and the wall around what evaluation sets it brought or came while it was read."""
    if options.evaluation_set:
        tables.needed("datasketch", "Evaluation sets")  # before anything is stored without a wall
    walled = evaluations.exist(row.project)
    alive = _beating(row)
    report = _read(row.project, path, row.name, options, row, by, now, alive=alive)
    if options.evaluation_set:
        name = options.evaluation_set
        report.cleaned["walled"] = evaluations.wall(project=row.project, name=name, now=now, alive=alive)
    elif not walled:
        for name in evaluations.names(row.project):
            evaluations.wall(project=row.project, name=name, now=now, alive=alive)
    return report


def _beating(row: Import) -> Callable[[], None]:
    """What long steps between batches call, so that nobody takes this process for lost."""
    last = time.monotonic()

    def beat() -> None:
        nonlocal last
        if time.monotonic() - last < BEAT:
            return
        last = time.monotonic()
        mine = Import.objects.filter(pk=row.pk, attempt=row.attempt, state=Import.State.RUNNING)
        if not mine.update(seen_at=timezone.now()):
            raise Superseded

    return beat


def _take(
    *, project: Project, path: Path, name: str, sha256: str, options: Options, by: User | None, now: datetime
) -> Import:
    """The unfinished import of the same file with the same options, claimed anew; or a new one."""
    plain = options.to_plain()
    unfinished = Import.objects.filter(project=project, sha256=sha256, location="", state=Import.State.RUNNING)
    for row in unfinished.order_by("-id"):
        if row.options == plain and _claim(row, now):
            return row
    size = sum(one.stat().st_size for one in path.rglob("*") if one.is_file()) if path.is_dir() else path.stat().st_size
    return Import.objects.create(
        project=project, name=name[:200], bytes=size, received=size, sha256=sha256, options=plain,
        state=Import.State.RUNNING, attempt=1, seen_at=now, created_by=by, created_at=now,
    )  # fmt: skip


def _claim(row: Import, now: datetime) -> bool:
    won = Import.objects.filter(
        pk=row.pk, attempt=row.attempt, state__in=[Import.State.RUNNING, Import.State.QUEUED]
    ).update(attempt=row.attempt + 1, state=Import.State.RUNNING, seen_at=now)
    row.attempt += 1
    return won == 1


def claim(identity: Any, *, now: datetime) -> Import | None:
    """The import, if it waits or its reader was lost; None where somebody else has it."""
    row = Import.objects.select_related("project", "created_by").filter(uuid=identity).first()
    if row is None or row.state not in (Import.State.QUEUED, Import.State.RUNNING):
        return None
    return row if _claim(row, now) else None


def _end(row: Import, state: Import.State, **values: Any) -> None:
    Import.objects.filter(pk=row.pk, attempt=row.attempt, state=Import.State.RUNNING).update(
        state=state, finished_at=timezone.now(), **values
    )


def _read(
    project: Project, path: Path, name: str, options: Options, row: Import | None, by: User | None, now: datetime,
    most: int | None = None, alive: Callable[[], None] = nearness.nothing,
) -> Report:  # fmt: skip
    """Through the whole file; `row` is None in a dry run, and `most` the records that it looks at."""
    watch: list[IO[bytes]] = []
    format, records = reading.read(path, options.format, options.mapping, watch)
    report = Report(format=format)
    records = islice(records, most)
    if format == corpus.NAME:
        return _corpus(project, name, records, report, row is None, by, now, alive)
    if row is not None and row.report:
        report = Report(**row.report)
    held = evaluations.named(project, options.evaluation_set, now) if row is not None else None
    writer = Writer(project=project, now=now, dry_run=row is None, evaluation_set=held)
    cleaner = cleaning.Cleaner(
        project=project, steps=options.cleaning, walled=not options.evaluation_set, alive=alive
    )  # fmt: skip
    try:
        with bulk.loading():
            pieces: Iterator[tuple[list[Prepared] | Staged, float]]
            if row is not None and cleaner.has_nothing_to_do and ahead.is_worth_it(path):
                pieces = ahead.batches(path, options.mapping, format, name, report, project.heldout_share, alive)
            else:
                _skip(records, report.records, name, alive)
                read = batches.batches(records, cleaner.item, format, name, report)
                pieces = ((batch, _share(watch, path)) for batch in read)
            for batch, share in pieces:
                _batch(writer, cleaner, batch, name, report, options, row, share, now)
    except Unreadable as error:
        kept = f" ({report.stored} items before it are stored)" if row is not None and report.stored else ""
        told = Unreadable(f"{error}{kept}")
        told.counts = asdict(report)
        raise told from None
    return report


def _skip(records: Iterator[reading.Read], count: int, name: str, alive: Callable[[], None]) -> None:
    """Past what an earlier attempt has dealt with."""
    for _ in range(count):
        if next(records, None) is None:
            raise Unreadable(f"{name} is shorter than it was when this import began")
        alive()


def _batch(
    writer: Writer, cleaner: cleaning.Cleaner, batch: list[Prepared] | Staged, name: str, report: Report,
    options: Options, row: Import | None, share: float, now: datetime,
) -> None:  # fmt: skip
    """One transaction. What came into being by another's hand in the meantime is looked up anew."""
    for attempt in range(TRIES):
        before = copy.deepcopy(report)
        try:
            staged = batch if isinstance(batch, Staged) else staging.stage(
                cleaner.sift(batch, report, name), heldout_share=writer.project.heldout_share, format=report.format
            )  # fmt: skip
            with bulk.staged(staging.TABLES, staged.block, dry_run=row is None):
                writer.store(staged, report)
                if row is not None:
                    cleaner.remember()
                    report.tasks += _open(writer, options, now)
                    _mark(row, report, share)
            return
        except IntegrityError:
            vars(report).update(vars(before))
            if attempt == TRIES - 1:
                raise
            cleaner.forget()


def _mark(row: Import, report: Report, share: float) -> None:
    """How far the import is, in the transaction of the batch itself."""
    marked = Import.objects.filter(pk=row.pk, attempt=row.attempt, state=Import.State.RUNNING).update(
        records=report.records, report=asdict(report), share=share, seen_at=timezone.now()
    )
    if not marked:
        raise Superseded


def _open(writer: Writer, options: Options, now: datetime) -> int:
    opened = 0
    if options.open_demonstrations and (waiting := writer.waiting()):
        found = Prompt.objects.filter(pk__in=waiting).only("pk")
        opened += len(tasks.open_demonstrations(project=writer.project, prompts=found, now=now))
    if options.open_rankings:
        opened += gathering.open_rankings(project=writer.project, hashes=writer.hashes(), now=now)
    return opened


def _share(watch: list[IO[bytes]], path: Path) -> float:
    """How much of the file is read, from 0 to 1."""
    if not watch or watch[0].closed:
        return 0.0
    return min(1.0, watch[0].tell() / max(1, path.stat().st_size))


def _outside(
    project: Project, records: Iterator[reading.Read], alive: Callable[[], None]
) -> Iterator[reading.Read]:  # fmt: skip
    """The records, with those refused that hold a paragraph that is nearly a prompt of an evaluation set.

    Running text comes in pieces that know no paragraphs: `corpora.store` looks at it as a whole.
    """
    if not evaluations.exist(project):
        yield from records
        return
    index = nearness.Index(project=project, only_evaluation=True, alive=alive)
    index.fill()
    while piece := list(islice(records, nearness.BATCH)):
        texts = {
            f"{place}.{number}": text
            for place, record in enumerate(piece)
            for item in record.items
            if isinstance(item, DocumentItem) and not item.goes_on
            for number, text in enumerate(corpora.paragraphs(item.text.splitlines(keepends=True)))
        }
        near = {key.partition(".")[0] for key, found in index.near(texts).items() if found}
        for place, record in enumerate(piece):
            yield replace(record, reason=evaluations.REFUSED) if str(place) in near else record


def _corpus(
    project: Project, name: str, records: Iterator[reading.Read], report: Report, dry_run: bool, by: User | None,
    now: datetime, alive: Callable[[], None],
) -> Report:  # fmt: skip
    """All documents of a file as one text, with a blank line between them."""

    def blocks() -> Iterator[bytes]:
        for record in _outside(project, records, alive):
            report.records += 1
            reason = record.reason
            try:
                block = b"".join(_document(item.text) for item in record.items if isinstance(item, DocumentItem))
            except Refusal as refusal:
                reason = str(refusal)
            if reason:
                report.refuse(name, record.line, reason)
                continue
            pieces = all(isinstance(item, DocumentItem) and item.goes_on for item in record.items)
            report.documents += not pieces
            yield block if pieces else block.rstrip(b"\n") + b"\n\n"

    if dry_run:
        for _ in blocks():
            pass
        report.stored = 1
        return report
    stored = corpora.store(project=project, name=name[:120], blocks=blocks(), by=by, now=now)
    fresh = stored.created_at == now
    report.stored, report.duplicates = int(fresh), int(not fresh)
    return report


def _document(text: str) -> bytes:
    if "\0" in text:
        raise Refusal("contains a NUL or half a surrogate pair")
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise Refusal("contains a NUL or half a surrogate pair") from None
