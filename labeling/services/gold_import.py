"""Gold out of a file of rankings: each becomes a gold task of its own, known by the file's order."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from django.db import transaction

from labeling import errors
from labeling.formats import reading
from labeling.formats.items import RankingItem
from labeling.models.people import User
from labeling.models.projects import Project
from labeling.models.work import Kind, LabelingTask
from labeling.services import evaluations, gold, items
from labeling.services.text import is_storable_json

REASONS = 200  # refused records that are listed; more are only counted


@dataclass(kw_only=True)
class Report:
    format: str
    stored: int = 0
    duplicates: int = 0
    refused: int = 0
    reasons: list[dict[str, Any]] = field(default_factory=list)

    def refuse(self, line: int, reason: str) -> None:
        self.refused += 1
        if len(self.reasons) < REASONS:
            self.reasons.append({"line": line, "reason": reason})

    def plain(self) -> dict[str, Any]:
        return asdict(self)


def run(*, project: Project, path: Path, format: str, by: User | None, now: datetime) -> Report:
    """Each record commits by itself, so doing it again goes on where it stood. Raises `Unreadable`."""
    format, records = reading.read(path, format)
    report = Report(format=format)
    for line, found in _rankings(records, report):
        ranks = _order(found)
        if ranks is None:
            report.refuse(line, "has no single order that places every response and decides a pair")
            continue
        try:
            with transaction.atomic():
                fresh = _store(project, found, ranks, f"{path.name}, line {line}", by, now)
        except errors.Conflict as error:
            if error.code != "evaluation_prompt":
                raise
            report.refuse(line, evaluations.REFUSED)
            continue
        report.stored += fresh
        report.duplicates += not fresh
    return report


def _rankings(records: Any, report: Report) -> Iterator[tuple[int, RankingItem]]:
    for record in records:
        if record.reason:
            report.refuse(record.line, record.reason)
        for item in record.items:
            if not isinstance(item, RankingItem):
                report.refuse(record.line, "is not a ranking")
            elif not is_storable_json(_texts(item)):
                report.refuse(record.line, "contains a NUL or half a surrogate pair")
            else:
                yield record.line, item


def _texts(item: RankingItem) -> list[Any]:
    return [[turn.to_json() for turn in item.messages], [[one.text, one.source] for one in item.responses]]


def _order(item: RankingItem) -> dict[int, int] | None:
    """{index of a response: place}; None where the item's orders leave that open."""
    if len(item.orders) != 1:
        return None
    order = item.orders[0]
    bad = order.unacceptable or [False] * len(order.ranks)
    last = len(order.ranks) + 1
    places = {index: last if bad[index] else rank for index, rank in enumerate(order.ranks)}
    if len(set(places.values())) < 2 or not all(isinstance(place, int) for place in places.values()):
        return None
    return {index: place for index, place in places.items() if place is not None}


def _store(
    project: Project, item: RankingItem, ranks: dict[int, int], reason: str, by: User | None, now: datetime
) -> bool:
    """Whether it is new."""
    given = items.Item(
        messages=[turn.to_json() for turn in item.messages],
        responses=[(choice.source[: items.SOURCE] or "unknown", choice.text) for choice in item.responses],
    )
    opened, _ = items.open_tasks(project=project, kind=Kind.RANKING, items=[given], by=by, now=now)
    if not opened:
        return False
    task: LabelingTask = opened[0]
    assert task.rollout_set is not None
    ids = {row.index: str(row.uuid) for row in task.rollout_set.responses.all()}
    places = gold.dense({ids[index]: place for index, place in ranks.items()})
    gold.make(task=task, ranks=places, reason=reason, by=by, now=now)
    return True
