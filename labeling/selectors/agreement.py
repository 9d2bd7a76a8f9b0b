"""How far rankings of the same responses agree: the ceiling of what a reward model can learn. Undefined is None.

A ranking is {response: place}: 1 is best, equal is tied, a response that is missing was not ranked.
"""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TypeVar

from labeling.selectors import merging
from labeling.selectors.alpha import Alpha

UNACCEPTABLE, UNRANKED = 1_000, 999  # added to, or instead of, the rank: below every acceptable response

T = TypeVar("T", bound=Hashable)


@dataclass(frozen=True)
class ItemAgreement:
    """Of one item that two or more people ranked."""

    rankings: int
    agreeing_pairs: int
    decided_pairs: int  # by both of two labelers
    kendall_tau_b: float | None  # mean over pairs of labelers
    krippendorff_alpha: float | None
    ambiguous: bool  # the majority's preferences go in a circle

    @property
    def pairwise_agreement(self) -> float | None:
        return self.agreeing_pairs / self.decided_pairs if self.decided_pairs else None


def of_item(rankings: Sequence[Mapping[T, int]]) -> ItemAgreement:
    agreeing = decided = 0
    taus = []
    for first, second in combinations(rankings, 2):
        same, both = pair_agreement(first, second)
        agreeing, decided = agreeing + same, decided + both
        taus.append(tau_b(first, second))
    alpha = Alpha()
    for unit in units(rankings):
        alpha.add(unit)
    return ItemAgreement(
        rankings=len(rankings),
        agreeing_pairs=agreeing,
        decided_pairs=decided,
        kendall_tau_b=mean(taus),
        krippendorff_alpha=alpha.value(),
        ambiguous=merging.has_cycle(rankings),
    )


def against_scores(rankings: Sequence[Mapping[T, int]], scores: Mapping[T, float]) -> float | None:
    """Share of the pairs that people decided which the scores put the other way; equal scores are half wrong.

    None: nobody decided a pair of scored responses.
    """
    wrong, decided = 0.0, 0
    for ranking in rankings:
        for one, other in combinations([each for each in ranking if each in scores], 2):
            if ranking[one] == ranking[other]:
                continue
            better, worse = (one, other) if ranking[one] < ranking[other] else (other, one)
            decided += 1
            wrong += 0.5 if scores[better] == scores[worse] else float(scores[better] < scores[worse])
    return wrong / decided if decided else None


def place(rank: int | None, *, unacceptable: bool) -> int | None:
    """Where a response stands in its ranking; None where the labeler said nothing of it."""
    if unacceptable:
        return UNACCEPTABLE + (UNRANKED if rank is None else rank)
    return rank


def pair_agreement(first: Mapping[T, int], second: Mapping[T, int]) -> tuple[int, int]:
    """(pairs ordered the same way, pairs that both order)."""
    agreeing = decided = 0
    for one, other in combinations([response for response in first if response in second], 2):
        mine, theirs = _sign(first[other] - first[one]), _sign(second[other] - second[one])
        if mine and theirs:
            decided += 1
            agreeing += mine == theirs
    return agreeing, decided


def tau_b(first: Mapping[T, int], second: Mapping[T, int]) -> float | None:
    """Kendall's tau-b of two rankings with ties; None where one of them ties everything.

    (P - Q) / sqrt((P + Q + X)(P + Q + Y)): M. Kendall, "The treatment of ties in ranking problems" (1945).
    """
    difference = untied_first = untied_second = 0
    for one, other in combinations([response for response in first if response in second], 2):
        mine, theirs = _sign(first[other] - first[one]), _sign(second[other] - second[one])
        difference += mine * theirs
        untied_first += bool(mine)
        untied_second += bool(theirs)
    if not untied_first or not untied_second:
        return None
    return difference / math.sqrt(untied_first * untied_second)


def units(rankings: Sequence[Mapping[T, int]]) -> list[list[int]]:
    """What alpha compares: each response's places. A tie takes the mean of the places that it covers, doubled.

    Twice the mean is whole; and 1, 2, 2, 4 agrees better with 1, 2, 3, 4 than the gapless 1, 2, 2, 3 would.
    """
    found: dict[T, list[int]] = {}
    for ranking in rankings:
        for response, doubled in _doubled_mean_places(ranking).items():
            found.setdefault(response, []).append(doubled)
    return list(found.values())


def _doubled_mean_places(ranking: Mapping[T, int]) -> dict[T, int]:
    values = list(ranking.values())
    return {
        response: 2 * sum(other < mine for other in values) + values.count(mine) + 1
        for response, mine in ranking.items()
    }


def mean(values: Sequence[float | None]) -> float | None:
    """Of those that are defined."""
    defined = [value for value in values if value is not None]
    return sum(defined) / len(defined) if defined else None


def _sign(value: int) -> int:
    return (value > 0) - (value < 0)
