"""Krippendorff's alpha for ordinal data. Undefined is None, never 0 or 1."""

from collections import Counter
from collections.abc import Iterable, Sequence


def ordinal_alpha(units: Iterable[Sequence[int]]) -> float | None:
    """Alpha of units, each the values that different people gave it; units of fewer than two values count nothing.

    None where no unit has two values, or where only one value occurs: there is nothing to disagree about.
    K. Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011), section D, ordinal metric.
    """
    shares: dict[tuple[int, int], float] = {}
    totals: Counter[int] = Counter()
    for unit in units:
        if len(unit) < 2:
            continue
        counts = Counter(unit)
        totals.update(counts)
        for one in counts:
            for other in counts:
                pairs = counts[one] * (counts[other] - (one == other))
                shares[one, other] = shares.get((one, other), 0.0) + pairs / (len(unit) - 1)
    number = sum(totals.values())
    distance = _distances(totals)
    expected = sum(totals[one] * totals[other] * between for (one, other), between in distance.items())
    if not expected:
        return None
    observed = sum(shares.get(pair, 0.0) * between for pair, between in distance.items())
    return 1 - (number - 1) * observed / expected


def _distances(totals: Counter[int]) -> dict[tuple[int, int], float]:
    """The squared ordinal distance of each two values: how many ratings lie between them, half of both ends."""
    values = sorted(totals)
    below, reached = {}, 0
    for value in values:
        below[value] = reached + totals[value] / 2
        reached += totals[value]
    return {(one, other): (below[one] - below[other]) ** 2 for one in values for other in values}
