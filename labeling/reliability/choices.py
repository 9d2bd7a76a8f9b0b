"""Rankings as arrays, and their Plackett-Luce likelihood with its derivatives.

A ranking picks its responses from the best on; among those left, labeler l picks response i with probability
proportional to exp(strength_l * quality_i + bias_l * place_i). R. Plackett, "The analysis of permutations" (1975).
Place falls from 0.5 for the response shown first to -0.5 for the last. The probability of a ranking with ties is
the sum over the strict orders that it leaves open; those are drawn along with the qualities.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Ranking:
    """One labeler's ranks (1 is best, equal is tied) of one item's responses, and the order they were shown in."""

    item: int
    labeler: int
    ranks: Mapping[int, int]  # response -> rank; a response that is missing was not ranked
    shown: Sequence[int] = ()  # responses, first shown first; empty: unknown


@dataclass(frozen=True)
class Table:
    """R rankings of N items of at most K responses, sorted by item; V variants of the orders that ties leave open."""

    items: int
    labeler: Ints  # (R,)
    item: Ints  # (R,) rows of the item, from 0
    first: Ints  # (N,) the row at which each item's rankings start
    order: Ints  # (R, V, K) response positions, best first
    place: Floats  # (R, K) by response position
    there: NDArray[np.bool_]  # (R, K) whether the ranking has so many responses
    scored: NDArray[np.bool_]  # (R, K) whether a choice is made there; none within the last tied ones

    def block(self, start: int, stop: int) -> Table:
        """The items from start to stop."""
        low = int(self.first[start])
        high = int(self.first[stop]) if stop < self.items else len(self.item)
        return Table(
            items=stop - start,
            labeler=self.labeler[low:high],
            item=self.item[low:high] - start,
            first=self.first[start:stop] - low,
            order=self.order[low:high],
            place=self.place[low:high],
            there=self.there[low:high],
            scored=self.scored[low:high],
        )


def table(rankings: Sequence[Ranking], *, variants: int, seed: int) -> Table:
    """Arrays of the rankings that decide a pair. `variants` is even; without ties one variant says it all."""
    kept = sorted((one for one in rankings if len(set(one.ranks.values())) > 1), key=lambda one: one.item)
    known = {item: row for row, item in enumerate(dict.fromkeys(one.item for one in kept))}
    width = max((len(one.ranks) for one in kept), default=0)
    positions: dict[int, dict[int, int]] = {}
    for one in kept:
        place = positions.setdefault(one.item, {})
        for response in sorted(one.ranks):
            place.setdefault(response, len(place))
        width = max(width, len(place))
    generator = np.random.default_rng(seed)
    count = variants if any(len(set(one.ranks.values())) < len(one.ranks) for one in kept) else 1
    size = len(kept)
    order = np.zeros((size, count, width), dtype=np.int64)
    place_of = np.zeros((size, width))
    there = np.zeros((size, width), dtype=bool)
    scored = np.zeros((size, width), dtype=bool)
    for row, one in enumerate(kept):
        position = positions[one.item]
        ranks = np.array(list(one.ranks.values()))
        mine = np.array([position[response] for response in one.ranks])
        order[row, :, : len(mine)] = mine[_orders(ranks, count, generator)]
        there[row, : len(mine)] = True
        scored[row, : int((ranks < ranks.max()).sum())] = True
        last = max(len(one.shown) - 1, 1)
        for index, response in enumerate(one.shown):
            if response in position:
                place_of[row, position[response]] = 0.5 - index / last
    item = np.array([known[one.item] for one in kept], dtype=np.int64)
    return Table(
        items=len(known),
        labeler=np.array([one.labeler for one in kept], dtype=np.int64),
        item=item,
        first=np.searchsorted(item, np.arange(len(known))),
        order=order,
        place=place_of,
        there=there,
        scored=scored,
    )


def _orders(ranks: Any, count: int, generator: np.random.Generator) -> Any:
    """(count, n) strict orders that agree with the ranks; every second one reverses the ties of the one before."""
    keys = generator.random((max(count // 2, 1), len(ranks)))
    both = np.concatenate([keys[:, None], 1 - keys[:, None]], axis=1).reshape(-1, len(ranks))[:count]
    return np.argsort(ranks + 0.5 * both, axis=1)


@dataclass(frozen=True)
class Derivatives:
    """Of each ranking's log-probability by its labeler's (strength, bias), at each draw of the qualities."""

    value: Floats  # (R, D) nats
    slope: Floats  # (R, 2, D)
    information: Floats  # (R, 3, D) minus the second derivatives: strength, both, bias


def derivatives(rows: Table, quality: Floats, strength: Floats, bias: Floats) -> Derivatives:
    """At qualities (N, D, K), and strength and bias by labeler. Draw d takes variant d modulo V of the ties."""
    draws = quality.shape[1]
    turn = np.arange(draws) % rows.order.shape[1]
    order = rows.order[:, turn, :]
    q = np.take_along_axis(quality[rows.item], order, axis=2)
    x = np.take_along_axis(np.broadcast_to(rows.place[:, None, :], order.shape), order, axis=2)
    s, b = strength[rows.labeler][:, None, None], bias[rows.labeler][:, None, None]
    utility = np.where(rows.there[:, None, :], s * q + b * x, -np.inf)
    utility -= utility.max(axis=2, keepdims=True)
    weight = np.exp(utility)
    scored = rows.scored[:, None, :]
    total = _tail(weight)
    safe = np.where(scored, total, 1.0)
    mean_q, mean_x = _tail(weight * q) / safe, _tail(weight * x) / safe
    value = np.where(scored, utility - np.log(safe), 0.0).sum(axis=2)
    slope = np.stack([np.where(scored, q - mean_q, 0.0).sum(axis=2), np.where(scored, x - mean_x, 0.0).sum(axis=2)], 1)
    information = np.stack(
        [
            np.where(scored, _tail(weight * q * q) / safe - mean_q**2, 0.0).sum(axis=2),
            np.where(scored, _tail(weight * q * x) / safe - mean_q * mean_x, 0.0).sum(axis=2),
            np.where(scored, _tail(weight * x * x) / safe - mean_x**2, 0.0).sum(axis=2),
        ],
        axis=1,
    )
    return Derivatives(value, slope, information)


def curvature(rows: Table, quality: Floats, strength: Floats, bias: Floats) -> tuple[Floats, Floats]:
    """Slope (N, K) and minus second derivative (N, K, K) of the log-likelihood by the qualities (N, K).

    Averaged over two opposite variants of the ties: near enough to place draws, which are weighed exactly.
    """
    slopes, curves = np.zeros_like(quality), np.zeros((*quality.shape, quality.shape[1]))
    variants = min(2, rows.order.shape[1])
    stage = np.arange(quality.shape[1])
    s, b = strength[rows.labeler][:, None], bias[rows.labeler][:, None]
    for variant in range(variants):
        order = rows.order[:, variant]
        q, x = np.take_along_axis(quality[rows.item], order, 1), np.take_along_axis(rows.place, order, 1)
        utility = np.where(rows.there, s * q + b * x, -np.inf)
        weight = np.exp(utility - utility.max(axis=1, keepdims=True))
        total = np.where(rows.scored, _tail(weight), 1.0)
        # (R, stage, response in order): the probability of each pick at each choice that was made.
        share = np.where(stage[:, None] <= stage, weight[:, None, :] / total[:, :, None], 0.0)
        share *= rows.scored[:, :, None]
        slope = s * (rows.scored - share.sum(axis=1))
        curve = -(s[:, :, None] ** 2) * np.einsum("rki,rkj->rij", share, share)
        curve[:, stage, stage] += s**2 * share.sum(axis=1)
        np.add.at(slopes, (rows.item[:, None], order), np.where(rows.there, slope, 0.0) / variants)
        np.add.at(curves, (rows.item[:, None, None], order[:, :, None], order[:, None, :]),
                  np.where(rows.there[:, :, None] & rows.there[:, None, :], curve, 0.0) / variants)  # fmt: skip
    return slopes, curves


def _tail(values: Floats) -> Floats:
    """Sums from each place to the last."""
    return np.cumsum(values[..., ::-1], axis=-1)[..., ::-1]
