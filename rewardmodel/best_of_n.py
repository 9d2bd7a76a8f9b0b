"""Best-of-n by a proxy, judged by gold: exact curves from few ranked responses, their KL, and the fitted forms.

A ranking of K responses already holds every best-of-n for n up to K: the mean over all subsets of n is a sum of
order statistics, so nothing is sampled. Pure functions on numbers; "gold" is a known reward or a person's ranking.
Source: Gao et al., "Scaling laws for reward model overoptimization" (arXiv 2210.10760).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from rewardmodel.statistics import Floats

Pairs = Sequence[tuple[int, int]]


@dataclass(frozen=True)
class Form:
    """R(d) = d (a - b f(d)), f the identity or ln, d = sqrt(KL). Gold falls beyond `peak`; None where it never does."""

    a: float
    b: float
    peak: float | None


def kl(n: float) -> float:
    """KL of best-of-n from the policy it draws from, nats: ln n - (n - 1) / n; 0 at n = 1."""
    return math.log(n) - (n - 1) / n


def pick_chances(proxy: Sequence[float], n: int) -> Floats:
    """(N,) the chance that each of N responses is the proxy's pick of n that are drawn without replacement.

    Equal scores share their chance. Raises `ValueError` unless 1 <= n <= N.
    """
    N = len(proxy)
    if not 1 <= n <= N:
        raise ValueError(f"n: found {n}, expected 1 to {N}, the number of responses; draw more of them")
    scores = np.asarray(proxy, dtype=np.float64)
    _, which, counts = np.unique(scores, return_inverse=True, return_counts=True)
    up_to = np.cumsum(counts)
    at_most = np.array([math.comb(int(size), n) for size in up_to], dtype=np.float64) / math.comb(N, n)
    chance = np.diff(at_most, prepend=0.0) / counts
    return chance[which]  # type: ignore[no-any-return]


def expected_gold(proxy: Sequence[float], gold: Sequence[float], n: int) -> float:
    """Mean gold of the proxy's pick, over all subsets of n responses to one prompt."""
    return float(pick_chances(proxy, n) @ np.asarray(gold, dtype=np.float64))


def win_shares(pairs: Pairs, K: int) -> list[float]:
    """Each response's share of the other K - 1 that it beats in a ranking, undecided pairs counting half.

    The chance of beating another draw of the same policy: 1/2 on average, whoever ranked.
    """
    margin = [0] * K
    for better, worse in pairs:
        margin[better] += 1
        margin[worse] -= 1
    return [0.5 + one / (2 * (K - 1)) for one in margin]


def fit_best_of_n(d: Sequence[float], gold: Sequence[float]) -> Form:
    """Least squares of R(d) = d (a - b d), R counted from 0 at d = 0; its peak is a / (2 b)."""
    a, b = _least_squares(d, gold, lambda at: at)
    return Form(a, b, a / (2 * b) if a > 0 and b > 0 else None)


def fit_rl(d: Sequence[float], gold: Sequence[float]) -> Form:
    """Least squares of R(d) = d (a - b ln d), R counted from 0 at d = 0; its peak is exp(a / b - 1)."""
    a, b = _least_squares(d, gold, np.log)
    # Beyond exp(700) there is no float, and no peak that matters.
    return Form(a, b, math.exp(a / b - 1) if b > 0 and a / b < 700 else None)


def _least_squares(d: Sequence[float], gold: Sequence[float], falls: Callable[[Floats], Floats]) -> tuple[float, float]:
    at = np.asarray(d, dtype=np.float64)
    if len(at) < 2 or len(at) != len(gold) or not (at > 0).all():
        raise ValueError(f"found {len(at)} distances for {len(gold)} rewards, expected two or more, all above 0")
    (a, b), *_ = np.linalg.lstsq(np.stack([at, -at * falls(at)], 1), np.asarray(gold, dtype=np.float64), rcond=None)
    return float(a), float(b)
