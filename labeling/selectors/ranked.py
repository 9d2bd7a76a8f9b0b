"""The independent rankings of a project's items: newest revisions, in chunks of items, two queries a chunk."""

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Count, Q, QuerySet

from labeling.models.answers import Answer, RankedResponse
from labeling.models.projects import Project
from labeling.models.work import Kind, LabelingTask, Purpose
from labeling.selectors import agreement

CHUNK = 500  # items

# A labeler's key, or None and the origin of an imported answer.
Who = tuple[int | None, str]


@dataclass(frozen=True)
class Ranked:
    """One answer: the place of each response that it ranks, and the responses in the order shown, by key."""

    who: Who
    places: dict[int, int]
    shown: list[int]
    at: datetime
    opened_for: UUID | None  # the run that an anchor accompanies; None: no anchor


def of_purposes(*purposes: Purpose, project: Project) -> QuerySet[Answer]:
    """The newest revision of every ranking and comparison that was asked for one of these purposes."""
    return Answer.objects.filter(
        project=project, kind__in=[Kind.RANKING, Kind.COMPARISON], replaced_by=None, rollout_set__isnull=False,
        purpose__in=purposes, erased_at=None,
    )  # fmt: skip


def independent(*, project: Project) -> QuerySet[Answer]:
    """Those that count as an opinion of their own, and that training may take; of what was discarded, none."""
    discarded = Q(task__isnull=False, task__state=LabelingTask.State.DISCARDED)
    return of_purposes(Purpose.ORDINARY, project=project).exclude(discarded)


def items_by_count(*, project: Project) -> tuple[list[int], list[int]]:
    """(items that two or more ranked, items that one ranked), as keys of rollout sets in their order."""
    counts = independent(project=project).values_list("rollout_set").annotate(n=Count("pk")).order_by("rollout_set")
    several: list[int] = []
    single: list[int] = []
    for rollout_set, number in counts.iterator(chunk_size=10_000):
        (several if number > 1 else single).append(rollout_set)
    return several, single


def sample(keys: Sequence[int], most: int, *, seed: int) -> list[int]:
    return list(keys) if len(keys) <= most else sorted(random.Random(seed).sample(keys, most))


def rankings(answers: QuerySet[Answer], *, rollout_sets: Sequence[int]) -> Iterator[tuple[int, list[Ranked]]]:
    """(rollout set, its rankings in the order they came in), for sets in the order given."""
    for start in range(0, len(rollout_sets), CHUNK):
        yield from _chunk(answers, rollout_sets[start : start + CHUNK])


def of_responses(responses: Iterable[int]) -> dict[int, list[dict[int, int]]]:
    """The independent rankings of a few rollout sets, found by the index of their responses: rollout set -> places."""
    rows = RankedResponse.objects.filter(
        response__in=list(responses), answer__purpose=Purpose.ORDINARY, answer__replaced_by=None, answer__erased_at=None
    ).exclude(answer__task__state=LabelingTask.State.DISCARDED)
    places: dict[tuple[int, int], dict[int, int]] = {}
    for answer, rollout_set, response, rank, unacceptable in rows.values_list(
        "answer", "response__rollout_set", "response", "rank", "unacceptable"
    ):
        own = places.setdefault((rollout_set, answer), {})
        place = agreement.place(rank, unacceptable=unacceptable)
        if place is not None:
            own[response] = place
    found: dict[int, list[dict[int, int]]] = {}
    for rollout_set, answer in sorted(places):
        found.setdefault(rollout_set, []).append(places[rollout_set, answer])
    return found


def _chunk(answers: QuerySet[Answer], keys: Sequence[int]) -> Iterator[tuple[int, list[Ranked]]]:
    answers = answers.filter(rollout_set__in=keys).order_by("id")
    by_set: dict[int, list[Ranked]] = {key: [] for key in keys}
    places: dict[int, dict[int, int]] = {}
    shown: dict[int, tuple[list[str], list[int]]] = {}
    for pk, rollout_set, labeler, origin, order, at, opened_for in answers.values_list(
        "pk", "rollout_set", "labeler", "origin", "order_shown", "created_at", "task__opened_for"
    ):
        places[pk], shown[pk] = {}, (order, [])
        by_set[rollout_set].append(
            Ranked((labeler, "" if labeler else origin), places[pk], shown[pk][1], at, opened_for)
        )
    rows = RankedResponse.objects.filter(answer__in=answers.values("pk")).values_list(
        "answer", "response", "response__uuid", "rank", "unacceptable"
    )
    keys_of: dict[str, int] = {}
    for answer, response, uuid, rank, unacceptable in rows.order_by("id"):
        keys_of[str(uuid)] = response
        place = agreement.place(rank, unacceptable=unacceptable)
        if place is not None and answer in places:
            places[answer][response] = place
    for order, keys_shown in shown.values():
        keys_shown.extend(keys_of[uuid] for uuid in order if uuid in keys_of)
    for key in keys:
        yield key, by_set[key]
