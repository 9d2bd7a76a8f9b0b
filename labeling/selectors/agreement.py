"""How far labelers agree: the ceiling of what a reward model can learn. Undefined is None, never 0 or 1."""

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

from django.db.models import Count

from labeling.models.answers import Answer, RankedResponse
from labeling.models.projects import Project
from labeling.models.work import Kind, Purpose

RESAMPLES = 1000
UNACCEPTABLE = 1_000  # the rank of an unacceptable response that has none: below every ranked one


def of_project(*, project: Project, seed: int = 0) -> dict[str, Any]:
    """Pairwise agreement over all sets that two or more people ranked, with a 95 % bootstrap interval over sets.

    A pair of responses counts where both people prefer one of the two; the newest revision of each counts.
    """
    counts, taus = [], []
    for rankings in _ranked_twice(project):
        agreeing = decided = 0
        for first, second in combinations(rankings, 2):
            one, all_ = pair_agreement(first, second)
            agreeing, decided = agreeing + one, decided + all_
            taus.append(tau_b(first, second))
        counts.append((agreeing, decided))
    defined = [tau for tau in taus if tau is not None]
    return {
        "sets": len(counts),
        "pairs": sum(decided for _, decided in counts),
        "agreement": _share(counts),
        "interval": bootstrap(counts, seed=seed),
        "kendall_tau_b": sum(defined) / len(defined) if defined else None,
    }


def pair_agreement(first: Mapping[Any, int], second: Mapping[Any, int]) -> tuple[int, int]:
    """(pairs ordered the same way, pairs that both order) of two rankings {response: rank}."""
    agreeing = decided = 0
    for one, other in combinations(sorted(set(first) & set(second)), 2):
        mine, theirs = _sign(first[other] - first[one]), _sign(second[other] - second[one])
        if mine and theirs:
            decided += 1
            agreeing += mine == theirs
    return agreeing, decided


def tau_b(first: Mapping[Any, int], second: Mapping[Any, int]) -> float | None:
    """Kendall's tau-b of two rankings with ties; None where one of them ties everything.

    (P - Q) / sqrt((P + Q + X)(P + Q + Y)): M. Kendall, "The treatment of ties in ranking problems" (1945).
    """
    difference = untied_first = untied_second = 0
    for one, other in combinations(sorted(set(first) & set(second)), 2):
        mine, theirs = _sign(first[other] - first[one]), _sign(second[other] - second[one])
        difference += mine * theirs
        untied_first += bool(mine)
        untied_second += bool(theirs)
    if not untied_first or not untied_second:
        return None
    return difference / math.sqrt(untied_first * untied_second)


def bootstrap(counts: Sequence[tuple[int, int]], *, seed: int) -> list[float] | None:
    """95 % percentile interval of the share, resampling sets; None below two sets with a decided pair."""
    usable = [pair for pair in counts if pair[1]]
    if len(usable) < 2:
        return None
    generator = random.Random(seed)
    resamples = RESAMPLES if len(usable) <= 2_000 else 200
    shares = sorted(_share(generator.choices(usable, k=len(usable))) or 0.0 for _ in range(resamples))
    return [shares[int(0.025 * resamples)], shares[min(int(0.975 * resamples), resamples - 1)]]


def _ranked_twice(project: Project) -> Iterator[list[dict[int, int]]]:
    """The rankings {response: rank} of each set that has two or more, one set at a time."""
    rows = (
        RankedResponse.objects.filter(
            answer__project=project,
            answer__kind__in=[Kind.RANKING, Kind.COMPARISON],
            answer__replaced_by=None,
            answer__purpose=Purpose.ORDINARY,
            answer__rollout_set__in=_sets_with_two(project),
        )
        .order_by("answer__rollout_set", "answer")
        .values_list("answer__rollout_set", "answer", "response", "rank", "unacceptable")
    )
    current: int | None = None
    rankings: dict[int, dict[int, int]] = {}
    for rollout_set, answer, response, rank, unacceptable in rows.iterator(chunk_size=2_000):
        if rollout_set != current:
            if len(rankings) > 1:
                yield list(rankings.values())
            current, rankings = rollout_set, {}
        ranking = rankings.setdefault(answer, {})
        if rank is not None or unacceptable:
            ranking[response] = UNACCEPTABLE if rank is None else rank
    if len(rankings) > 1:
        yield list(rankings.values())


def _sets_with_two(project: Project) -> Any:
    answers = Answer.objects.filter(
        project=project, replaced_by=None, rollout_set__isnull=False, purpose=Purpose.ORDINARY
    )
    return answers.values("rollout_set").annotate(n=Count("pk")).filter(n__gt=1).values("rollout_set")


def _share(counts: Sequence[tuple[int, int]]) -> float | None:
    decided = sum(pair[1] for pair in counts)
    return sum(pair[0] for pair in counts) / decided if decided else None


def _sign(value: int) -> int:
    return (value > 0) - (value < 0)
