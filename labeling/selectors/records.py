"""Annotations as the records that training reads, in the order in which they were given."""

import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import TypeVar

from django.db.models import Count, Exists, OuterRef, Prefetch, Q, QuerySet, TextField
from django.db.models.functions import Cast

from contracts.records import DemonstrationRecord, JsonRecord, Message, PromptRecord, RankingRecord
from contracts.records import RankedResponse as RankedResponseRecord
from labeling import errors
from labeling.models.answers import Answer, RankedResponse
from labeling.models.projects import Project
from labeling.models.prompts import Prompt, Response
from labeling.models.work import Kind, LabelingTask, Purpose
from labeling.selectors import agreement, merging, ranked
from labeling.selectors import filters as filtering
from labeling.selectors.filters import Filters

CHUNK = 500
T = TypeVar("T")


Weigh = Callable[[Answer], float]


def unweighted(_: Answer) -> float:
    return 1.0


def records(*, project: Project, kind: str, filters: Filters, weigh: Weigh = unweighted) -> Iterator[JsonRecord]:
    """`weigh` gives each ranking its weight. Checks its arguments when called, not when the first row is asked for."""
    if kind not in ("prompts", "demonstrations", "rankings"):
        raise errors.Invalid(fields={"kind": "must be prompts, demonstrations or rankings"})
    filtering.check(filters, kind)
    if kind == "prompts":
        return prompts(project=project, filters=filters)
    if kind == "demonstrations":
        return demonstrations(project=project, filters=filters)
    if filters.merge == "merged":
        return merged_rankings(project=project, filters=filters, weigh=weigh)
    return rankings(project=project, filters=filters, weigh=weigh)


def prompt_rows(project: Project, filters: Filters) -> QuerySet[Prompt]:
    """Those that work and training may see: none of an evaluation set."""
    rows = Prompt.objects.filter(project=project, evaluation_set=None, erased_at=None).order_by("id")
    if filters.split:
        rows = rows.filter(split=filters.split)
    if filters.since:
        rows = rows.filter(created_at__gte=filters.since)
    if filters.until:
        rows = rows.filter(created_at__lt=filters.until)
    return rows


def prompts(*, project: Project, filters: Filters) -> Iterator[PromptRecord]:
    for row in prompt_rows(project, filters)[: filters.limit].iterator(chunk_size=CHUNK):
        yield PromptRecord(id=str(row.uuid), messages=messages(row.messages), split=row.split, meta=row.meta)


def demonstrations(*, project: Project, filters: Filters) -> Iterator[DemonstrationRecord]:
    rows = answer_rows(project, filters, [Kind.DEMONSTRATION]).select_related("demonstration")
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


def rankings(*, project: Project, filters: Filters, weigh: Weigh = unweighted) -> Iterator[RankingRecord]:
    rows = with_responses(_ranked(project, filters)).iterator(chunk_size=CHUNK)
    found = (row for chunk in _chunks(rows) for row in _agreed(project, filters, chunk))
    for row in islice(found, filters.limit):
        yield _ranking(row, weigh(row))


def merged_rankings(*, project: Project, filters: Filters, weigh: Weigh = unweighted) -> Iterator[RankingRecord]:
    """One ranking per rollout set, in the order of the sets."""
    rows = _ranked(project, filters)
    keys = list(rows.order_by("rollout_set").values_list("rollout_set", flat=True).distinct())
    found = (answers for chunk in _chunks(keys) for answers in _by_set(project, filters, rows, chunk))
    for answers in islice(found, filters.limit):
        yield _merged(answers, [weigh(row) for row in answers] if filters.weights == "reliability" else None)


def _by_set(project: Project, filters: Filters, rows: QuerySet[Answer], keys: list[int]) -> Iterator[list[Answer]]:
    by_set: dict[int, list[Answer]] = {}
    for row in _agreed(project, filters, list(with_responses(rows.filter(rollout_set__in=keys)))):
        by_set.setdefault(row.rollout_set_id or 0, []).append(row)
    yield from (by_set[key] for key in sorted(by_set))


def with_responses(rows: QuerySet[Answer]) -> QuerySet[Answer]:
    responses = RankedResponse.objects.select_related("response__source").order_by("response__index")
    return rows.select_related("rollout_set", "lease").prefetch_related(Prefetch("ranked", queryset=responses))


def _ranking(row: Answer, weight: float) -> RankingRecord:
    assert row.rollout_set is not None
    return RankingRecord(
        id=str(row.uuid),
        prompt_id=str(row.prompt.uuid),
        group=str(row.rollout_set.uuid),
        prompt=messages(row.prompt.messages),
        responses=tuple(_ranked_response(one) for one in row.ranked.all()),
        split=row.prompt.split,
        labeler=_labeler(row),
        weight=weight,
        guideline_version=row.guideline.version if row.guideline else 0,
        order_shown=tuple(row.order_shown),
        confidence=row.confidence,
        active_ms=row.active_ms,
        selection_probability=row.lease.selection_probability if row.lease else None,
        run=str(row.rollout_set.run_id or ""),
        sampling=row.rollout_set.sampling,
    )


def _merged(rows: list[Answer], weights: list[float] | None) -> RankingRecord:
    """The rankings of one set as one. Marks are the majority's, points the mean; times add up; the newest guideline
    stands for all.

    With weights w, the merged one weighs 1 - product of (1 - w): the chance that one of them at least saw the
    difference, where each sees it with probability w and guesses otherwise.
    """
    singles = [_ranking(row, 1.0) for row in rows]
    places = [
        {
            one.id: place
            for one in single.responses
            if (place := agreement.place(one.rank, unacceptable=one.unacceptable)) is not None
        }
        for single in singles
    ]
    order = merging.merge(places, weights)
    times = [single.active_ms for single in singles if single.active_ms is not None]
    return replace(
        singles[0],
        id=f"merged:{singles[0].group}",
        labeler="",
        weight=1.0 if weights is None else round(1 - math.prod(1 - weight for weight in weights), 6),
        guideline_version=max(single.guideline_version for single in singles),
        order_shown=(),
        confidence=_mean_points([single.confidence for single in singles]),
        active_ms=sum(times) if times else None,
        selection_probability=None,
        merged_from={single.id: single.labeler for single in singles},
        responses=tuple(
            replace(
                same[0],
                rank=order.get(same[0].id),
                unacceptable=sum(one.unacceptable for one in same) * 2 > len(same),
                flags=tuple(
                    flag
                    for flag in sorted({flag for one in same for flag in one.flags})
                    if sum(flag in one.flags for one in same) * 2 > len(same)
                ),
                likert=_mean_points([one.likert for one in same]),
            )
            for same in zip(*(single.responses for single in singles), strict=True)
        ),
    )


def _ranked(project: Project, filters: Filters) -> QuerySet[Answer]:
    """Rankings of items of which there are enough, before it is asked how far people agree on them."""
    rows = answer_rows(project, filters, [Kind.RANKING, Kind.COMPARISON])
    if filters.min_rankings is not None:
        counted = rows.order_by().values("rollout_set").annotate(n=Count("pk", distinct=True))
        enough = counted.filter(n__gte=filters.min_rankings).values("rollout_set")
        rows = rows.filter(Q(rollout_set__in=enough) | Q(purpose=Purpose.REVIEW))
    return rows


def _agreed(project: Project, filters: Filters, rows: list[Answer]) -> list[Answer]:
    """Those of items on which people agree enough; all who ranked an item count, also where the filters leave them out.

    Items that one person ranked, or on which no two people decide the same pair, are taken: nobody disagrees.
    """
    if filters.min_agreement is None:
        return rows
    keys = sorted({row.rollout_set_id for row in rows if row.rollout_set_id})
    low = set()
    for key, found in ranked.rankings(ranked.independent(project=project), rollout_sets=keys):
        share = agreement.of_item([one.places for one in found]).pairwise_agreement
        if share is not None and share < filters.min_agreement:
            low.add(key)
    return [row for row in rows if row.rollout_set_id not in low or row.purpose == Purpose.REVIEW]


def _chunks(rows: Iterable[T]) -> Iterator[list[T]]:
    iterator = iter(rows)
    while chunk := list(islice(iterator, CHUNK)):
        yield chunk


def messages(plain: Sequence[dict[str, str]]) -> tuple[Message, ...]:
    return tuple(Message.from_json(one) for one in plain)


def answer_rows(project: Project, filters: Filters, kinds: list[Kind]) -> QuerySet[Answer]:
    """Newest revisions of what counts: independent answers, or the reviewer's settlement in their place."""
    decided = Q(task__state__in=[LabelingTask.State.SETTLED, LabelingTask.State.DISCARDED])
    independent = Q(purpose=Purpose.ORDINARY) & (Q(task=None) | ~decided)
    settled = Q(purpose=Purpose.REVIEW, task__state=LabelingTask.State.SETTLED)
    rows = Answer.objects.filter(
        independent | settled,
        project=project,
        kind__in=kinds,
        replaced_by=None,
        erased_at=None,
        prompt__evaluation_set=None,
        prompt__erased_at=None,
    )
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
    if filters.policies is not None:
        named = Q(source__name__in=filters.policies) | Q(source__reference__in=filters.policies)
        rows = rows.filter(Exists(Response.objects.filter(named, rollout_set=OuterRef("rollout_set"))))
    if filters.flags is not None:
        rows = rows.filter(_flagged(filters.flags))
    if filters.without_flags is not None:
        rows = rows.exclude(_flagged(filters.without_flags))
    return rows


def _flagged(flags: Sequence[str]) -> Exists:
    """Some response of the answer has one of the flags. As text: SQLite has no search within JSON lists."""
    named = Q()
    for flag in flags:
        named |= Q(as_text__contains=json.dumps(flag))
    ranked = RankedResponse.objects.filter(answer=OuterRef("pk")).annotate(as_text=Cast("flags", TextField()))
    return Exists(ranked.filter(named if flags else Q(pk=None)))


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
        seed=response.seed,
        flags=tuple(row.flags),
        likert=row.likert,
    )


def _mean_points(given: Sequence[int | None]) -> int | None:
    """The rounded mean of those who gave points."""
    points = [one for one in given if one is not None]
    return round(sum(points) / len(points)) if points else None


def _labeler(row: Answer) -> str:
    return row.labeler.username if row.labeler else row.origin
