"""How far each labeler's rankings follow the quality of the responses, and how far the place on the screen.

Strength is an inverse temperature: 0 guesses, below 0 reverses. The qualities of an item's responses are independent
standard normals, which fixes the scale, and are integrated out: estimating them along with the labelers would pull
strong labelers toward the weak, and give errors that are too small. The integral is by importance sampling around each
item's most probable qualities, with the same draws throughout, so the likelihood is smooth in the labelers'
parameters. Its exact second derivative is the observed information: T. Louis, "Finding the observed information
matrix when using the EM algorithm" (1982), eq. 3.2. The covariance adds what the draws leave uncertain, and where that
is more than a little, there are more draws.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri
from scipy.stats import qmc

from labeling.reliability import choices
from labeling.reliability.choices import Floats, Ranking, Table

DRAWS = 128  # of each item's qualities, to begin with
MORE = 4  # times as many draws while these leave more than NOISE of a variance
NOISE = 0.05
MOST_DRAWS, MOST_NUMBERS = 512, 20_000_000  # of draws per item, and of all qualities drawn
INFLATION = 1.25  # of the draws' variance over the curvature at the mode; narrower, weights could grow without bound
# Normal priors of each labeler's strength and bias: wide, they keep a labeler of few answers finite.
STRENGTH_PRIOR, BIAS_PRIOR = (1.0, 3.0), (0.0, 2.0)  # mean, standard deviation
ROUNDS, STEPS = 4, 8  # of placing draws, and of Newton steps at most in each
# The largest last step in a round, and the largest move between rounds, in standard errors.
CLOSE, SETTLED = 0.005, 0.05
BLOCK = 1_500_000  # numbers in an array at a time

PRIOR_MEAN = np.array([STRENGTH_PRIOR[0], BIAS_PRIOR[0]])
PRIOR_PRECISION = np.array([STRENGTH_PRIOR[1], BIAS_PRIOR[1]]) ** -2.0


@dataclass(frozen=True)
class Fit:
    """Most probable parameters of L labelers, (strength, bias) each, and their covariance (2L, 2L)."""

    strength: Floats
    bias: Floats
    covariance: Floats
    rankings: int  # that decide a pair
    items: int
    log_likelihood: float  # nats, up to a constant
    draws: int  # per item
    effective_draws: float  # equally weighted ones that they are worth, mean over items
    noise: float  # largest part of a variance that is due to the draws
    converged: bool

    @property
    def strength_error(self) -> Floats:
        return np.sqrt(np.diag(self.covariance)[0::2])

    @property
    def bias_error(self) -> Floats:
        return np.sqrt(np.diag(self.covariance)[1::2])


@dataclass
class _Block:
    """Some items, and the draws of their qualities."""

    rows: Table
    normal: Floats  # (N, D, K) standard normal draws
    mode: Floats  # (N, K)
    quality: Floats  # (N, D, K)
    offset: Floats  # (N, D) log of prior over proposal


@dataclass
class _Sums:
    """Of all items: log-likelihood, and by labelers' parameters its slope, and minus its second derivative."""

    value: float
    slope: Floats
    information: Floats
    noise: Floats  # covariance of the slope over other draws
    effective: float


def fit(rankings: Sequence[Ranking], *, labelers: int, seed: int, draws: int = DRAWS) -> Fit:
    """Fit labelers 0 to `labelers` - 1. One without a ranking that decides a pair keeps the prior."""
    theta = np.tile(PRIOR_MEAN, labelers)
    width = max((len(one.ranks) for one in rankings), default=0)
    while True:
        found, theta = _fit(rankings, theta, seed=seed, draws=draws)
        numbers = found.items * MORE * draws * width
        if found.noise <= NOISE or MORE * draws > MOST_DRAWS or numbers > MOST_NUMBERS:
            return found
        draws *= MORE


def _fit(rankings: Sequence[Ranking], theta: Floats, *, seed: int, draws: int) -> tuple[Fit, Floats]:
    rows = choices.table(rankings, variants=draws, seed=seed)
    blocks = _blocks(rows, draws, seed)
    converged = False
    for _ in range(ROUNDS):
        for block in blocks:
            _place(block, theta)
        before = theta
        theta, sums = _climb(blocks, theta)
        inverse = _inverse(_positive(sums.information, turn_upward=False))
        converged = bool((np.abs(theta - before) < SETTLED * np.sqrt(np.diag(inverse))).all())
        if converged:
            break
    covariance = inverse + inverse @ sums.noise @ inverse
    found = Fit(
        strength=theta[0::2], bias=theta[1::2], covariance=covariance, rankings=len(rows.item), items=rows.items,
        log_likelihood=sums.value, draws=draws, effective_draws=sums.effective / max(rows.items, 1),
        noise=float((1 - np.diag(inverse) / np.diag(covariance)).max()), converged=converged,
    )  # fmt: skip
    return found, theta


def _climb(blocks: Sequence[_Block], theta: Floats) -> tuple[Floats, _Sums]:
    """Newton's method with the draws as they are; halves a step that does not rise."""
    sums = _evaluate(blocks, theta)
    for _ in range(STEPS):
        information = _positive(sums.information, turn_upward=True)
        step = np.linalg.solve(information, sums.slope)
        step *= min(1.0, 1.0 / max(np.abs(step).max(), 1e-12))
        for _ in range(8):
            tried = _evaluate(blocks, theta + step)
            if tried.value >= sums.value - 1e-9:
                break
            step /= 2
        theta, sums = theta + step, tried
        if (np.abs(step) * np.sqrt(np.diag(information))).max() < CLOSE:
            break
    return theta, sums


def _blocks(rows: Table, draws: int, seed: int) -> list[_Block]:
    if not rows.items:
        return []
    width = rows.order.shape[2]
    generator = np.random.default_rng(seed)
    points = qmc.Sobol(width, rng=generator).random(draws)
    size = max(1, BLOCK // (draws * width * -(-len(rows.item) // rows.items)))
    blocks = []
    for start in range(0, rows.items, size):
        part = rows.block(start, min(start + size, rows.items))
        # One set of even points, shifted at random for each item: errors of the integrals do not add up.
        shifted = (points + generator.random((part.items, 1, width))) % 1.0
        normal = ndtri(np.clip(shifted, 1e-9, 1 - 1e-9))
        zeros = np.zeros((part.items, width))
        blocks.append(_Block(part, normal, zeros, normal, np.zeros(normal.shape[:2])))
    return blocks


def _place(block: _Block, theta: Floats) -> None:
    """Draw around the most probable qualities given the labelers: Newton's method, the density is log-concave."""
    mode, identity = block.mode, np.eye(block.mode.shape[1])
    for _ in range(12):
        slope, curve = choices.curvature(block.rows, mode, theta[0::2], theta[1::2])
        curve += identity
        step = np.linalg.solve(curve, (slope - mode)[:, :, None])[:, :, 0]
        step *= np.minimum(1.0, 1.0 / np.maximum(np.abs(step).max(axis=1, keepdims=True), 1e-12))
        mode = mode + step
        if np.abs(step).max() < 1e-3:
            break
    slope, curve = choices.curvature(block.rows, mode, theta[0::2], theta[1::2])
    root = np.linalg.cholesky(np.linalg.inv(curve + identity) * INFLATION)
    block.mode = mode
    block.quality = mode[:, None, :] + np.einsum("nij,ndj->ndi", root, block.normal)
    spread = np.log(np.diagonal(root, axis1=1, axis2=2)).sum(axis=1)
    block.offset = spread[:, None] + 0.5 * (block.normal**2 - block.quality**2).sum(axis=2)


def _evaluate(blocks: Sequence[_Block], theta: Floats) -> _Sums:
    distance = theta - np.tile(PRIOR_MEAN, len(theta) // 2)
    precision = np.tile(PRIOR_PRECISION, len(theta) // 2)
    sums = _Sums(
        value=float(-0.5 * (precision * distance**2).sum()),
        slope=-precision * distance,
        information=np.diag(precision),
        noise=np.zeros((len(theta), len(theta))),
        effective=0.0,
    )
    for block in blocks:
        _add(sums, block, theta)
    return sums


def _add(sums: _Sums, block: _Block, theta: Floats) -> None:
    rows = block.rows
    found = choices.derivatives(rows, block.quality, theta[0::2], theta[1::2])
    weight = block.offset + np.add.reduceat(found.value, rows.first, axis=0)
    top = weight.max(axis=1, keepdims=True)
    weight = np.exp(weight - top)
    total = weight.sum(axis=1, keepdims=True)
    sums.value += float((top + np.log(total / weight.shape[1])).sum())
    weight /= total
    effective = 1 / (weight**2).sum(axis=1)
    sums.effective += float(effective.sum())
    mine = weight[rows.item][:, None, :]
    slope, information = (found.slope * mine).sum(axis=2), (found.information * mine).sum(axis=2)
    strengths, biases = 2 * rows.labeler, 2 * rows.labeler + 1
    np.add.at(sums.slope, strengths, slope[:, 0])
    np.add.at(sums.slope, biases, slope[:, 1])
    known = np.zeros_like(sums.information)
    for first, second, column in ((strengths, strengths, 0), (strengths, biases, 1), (biases, strengths, 1),
                                  (biases, biases, 2)):  # fmt: skip
        np.add.at(known, (first, second), information[:, column])
    lost, noise = _missing(rows, found.slope - slope[:, :, None], weight, effective, len(theta))
    sums.information = sums.information + known - lost
    sums.noise += noise


def _missing(rows: Table, centered: Floats, weight: Floats, effective: Floats, size: int) -> tuple[Floats, Floats]:
    """What not knowing the qualities costs: the covariance of the slopes under each item's draws; and that of means."""
    lost, noise = np.zeros((size, size)), np.zeros((size, size))
    counts = np.diff(rows.first, append=len(rows.item))
    for count in np.unique(counts):
        items = np.flatnonzero(counts == count)
        at = rows.first[items][:, None] + np.arange(count)
        slopes = centered[at].reshape(len(items), 2 * count, -1)
        columns = (2 * rows.labeler[at][:, :, None] + np.arange(2)).reshape(len(items), -1)
        covariance = np.einsum("nad,nbd->nab", slopes * weight[items][:, None, :], slopes)
        at_both = (columns[:, :, None], columns[:, None, :])
        np.add.at(lost, at_both, covariance)
        np.add.at(noise, at_both, covariance / effective[items][:, None, None])
    return lost, noise


def _inverse(matrix: Floats) -> Floats:
    return np.asarray(np.linalg.inv(matrix), dtype=np.float64)


def _positive(matrix: Floats, *, turn_upward: bool) -> Floats:
    """With no curvature below the priors' own, so a direction of which the rankings say nothing keeps the prior.

    `turn_upward` takes curvatures by their size, so that a Newton step leaves a saddle instead of climbing to it.
    """
    values, vectors = np.linalg.eigh(matrix)
    values = np.maximum(np.abs(values) if turn_upward else values, PRIOR_PRECISION.min())
    return np.asarray((vectors * values) @ vectors.T)
