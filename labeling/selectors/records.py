"""Annotations as the records that training reads, in the order in which they were given."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Prefetch, Q, QuerySet
from django.utils.dateparse import parse_datetime

from contracts.records import DemonstrationRecord, JsonRecord, Message, PromptRecord, RankingRecord
from contracts.records import RankedResponse as RankedResponseRecord
from labeling import errors
from labeling.models.answers import Answer, RankedResponse
from labeling.models.projects import Project
from labeling.models.prompts import Prompt
from labeling.models.work import Kind, LabelingTask, Purpose

CHUNK = 500


@dataclass(frozen=True, kw_only=True)
class Filters:
    """Which annotations. None takes all."""

    split: str | None = None  # train or heldout
    since: datetime | None = None
    until: datetime | None = None
    labelers: list[str] | None = None  # usernames; imported answers have none and are left out
    without_labelers: list[str] | None = None
    imported: bool | None = None  # True: only imported ones; False: only our labelers'
    late: bool | None = None
    sources: list[UUID] | None = None  # at least one response is of one of these
    runs: list[UUID] | None = None  # rollout sets of these runs
    limit: int | None = None  # the first so many


def parse_filters(plain: dict[str, Any]) -> Filters:
    """Checked filters; refuses unknown names and wrong types."""
    problems: dict[str, str] = {}
    values: dict[str, Any] = {}
    known = {f.name: str(f.type) for f in fields(Filters)}
    for name, value in plain.items():
        if name not in known:
            problems[name] = f"unknown filter; known are {', '.join(known)}"
        elif value is not None:
            try:
                values[name] = _value(known[name], value)
            except (ValueError, TypeError) as error:
                problems[name] = str(error)
    if values.get("split") not in (None, *Prompt.Split.values):
        problems["split"] = "must be train or heldout"
    if problems:
        raise errors.Invalid("A filter is wrong.", code="bad_filter", fields=problems)
    return Filters(**values)


def records(*, project: Project, kind: str, filters: Filters) -> Iterator[JsonRecord]:
    if kind == "prompts":
        return prompts(project=project, filters=filters)
    if kind == "demonstrations":
        return demonstrations(project=project, filters=filters)
    if kind == "rankings":
        return rankings(project=project, filters=filters)
    raise errors.Invalid(fields={"kind": "must be prompts, demonstrations or rankings"})


def prompts(*, project: Project, filters: Filters) -> Iterator[PromptRecord]:
    rows = Prompt.objects.filter(project=project).order_by("id")
    if filters.split:
        rows = rows.filter(split=filters.split)
    if filters.since:
        rows = rows.filter(created_at__gte=filters.since)
    if filters.until:
        rows = rows.filter(created_at__lt=filters.until)
    for row in rows[: filters.limit].iterator(chunk_size=CHUNK):
        yield PromptRecord(id=str(row.uuid), messages=messages(row.messages), split=row.split, meta=row.meta)


def demonstrations(*, project: Project, filters: Filters) -> Iterator[DemonstrationRecord]:
    rows = _answers(project, filters, [Kind.DEMONSTRATION]).select_related("demonstration")
    for row in rows[: filters.limit].iterator(chunk_size=CHUNK):
        yield DemonstrationRecord(
            id=str(row.uuid),
            prompt_id=str(row.prompt.uuid),
            prompt=messages(row.prompt.messages),
            reply=messages(row.demonstration.reply),
            split=row.prompt.split,
            labeler=_labeler(row),
            guideline_version=row.guideline.version if row.guideline else 0,
        )


def rankings(*, project: Project, filters: Filters) -> Iterator[RankingRecord]:
    rows = _answers(project, filters, [Kind.RANKING, Kind.COMPARISON]).select_related("rollout_set")
    ranked = RankedResponse.objects.select_related("response__source").order_by("response__index")
    rows = rows.prefetch_related(Prefetch("ranked", queryset=ranked))
    for row in rows[: filters.limit].iterator(chunk_size=CHUNK):
        assert row.rollout_set is not None
        yield RankingRecord(
            id=str(row.uuid),
            prompt_id=str(row.prompt.uuid),
            group=str(row.rollout_set.uuid),
            prompt=messages(row.prompt.messages),
            responses=tuple(_ranked_response(one) for one in row.ranked.all()),
            split=row.prompt.split,
            labeler=_labeler(row),
            guideline_version=row.guideline.version if row.guideline else 0,
            order_shown=tuple(row.order_shown),
        )


def messages(plain: Sequence[dict[str, str]]) -> tuple[Message, ...]:
    return tuple(Message.from_json(one) for one in plain)


def _answers(project: Project, filters: Filters, kinds: list[Kind]) -> QuerySet[Answer]:
    """Newest revisions of what counts: independent answers, or the reviewer's settlement in their place."""
    decided = Q(task__state__in=[LabelingTask.State.SETTLED, LabelingTask.State.DISCARDED])
    independent = Q(purpose=Purpose.ORDINARY) & (Q(task=None) | ~decided)
    settled = Q(purpose=Purpose.REVIEW, task__state=LabelingTask.State.SETTLED)
    rows = Answer.objects.filter(independent | settled, project=project, kind__in=kinds, replaced_by=None)
    rows = rows.order_by("id")
    rows = rows.select_related("prompt", "labeler", "guideline")
    if filters.split:
        rows = rows.filter(prompt__split=filters.split)
    if filters.since:
        rows = rows.filter(created_at__gte=filters.since)
    if filters.until:
        rows = rows.filter(created_at__lt=filters.until)
    if filters.labelers is not None:
        rows = rows.filter(labeler__username__in=filters.labelers)
    if filters.without_labelers:
        rows = rows.exclude(labeler__username__in=filters.without_labelers)
    if filters.imported is not None:
        rows = rows.filter(labeler__isnull=filters.imported)
    if filters.late is not None:
        rows = rows.filter(late=filters.late)
    if filters.sources is not None:
        rows = rows.filter(rollout_set__responses__source__uuid__in=filters.sources).distinct()
    if filters.runs is not None:
        rows = rows.filter(rollout_set__run_id__in=filters.runs)
    return rows


def _ranked_response(row: RankedResponse) -> RankedResponseRecord:
    response = row.response
    return RankedResponseRecord(
        id=str(response.uuid),
        text=response.text,
        rank=row.rank,
        unacceptable=row.unacceptable,
        token_ids=None if response.token_ids is None else tuple(response.token_ids),
        finish_reason=response.finish_reason,
        source=f"{response.source.kind}:{response.source.reference}",
        flags=tuple(row.flags),
    )


def _labeler(row: Answer) -> str:
    return row.labeler.username if row.labeler else row.origin


def _value(type_name: str, value: Any) -> Any:
    expected = type_name.removesuffix(" | None")
    if expected == "datetime.datetime":
        if isinstance(value, datetime):
            return value
        parsed = parse_datetime(value) if isinstance(value, str) else None
        if parsed is None or parsed.tzinfo is None:
            raise ValueError("must be a time with its zone, such as 2030-01-31T12:00:00Z")
        return parsed
    if expected.startswith("list"):
        if not isinstance(value, list) or not all(isinstance(one, (str, UUID)) for one in value):
            raise ValueError("must be a list of texts")
        return [UUID(str(one)) for one in value] if "UUID" in expected else value
    if expected == "int" and (type(value) is not int or value < 1):
        raise ValueError("must be a whole number from 1")
    if expected == "bool" and type(value) is not bool:
        raise ValueError("must be true or false")
    if expected == "str" and not isinstance(value, str):
        raise ValueError("must be a text")
    return value
