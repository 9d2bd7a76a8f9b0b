"""Which groups share a pass: batches of similar length, and micro-batches of bounded size.

A shape is (prompt tokens, longest response in tokens, K). Pure Python; all order comes from a seed.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

Shape = tuple[int, int, int]
# So many batches are sorted by length together: enough to save padding, few enough to stay mixed.
WINDOW = 16


def padded_tokens(shapes: Sequence[Shape]) -> int:
    """Tokens of one pass over these groups, padding included: G * P + N * R."""
    P, R = max(shape[0] for shape in shapes), max(shape[1] for shape in shapes)
    return len(shapes) * P + sum(shape[2] for shape in shapes) * R


def by_tokens(shapes: Sequence[Shape], most: int) -> Iterator[list[int]]:
    """Indices in passes of at most `most` padded tokens, longest first; a group too large goes alone."""
    order = sorted(range(len(shapes)), key=lambda i: (-shapes[i][0] - shapes[i][1], i))
    current: list[int] = []
    P = R = N = 0
    for i in order:
        wider = max(P, shapes[i][0]), max(R, shapes[i][1]), N + shapes[i][2]
        if current and (len(current) + 1) * wider[0] + wider[1] * wider[2] > most:
            yield current
            current, wider = [], shapes[i]
        current.append(i)
        P, R, N = wider
    if current:
        yield current


def epoch(shapes: Sequence[Shape], *, size: int, seed: str) -> list[list[int]]:
    """One epoch's batches: a seeded permutation, sorted by length within windows, in a seeded order.

    Every index occurs once; only one batch is smaller than `size`.
    """
    source = random.Random(seed)
    order = list(range(len(shapes)))
    source.shuffle(order)
    batches = []
    for start in range(0, len(order), size * WINDOW):
        window = sorted(order[start : start + size * WINDOW], key=lambda i: (shapes[i][0] + shapes[i][1], i))
        batches += [window[at : at + size] for at in range(0, len(window), size)]
    source.shuffle(batches)
    return batches
