"""How an answer compares with a known order, or with the same labeler's earlier one: pairs, as pure functions."""

from collections.abc import Mapping
from itertools import combinations
from typing import TypeVar

from labeling.selectors import agreement

T = TypeVar("T")

LEFT_OUT = 900  # the place of a response that a partial ranking leaves out: below ranked, above unacceptable ones


def place(rank: int | None, *, unacceptable: bool) -> int:
    """Where a response stands among the others of its answer: ranked, then left out, then unacceptable."""
    found = agreement.place(rank, unacceptable=unacceptable)
    return LEFT_OUT if found is None else found


def against_gold(known: Mapping[T, int], given: Mapping[T, int]) -> tuple[int, int]:
    """(pairs put as the known order has them, pairs that it decides). A pair that the labeler ties is not put so.

    Two responses that a partial ranking leaves out are in no order that one could judge, so their pair counts nothing.
    """
    agreeing = decided = 0
    for one, other in combinations(known, 2):
        wanted = _sign(known[other] - known[one])
        if wanted and not given[one] == given[other] == LEFT_OUT:
            decided += 1
            agreeing += _sign(given[other] - given[one]) == wanted
    return agreeing, decided


def against_earlier(first: Mapping[T, int], second: Mapping[T, int]) -> tuple[int, int]:
    """(pairs put the same way twice, pairs that at least one of the two answers decides)."""
    agreeing = decided = 0
    for one, other in combinations(first, 2):
        then, now = _sign(first[other] - first[one]), _sign(second[other] - second[one])
        if then or now:
            decided += 1
            agreeing += then == now
    return agreeing, decided


def _sign(value: int) -> int:
    return (value > 0) - (value < 0)
