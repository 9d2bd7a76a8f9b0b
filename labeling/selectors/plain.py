"""The same records as in `records`, as plain JSON values and quickly: rows go past the ORM. Exports are made of these.

A test holds the two equal. Rows come in the order of their keys, in pieces, so that no size takes more memory.
"""

from collections.abc import Callable, Collection, Iterator
from operator import itemgetter
from typing import Any

import orjson
from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import Max, Q, QuerySet

from labeling.models import bulk, sql
from labeling.models.answers import RankedResponse
from labeling.models.judgments import Judgment
from labeling.models.projects import Project
from labeling.models.prompts import Source
from labeling.models.work import Kind
from labeling.selectors import filters as filtering
from labeling.selectors import records
from labeling.selectors.filters import Filters
from labeling.selectors.records import Weigh, unweighted

CHUNK = 2_000
CLOSE = 1.5  # keys of answers in their span, for each that is wanted
SLOW = ("weights", "merge", "min_agreement", "min_rankings")  # they look at whole sets: no haste there
Row = dict[str, Any]


def rows(*, project: Project, kind: str, filters: Filters, weigh: Weigh = unweighted) -> Iterator[Row]:
    """Raises `Invalid` for filters that have no effect on the kind. `weigh` gives each ranking its weight."""
    filtering.check(filters, kind)
    if any(getattr(filters, name) not in (None, "none") for name in SLOW):
        return (one.to_json() for one in records.records(project=project, kind=kind, filters=filters, weigh=weigh))
    return _read(_OF_KIND[kind](project, filters))


def _read(found: Iterator[Row]) -> Iterator[Row]:
    with bulk.reading():
        yield from found


def _prompts(project: Project, filters: Filters) -> Iterator[Row]:
    written = _writer_of_ids()
    found = records.prompt_rows(project, filters)
    for pk, uuid, messages, split, meta in _pieces(found, filters.limit, ("pk", "uuid", "messages", "split", "meta")):
        del pk
        yield {"id": written(uuid), "messages": _messages(messages), "split": split, "meta": orjson.loads(meta)}


def _demonstrations(project: Project, filters: Filters) -> Iterator[Row]:
    written = _writer_of_ids()
    found = records.answer_rows(project, filters, [Kind.DEMONSTRATION])
    names = (
        "pk", "uuid", "prompt__uuid", "prompt__messages", "demonstration__reply", "prompt__split", "labeler__username",
        "origin", "guideline__version",
    )  # fmt: skip
    for _, uuid, prompt, messages, reply, split, labeler, origin, guideline in _pieces(found, filters.limit, names):
        yield {
            "id": written(uuid), "prompt_id": written(prompt), "prompt": _messages(messages), "reply": _messages(reply),
            "split": split, "labeler": labeler or origin, "weight": 1.0, "guideline_version": guideline or 0,
        }  # fmt: skip


def _rankings(project: Project, filters: Filters) -> Iterator[Row]:
    found = records.answer_rows(project, filters, [Kind.RANKING, Kind.COMPARISON])
    names = (
        "pk", "uuid", "prompt__uuid", "rollout_set__uuid", "prompt__messages", "prompt__split", "labeler__username",
        "origin", "guideline__version", "order_shown", "active_ms", "lease__selection_probability",
        "rollout_set__run_id", "rollout_set__sampling", "confidence",
    )  # fmt: skip
    chunk: list[Any] = []
    sources: dict[int, str] = {}
    for row in _pieces(found, filters.limit, names):
        chunk.append(row)
        if len(chunk) == CHUNK:
            yield from _with_responses(chunk, sources)
            chunk = []
    yield from _with_responses(chunk, sources)


def _with_responses(chunk: list[Any], sources: dict[int, str]) -> Iterator[Row]:
    written = _writer_of_ids()
    by_answer: dict[int, list[Row]] = {row[0]: [] for row in chunk}
    names = (
        "answer_id", "response__index", "rank", "unacceptable", "flags", "response__uuid", "response__text",
        "response__token_ids", "response__finish_reason", "response__source_id", "response__seed", "likert",
    )  # fmt: skip
    # In the index's order, and then by place: they are nearly so already, and the database would sort texts too.
    rows = list(_raw(_of_answers(by_answer).order_by("answer_id", "response_id").values_list(*names)))
    rows.sort(key=itemgetter(0, 1))
    _know(sources, {row[9] for row in rows})
    for answer, _, rank, bad, flags, uuid, text, tokens, finish, source, seed, likert in rows:
        if (listed := by_answer.get(answer)) is not None:
            listed.append({
                "id": written(uuid), "text": text, "rank": rank, "unacceptable": bool(bad),
                "token_ids": orjson.loads(tokens) if tokens else None, "finish_reason": finish,
                "source": sources[source], "seed": seed, "likert": likert,
                "flags": orjson.loads(flags) if flags != "[]" else [],
            })  # fmt: skip
    for (
        pk, uuid, prompt, group, messages, split, labeler, origin, guideline, shown, active, chance, run, sampling,
        sure,
    ) in chunk:  # fmt: skip
        yield {
            "id": written(uuid), "prompt_id": written(prompt), "group": written(group), "prompt": _messages(messages),
            "responses": by_answer[pk], "split": split, "labeler": labeler or origin, "weight": 1.0,
            "guideline_version": guideline or 0, "order_shown": orjson.loads(shown) if shown != "[]" else [],
            "active_ms": active, "selection_probability": chance, "merged_from": {}, "run": written(run) if run else "",
            "sampling": orjson.loads(sampling), "confidence": sure,
        }  # fmt: skip


def _know(sources: dict[int, str], keys: set[int]) -> None:
    """Add the sources with these keys, as records name them."""
    if wanted := keys - set(sources):
        found = Source.objects.filter(pk__in=wanted).values_list("pk", "kind", "reference")
        sources.update((pk, f"{kind}:{reference}") for pk, kind, reference in found)


def _of_answers(keys: Collection[int]) -> QuerySet[RankedResponse]:
    """By their span where they lie close, with a few others in it: two thousand keys cost more than the rows do."""
    first, last = min(keys, default=0), max(keys, default=0)
    if last - first < CLOSE * len(keys):
        return RankedResponse.objects.filter(answer_id__gte=first, answer_id__lte=last)
    return RankedResponse.objects.filter(answer_id__in=list(keys))


def _judgments(project: Project, filters: Filters) -> Iterator[Row]:
    written = _writer_of_ids()
    found = Judgment.objects.filter(project=project, prompt__evaluation_set=None, prompt__erased_at=None)
    if filters.split:
        found = found.filter(prompt__split=filters.split)
    if filters.since:
        found = found.filter(created_at__gte=filters.since)
    if filters.until:
        found = found.filter(created_at__lt=filters.until)
    if filters.sources is not None:
        found = found.filter(response__source__uuid__in=filters.sources)
    if filters.policies is not None:
        named = Q(response__source__name__in=filters.policies) | Q(response__source__reference__in=filters.policies)
        found = found.filter(named)
    names = ("pk", "uuid", "prompt__uuid", "prompt__messages", "response__text", "good", "prompt__split", "origin")
    for _, uuid, prompt, messages, text, good, split, origin in _pieces(found, filters.limit, names):
        yield {
            "id": written(uuid), "prompt_id": written(prompt), "prompt": _messages(messages), "text": text,
            "good": bool(good), "split": split, "labeler": origin,
        }  # fmt: skip


_OF_KIND = {
    "prompts": _prompts,
    "demonstrations": _demonstrations,
    "rankings": _rankings,
    "judgments": _judgments,
}


def _pieces(found: QuerySet[Any], limit: int | None, names: tuple[str, ...]) -> Iterator[Any]:
    """Rows by their key, a piece at a time; those that come while this runs are left out."""
    top = found.order_by().aggregate(top=Max("pk"))["top"] or 0
    left, last = limit if limit is not None else top, 0
    found = found.filter(pk__lte=top).order_by("pk")
    while left > 0:
        piece = list(_raw(found.filter(pk__gt=last).values_list(*names)[: min(CHUNK, left)]))
        yield from piece
        if not piece:
            return
        left, last = left - len(piece), piece[-1][0]


def _raw(found: Any) -> Iterator[tuple[Any, ...]]:
    """The query's rows as the driver gives them: no model, and no UUID or JSON is made of what may not be looked at."""
    try:
        statement, values = found.query.sql_with_params()
    except EmptyResultSet:
        return
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        while piece := cursor.fetchmany(1_000):
            yield from piece


def _writer_of_ids() -> Callable[[Any], str]:
    """How a UUID, as the driver gives it, is written. Asked once for all rows: asking costs more than writing one."""
    return _dashed if sql.is_sqlite() else str


def _dashed(value: str) -> str:
    return f"{value[:8]}-{value[8:12]}-{value[12:16]}-{value[16:20]}-{value[20:]}"


def _messages(text: str) -> Any:
    return orjson.loads(text)
