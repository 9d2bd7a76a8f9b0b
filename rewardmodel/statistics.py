"""Measures of scores against rankings, as pure functions on arrays, and bootstrap intervals over prompts.

A measure that is not defined for the data is None, never 0, 1 or NaN.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from contracts.reports import CalibrationBin

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

RESAMPLES = 1_000
BINS = 10


def accuracy_of(delta: Floats) -> Floats:
    """1 where the better response scores higher, 0 where lower, 1/2 where they tie."""
    return (np.sign(delta) + 1) / 2


def log_loss_of(delta: Floats, temperature: float = 1.0) -> Floats:
    """-log sigmoid(delta / temperature), nats; log 2 where the scores tie."""
    return np.logaddexp(0, -delta / temperature)


def fitted_temperature(delta: Floats) -> float:
    """The T > 0 that minimizes the mean of -log sigmoid(delta / T), within [1e-3, 1e3].

    The loss is convex in 1/T, so its slope is bisected.
    """
    low, high = -3.0, 3.0  # log10 of 1/T
    for _ in range(60):
        middle = (low + high) / 2
        a = 10.0**middle
        slope = np.mean(-delta / (1 + np.exp(np.clip(a * delta, -700, 700))))
        low, high = (middle, high) if slope < 0 else (low, middle)
    return float(10 ** (-(low + high) / 2))


def chances(delta: Floats, temperatures: Floats) -> tuple[Floats, Integers]:
    """sigmoid(|delta| / T), the chance of being right that the scores claim, and each one's bin of [0.5, 1]."""
    chance = 1 / (1 + np.exp(-np.abs(delta) / temperatures))
    return chance, np.minimum(((chance - 0.5) * 2 * BINS).astype(int), BINS - 1)


def calibration(delta: Floats, temperatures: Floats) -> tuple[float, list[CalibrationBin]]:
    """Expected calibration error of the claimed chances, and the bins that hold any; without intervals."""
    chance, at = chances(delta, temperatures)
    right = accuracy_of(delta)
    error, bins = 0.0, []
    for k in range(BINS):
        inside = at == k
        if inside.any():
            predicted, observed = float(chance[inside].mean()), float(right[inside].mean())
            error += abs(predicted - observed) * float(inside.mean())
            bins.append(
                CalibrationBin(
                    low=0.5 + k / (2 * BINS),
                    high=0.5 + (k + 1) / (2 * BINS),
                    predicted=predicted,
                    observed=observed,
                    ci=None,
                    pairs=int(inside.sum()),
                )
            )
    return error, bins


def cross_fitted_temperatures(delta: Floats, cluster: Integers) -> Floats:
    """For each pair the temperature fitted on the half of the prompts that it is not in."""
    half = cluster % 2 == 0
    result = np.empty_like(delta)
    for side in (half, ~half):
        other = delta[~side]
        result[side] = fitted_temperature(other if len(other) else delta)
    return result


def kendall_tau_b(scores: Sequence[float], pairs: Sequence[tuple[int, int]], K: int) -> float | None:
    """Kendall's tau-b of scores against a ranking whose undecided pairs count as its ties.

    (C - D) / sqrt((pairs decided by the ranking) (pairs decided by the scores)), over all K(K-1)/2 pairs.
    """
    concordance = sum(np.sign(scores[i] - scores[j]) for i, j in pairs)
    by_scores = sum(scores[i] != scores[j] for i in range(K) for j in range(i))
    return float(concordance / math.sqrt(len(pairs) * by_scores)) if pairs and by_scores else None


def average_ranks(values: Sequence[float]) -> Floats:
    """Ranks from 1 in ascending order; equal values share the mean of their ranks."""
    array = np.asarray(values, dtype=np.float64)
    below = (array[None, :] < array[:, None]).sum(1)
    equal = (array[None, :] == array[:, None]).sum(1)
    return below + (equal + 1) / 2


def spearman(a: Sequence[float], b: Sequence[float]) -> float | None:
    """Pearson's correlation of average ranks; None where either side is constant."""
    x, y = average_ranks(a), average_ranks(b)
    x, y = x - x.mean(), y - y.mean()
    scale = math.sqrt(float((x * x).sum() * (y * y).sum()))
    return float((x * y).sum() / scale) if scale else None


class Bootstrap:
    """Intervals of weighted means, resampling whole clusters (prompts) with one fixed seed.

    The same resamples serve every measure, so differences of two measures are paired.
    """

    def __init__(self, clusters: int, *, seed: int = 0) -> None:
        source = np.random.default_rng(seed)
        self.draws = source.multinomial(clusters, np.full(clusters, 1 / clusters), size=RESAMPLES)  # (B, C)

    def means(self, values: Floats, cluster: Integers) -> Floats:
        """Mean of `values` in each resample, (B,); NaN in one that drew none of them."""
        clusters = self.draws.shape[1]
        sums = np.bincount(cluster, weights=values, minlength=clusters)
        counts = np.bincount(cluster, minlength=clusters)
        with np.errstate(invalid="ignore", divide="ignore"):
            return (self.draws @ sums) / (self.draws @ counts)

    def interval(self, values: Floats, cluster: Integers) -> list[float] | None:
        """The central 95 % of the resampled means."""
        return quantiles(self.means(values, cluster)) if len(values) else None

    def calibration_interval(self, delta: Floats, temperatures: Floats, cluster: Integers) -> list[float] | None:
        """Of the calibration error, centered on it: resampling adds noise to every bin and so only raises it."""
        chance, at = chances(delta, temperatures)
        gap = chance - accuracy_of(delta)
        clusters = self.draws.shape[1]
        flat = cluster * BINS + at
        sums = np.bincount(flat, weights=gap, minlength=clusters * BINS).reshape(clusters, BINS)
        counts = np.bincount(cluster, minlength=clusters)
        with np.errstate(invalid="ignore", divide="ignore"):
            errors = np.abs(self.draws @ sums).sum(1) / (self.draws @ counts)
        errors = errors[np.isfinite(errors)]
        point = np.abs(np.bincount(at, weights=gap)).sum() / max(1, len(gap))
        bounds = quantiles(errors - (errors.mean() - point)) if len(errors) else None
        return bounds and [max(0.0, bound) for bound in bounds]


def quantiles(means: Floats) -> list[float] | None:
    means = means[np.isfinite(means)]
    return [float(q) for q in np.quantile(means, (0.025, 0.975))] if len(means) else None


def mean(values: Floats) -> float | None:
    return float(values.mean()) if len(values) else None
