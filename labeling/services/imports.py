"""Imports: files of prompts, demonstrations and preferences become rows, each content once.

A preference becomes a prompt, a rollout set of outside sources, and an answer without a labeler whose
`origin` names the format and the annotator. Nothing of it waits for a labeler unless that is asked for.
"""

from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from django.db import transaction

from contracts.snapshots import content_hash
from labeling.formats import own, reading
from labeling.formats.items import DemonstrationItem, Item, PromptItem, RankingItem
from labeling.models.answers import Answer, Demonstration, RankedResponse
from labeling.models.people import User
from labeling.models.projects import Project
from labeling.models.prompts import Prompt, Response, RolloutSet, Source
from labeling.models.work import Kind
from labeling.services import audit, prompts, sources, tasks
from labeling.services.prompts import NewPrompt
from labeling.services.text import is_storable_json

BATCH = 200
REASONS = 1000  # refused records that are listed one by one; more are only counted


@dataclass(kw_only=True)
class Report:
    """`stored` and `duplicates` count prompts, demonstrations and rankings; `refused` counts records."""

    format: str
    stored: int = 0
    duplicates: int = 0
    refused: int = 0
    prompts: int = 0
    demonstrations: int = 0
    rankings: int = 0
    reasons: list[dict[str, Any]] = field(default_factory=list)


class _DryRun(Exception):
    pass


def run(
    *,
    project: Project,
    path: Path,
    name: str,
    format: str,
    dry_run: bool,
    open_demonstrations: bool,
    by: User | None,
    now: datetime,
) -> Report:
    """Store a file's records. `dry_run` does the same and takes it back. Raises `Unreadable`.

    Each batch commits by itself: what a crash cuts short goes on where it stood when imported again.
    """
    format, records = reading.read(path, format)
    report = Report(format=format)
    try:
        # A dry run is one transaction, taken back; an atomic block within one is a savepoint.
        with _maybe_atomic(dry_run):
            for batch in _batches(_accepted(records, name, report)):
                with transaction.atomic():
                    _store(project, batch, format, open_demonstrations, now, report)
            if dry_run:
                raise _DryRun
    except _DryRun:
        return report
    audit.note(
        project=project, actor=by, action="imported", subject=f"file:{name}"[:100], now=now,
        details={key: value for key, value in vars(report).items() if key != "reasons"},
    )  # fmt: skip
    return report


def _accepted(records: Iterable[reading.Read], name: str, report: Report) -> Iterator[Item]:
    for record in records:
        reason = record.reason
        if not reason and not all(is_storable_json(_texts(item)) for item in record.items):
            reason = "contains a NUL or half a surrogate pair"
        if reason:
            report.refused += 1
            if len(report.reasons) < REASONS:
                report.reasons.append({"file": name, "line": record.line, "reason": reason})
            continue
        yield from record.items


def _store(
    project: Project, batch: list[Item], format: str, open_demonstrations: bool, now: datetime, report: Report
) -> None:
    new = [
        NewPrompt(
            messages=[turn.to_json() for turn in item.messages],
            split=item.split,
            meta=item.meta if isinstance(item, PromptItem) else {},
        )
        for item in batch
    ]
    known = set(
        Prompt.objects.filter(
            project=project, content_hash__in={content_hash(prompt.messages) for prompt in new}
        ).values_list("content_hash", flat=True)
    )
    rows = prompts.store(project=project, prompts=new, now=now)
    bare = [row for row, item in zip(rows, batch, strict=True) if isinstance(item, PromptItem)]
    for row in bare:
        fresh = row.content_hash not in known
        known.add(row.content_hash)
        report.prompts += fresh
        _count(report, fresh)
    if open_demonstrations and bare:
        tasks.open_demonstrations(project=project, prompts={row.pk: row for row in bare}.values(), now=now)
    pairs = list(zip(rows, batch, strict=True))
    demonstrations = [(row, item) for row, item in pairs if isinstance(item, DemonstrationItem)]
    rankings = [(row, item) for row, item in pairs if isinstance(item, RankingItem)]
    _store_demonstrations(project, demonstrations, format, now, report)
    _store_rankings(project, rankings, format, now, report)


def _store_demonstrations(
    project: Project, items: list[tuple[Prompt, DemonstrationItem]], format: str, now: datetime, report: Report
) -> None:
    answers: dict[str, Answer] = {}
    replies: dict[str, list[dict[str, str]]] = {}
    for prompt, item in items:
        reply = [turn.to_json() for turn in item.reply]
        key = content_hash({"prompt": prompt.content_hash, "reply": reply, "annotator": item.annotator})
        if key in answers:
            _count(report, False)
            continue
        replies[key] = reply
        answers[key] = _answer(project, Kind.DEMONSTRATION, prompt, None, format, item.annotator, key, now)
    for answer in _unseen(project, answers, report):
        report.demonstrations += 1
        Demonstration.objects.create(answer=answer, reply=replies[answer.body_hash])


def _store_rankings(
    project: Project, items: list[tuple[Prompt, RankingItem]], format: str, now: datetime, report: Report
) -> None:
    sets = _rollout_sets(project, items, format, now)
    answers: dict[str, Answer] = {}
    orders = {}
    for prompt, item in items:
        rollout_set = sets[_set_key(prompt, item)]
        for order in item.orders:
            key = content_hash(
                {"set": rollout_set.content_hash, "ranks": order.ranks, "unacceptable": order.unacceptable,
                 "annotator": order.annotator}
            )  # fmt: skip
            if key in answers:
                _count(report, False)
                continue
            orders[key] = order
            answers[key] = _answer(project, Kind.RANKING, prompt, rollout_set, format, order.annotator, key, now)
    stored = _unseen(project, answers, report)
    report.rankings += len(stored)
    responses: dict[int, list[int]] = {}
    keys = Response.objects.filter(rollout_set__in={answer.rollout_set_id for answer in stored})
    for set_id, pk in keys.order_by("rollout_set_id", "index").values_list("rollout_set_id", "pk"):
        responses.setdefault(set_id, []).append(pk)
    RankedResponse.objects.bulk_create(
        [
            RankedResponse(
                answer=answer,
                response_id=pk,
                rank=orders[answer.body_hash].ranks[index],
                unacceptable=bool(orders[answer.body_hash].unacceptable)
                and orders[answer.body_hash].unacceptable[index],
            )
            for answer in stored
            for index, pk in enumerate(responses[answer.rollout_set_id or 0])
        ],
        batch_size=BATCH,
    )


def _rollout_sets(
    project: Project, items: list[tuple[Prompt, RankingItem]], format: str, now: datetime
) -> dict[str, RolloutSet]:
    """The set of each item by its key, made where it is new."""
    wanted = {_set_key(prompt, item): (prompt, item) for prompt, item in items}
    found = {row.content_hash: row for row in RolloutSet.objects.filter(project=project, content_hash__in=list(wanted))}
    missing = {key: pair for key, pair in wanted.items() if key not in found}
    named = {
        choice.source: sources.register(
            project=project, kind=Source.Kind.OUTSIDE, name=choice.source[:200], reference=choice.source[:200], now=now
        )
        for _, item in missing.values()
        for choice in item.responses
    }
    made = RolloutSet.objects.bulk_create(
        RolloutSet(
            project=project, prompt=prompt, content_hash=key, sampling={"imported": format}, created_at=now
        )
        for key, (prompt, _) in missing.items()
    )  # fmt: skip
    Response.objects.bulk_create(
        [
            Response(rollout_set=row, index=index, text=choice.text, source=named[choice.source])
            for row in made
            for index, choice in enumerate(missing[row.content_hash][1].responses)
        ],
        batch_size=BATCH,
    )
    return {**found, **{row.content_hash: row for row in made}}


def _set_key(prompt: Prompt, item: RankingItem) -> str:
    responses = [[choice.text, choice.source] for choice in item.responses]
    return content_hash({"imported": prompt.content_hash, "responses": responses})


def _unseen(project: Project, answers: dict[str, Answer], report: Report) -> list[Answer]:
    """Store the answers whose content is new; returns them."""
    there = set(
        Answer.objects.filter(project=project, labeler=None, body_hash__in=list(answers)).values_list(
            "body_hash", flat=True
        )
    )
    new = [answer for key, answer in answers.items() if key not in there]
    for answer in answers.values():
        _count(report, answer.body_hash not in there)
    return Answer.objects.bulk_create(new, batch_size=BATCH)


def _answer(
    project: Project,
    kind: Kind,
    prompt: Prompt,
    rollout_set: RolloutSet | None,
    format: str,
    annotator: str,
    key: str,
    now: datetime,
) -> Answer:
    return Answer(
        project=project,
        kind=kind,
        prompt=prompt,
        rollout_set=rollout_set,
        origin=_origin(format, annotator),
        idempotency_key=key,
        body_hash=key,
        created_at=now,
    )


def _origin(format: str, annotator: str) -> str:
    """Our own records name the annotator in full already, whoever that was."""
    parts = [annotator] if format == own.NAME and annotator else [format, annotator]
    return ":".join(part for part in parts if part)[:120]


def _count(report: Report, new: bool) -> None:
    report.stored += new
    report.duplicates += not new


def _texts(item: Item) -> Any:
    """Every text of an item, as one JSON value."""
    found: list[Any] = [turn.to_json() for turn in item.messages]
    if isinstance(item, DemonstrationItem):
        found += [turn.to_json() for turn in item.reply]
    if isinstance(item, RankingItem):
        found += [[choice.text, choice.source] for choice in item.responses]
    if isinstance(item, PromptItem):
        found.append(item.meta)
    return found


def _batches(items: Iterator[Item]) -> Iterator[list[Item]]:
    while batch := list(islice(items, BATCH)):
        yield batch


def _maybe_atomic(whole: bool) -> Any:
    return transaction.atomic() if whole else nullcontext()
