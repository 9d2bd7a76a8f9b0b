"""One order out of several rankings of the same responses.

Neutral, anonymous, and a Condorcet winner is alone in first place. Up to EXACT responses by Kemeny's rule over all
weak orders; above it by Copeland's, which is an approximation of it.
"""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import combinations, product
from typing import TypeVar

EXACT = 5
UNIT = 1_000_000  # of a weight: whole numbers compare exactly

T = TypeVar("T", bound=Hashable)
S = TypeVar("S", int, tuple[int, int])


def merge(rankings: Sequence[Mapping[T, int]], weights: Sequence[float] | None = None) -> dict[T, int]:
    """Places from 1 (best), equal where tied, of every response that some ranking places.

    `weights` are of the rankings; without them each counts the same, and nobody's name matters.

    Where several orders are equally good, the merged one is their average, so a cycle of equal strength is a tie.
    """
    margins, items = _margins(rankings, weights)
    scores = dict.fromkeys(items, 0)
    if len(items) <= EXACT:
        for order in optima(rankings, weights):
            for one, other in combinations(items, 2):
                sign = _sign(order[other] - order[one])
                scores[one] += sign
                scores[other] -= sign
        return _places(scores)
    net = dict.fromkeys(items, 0)
    for (one, _), margin in margins.items():
        scores[one] += _sign(margin)
        net[one] += margin
    return _places({item: (scores[item], net[item]) for item in items})


def optima(rankings: Sequence[Mapping[T, int]], weights: Sequence[float] | None = None) -> list[dict[T, int]]:
    """Every weak order with the largest sum of margins over its strict pairs (a tie adds 0); EXACT responses at most.

    A margin is how much weight of rankings prefers the one, less how much prefers the other.
    """
    margins, items = _margins(rankings, weights)
    if len(items) > EXACT:
        raise ValueError(f"Found {len(items)} responses; {EXACT} at most are searched exactly.")
    best = -1
    found: list[dict[T, int]] = []
    for places in _weak_orders(len(items)):
        score = 0
        for i, j in combinations(range(len(items)), 2):
            score += _sign(places[j] - places[i]) * margins[items[i], items[j]]
        if score > best:
            best, found = score, []
        if score == best:
            found.append(dict(zip(items, places, strict=True)))
    return found


def condorcet_winner(rankings: Sequence[Mapping[T, int]], weights: Sequence[float] | None = None) -> T | None:
    """The response that more people prefer to each other one than the reverse; None where there is none."""
    margins, items = _margins(rankings, weights)
    return next((one for one in items if all(margins[one, other] > 0 for other in items if other != one)), None)


def has_cycle(rankings: Sequence[Mapping[T, int]]) -> bool:
    """Whether the majority prefers a to b, b to c, … and the last to a, so that no order suits it."""
    margins, items = _margins(rankings)
    left = set(items)
    while left:
        unbeaten = {one for one in left if not any(margins[other, one] > 0 for other in left if other != one)}
        if not unbeaten:
            return True
        left -= unbeaten
    return False


def _margins(
    rankings: Sequence[Mapping[T, int]], weights: Sequence[float] | None = None
) -> tuple[dict[tuple[T, T], int], list[T]]:
    items = list(dict.fromkeys(item for ranking in rankings for item in ranking))
    margins = {(one, other): 0 for one in items for other in items if one != other}
    for ranking, weight in zip(rankings, weights or [1.0] * len(rankings), strict=True):
        for one, other in combinations(ranking, 2):
            margin = _sign(ranking[other] - ranking[one]) * round(weight * UNIT)
            margins[one, other] += margin
            margins[other, one] -= margin
    return margins, items


@lru_cache(maxsize=EXACT + 1)
def _weak_orders(size: int) -> list[tuple[int, ...]]:
    """Places of `size` things in every weak order: 1, 3, 13, 75, 541."""
    return list(_dense(size))


def _dense(size: int) -> Iterator[tuple[int, ...]]:
    for places in product(range(size), repeat=size):
        if len(set(places)) == max(places, default=-1) + 1:
            yield places


def _places(scores: Mapping[T, S]) -> dict[T, int]:
    levels = sorted(set(scores.values()), reverse=True)
    return {item: levels.index(score) + 1 for item, score in scores.items()}


def _sign(value: int) -> int:
    return (value > 0) - (value < 0)
