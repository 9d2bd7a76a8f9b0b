"""Strength in a unit that people know: how often a labeler orders two responses as their qualities do."""

import numpy as np
from scipy.special import expit, ndtri
from scipy.stats import norm

# Differences of two standard normal qualities, in absolute value, at even steps of probability.
_GAPS = np.sqrt(2.0) * ndtri(0.5 + (np.arange(2_000) + 0.5) / 4_000)


def pair_accuracy(strength: float) -> float:
    """Expected share of pairs ordered rightly: 0.5 at strength 0, toward 1 above, toward 0 below."""
    return float(expit(strength * _GAPS).mean())


def pair_accuracy_error(strength: float, error: float) -> float:
    """Standard error, to first order, from that of the strength."""
    share = expit(strength * _GAPS)
    return float((share * (1 - share) * _GAPS).mean()) * error


def weight(strength: float) -> float:
    """Of a labeler's rankings in training, 0 to 1: 2a - 1 of the pair accuracy a, and 0 for who guesses or reverses.

    The expected slope that a pair adds to the loss is 2a - 1 of what a perfect labeler's adds, with the same noise;
    of all linear combinations, the one with these weights has the best ratio of signal to noise.
    """
    return max(0.0, 2 * pair_accuracy(strength) - 1)


def pair_accuracy_interval(strength: float, error: float) -> tuple[float, float]:
    """95 %: that of the strength, which is nearly normal, in this unit."""
    half = float(norm.ppf(0.975)) * error
    return pair_accuracy(strength - half), pair_accuracy(strength + half)


def bootstrap(counts: dict[tuple[int, int], int], *, seed: int, resamples: int = 2_000) -> list[float] | None:
    """95 % percentile interval of a share over sets; `counts` says how many sets have (agreeing, decided) pairs.

    None below two sets with a decided pair. Sets with equal counts are alike, so a resample of a million sets is one
    draw from a multinomial: B. Efron, "Bootstrap methods" (1979), over sets, since pairs within one depend.
    """
    usable = {pair: number for pair, number in counts.items() if pair[1]}
    total = sum(usable.values())
    if total < 2:
        return None
    pairs = np.array(sorted(usable))
    numbers = np.array([usable[tuple(pair)] for pair in pairs.tolist()])
    drawn = np.random.default_rng(seed).multinomial(total, numbers / total, size=resamples)
    shares = (drawn @ pairs[:, 0]) / (drawn @ pairs[:, 1])
    low, high = np.quantile(shares, [0.025, 0.975])
    return [float(low), float(high)]
