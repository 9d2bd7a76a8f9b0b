"""Labelers of known strength and position bias who rank items of known quality, exactly as the model says."""

from collections.abc import Sequence

import numpy as np

from labeling.reliability.choices import Ranking


def rankings(
    strength: Sequence[float], bias: Sequence[float], *, items: int, overlap: int, k: int, seed: int, grain: float = 0.0
) -> list[Ranking]:
    """`overlap` labelers, drawn anew for each item, rank its `k` responses.

    `grain` rounds what they perceive, in units of the choice's noise, so that near responses tie.
    """
    generator = np.random.default_rng(seed)
    made = []
    for item in range(items):
        quality = generator.standard_normal(k)
        for labeler in generator.choice(len(strength), overlap, replace=False):
            shown = generator.permutation(k)
            place = np.empty(k)
            place[shown] = 0.5 - np.arange(k) / (k - 1)
            # Picking with probability proportional to exp(u) is picking the largest u + Gumbel noise.
            perceived = strength[labeler] * quality + bias[labeler] * place + generator.gumbel(size=k)
            if grain:
                perceived = np.round(perceived / grain)
            ranks = np.unique(-perceived, return_inverse=True)[1] + 1
            made.append(Ranking(item, int(labeler), dict(enumerate(ranks.tolist())), shown.tolist()))
    return made
