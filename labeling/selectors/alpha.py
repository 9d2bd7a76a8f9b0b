"""Krippendorff's alpha for ordinal data, added up one unit at a time. Undefined is None, never 0 or 1."""

from collections import Counter
from collections.abc import Sequence


class Alpha:
    """Units are each the values that different people gave it; units of fewer than two values count nothing.

    K. Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011), section D, ordinal metric.
    """

    def __init__(self) -> None:
        self._shares: dict[tuple[int, int], float] = {}
        self._totals: Counter[int] = Counter()

    def add(self, unit: Sequence[int]) -> None:
        if len(unit) < 2:
            return
        counts = Counter(unit)
        self._totals.update(counts)
        for one in counts:
            for other in counts:
                pairs = counts[one] * (counts[other] - (one == other))
                if pairs:
                    self._shares[one, other] = self._shares.get((one, other), 0.0) + pairs / (len(unit) - 1)

    def value(self) -> float | None:
        """None where no unit has two values, or where only one value occurs: there is nothing to disagree about."""
        distance = _distances(self._totals)
        expected = sum(self._totals[one] * self._totals[other] * between for (one, other), between in distance.items())
        if not expected:
            return None
        observed = sum(share * distance[pair] for pair, share in self._shares.items())
        return 1 - (self._totals.total() - 1) * observed / expected


def _distances(totals: Counter[int]) -> dict[tuple[int, int], float]:
    """The squared ordinal distance of each two values: how many ratings lie between them, half of both ends."""
    values = sorted(totals)
    middle, reached = {}, 0
    for value in values:
        middle[value] = reached + totals[value] / 2
        reached += totals[value]
    return {(one, other): (middle[one] - middle[other]) ** 2 for one in values for other in values}
