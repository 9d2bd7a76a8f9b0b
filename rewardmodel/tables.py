"""Held-out rankings and their scores as flat arrays, which every measure of the report reads.

A row of `PairTable` is a decided pair, a row of `ResponseTable` a response. A cluster is a prompt, the unit
of the bootstrap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rewardmodel.groups import Group
from rewardmodel.statistics import Floats, Integers


@dataclass(frozen=True)
class PairTable:
    """One row for each decided pair of the evaluated groups."""

    delta: Floats  # score of the better response minus that of the worse
    longer: Floats  # the same difference in tokens
    adjacent: Integers  # 1 where no other response lies between the two
    group: Integers  # position in the evaluated groups
    cluster: Integers  # prompt


@dataclass(frozen=True)
class ResponseTable:
    """One row for each response that is in a decided pair; shares are over its pairs."""

    score: Floats
    tokens: Floats
    human: Floats  # share of its decided pairs that it won
    model: Floats  # share that its score wins
    cluster: Integers


def pair_table(groups: Sequence[Group], scores: Sequence[Sequence[float]]) -> PairTable:
    prompts = clusters(groups)
    rows = []
    for number, (group, found) in enumerate(zip(groups, scores, strict=True)):
        lengths = [len(response) for response in group.responses]
        beats = set(group.pairs)
        for i, j in group.pairs:
            between = any((i, k) in beats and (k, j) in beats for k in range(len(lengths)))
            rows.append(
                (found[i] - found[j], lengths[i] - lengths[j], not between, number, prompts[group.conversation])
            )
    delta, longer, adjacent, group_at, cluster = np.array(rows, dtype=np.float64).T
    return PairTable(delta, longer, adjacent.astype(int), group_at.astype(int), cluster.astype(int))


def response_table(groups: Sequence[Group], scores: Sequence[Sequence[float]]) -> ResponseTable:
    prompts = clusters(groups)
    rows = []
    for group, found in zip(groups, scores, strict=True):
        won: dict[int, list[tuple[float, float]]] = {}
        for i, j in group.pairs:
            right = (np.sign(found[i] - found[j]) + 1) / 2
            won.setdefault(i, []).append((1.0, right))
            won.setdefault(j, []).append((0.0, 1 - right))
        for k, results in won.items():
            human, model = np.mean(results, axis=0)
            rows.append((found[k], len(group.responses[k]), human, model, prompts[group.conversation]))
    score, tokens, human, model, cluster = np.array(rows, dtype=np.float64).T
    return ResponseTable(score, tokens, human, model, cluster.astype(int))


def clusters(groups: Sequence[Group]) -> dict[str, int]:
    """A number for each prompt, in the order of first appearance."""
    return {name: number for number, name in enumerate(dict.fromkeys(g.conversation for g in groups))}
