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


def epoch(shapes: Sequence[Shape], *, size: int, seed: str, counts: Sequence[int] | None = None) -> list[list[int]]:
    """One epoch's batches: a seeded permutation, sorted by length within windows, in a seeded order.

    Every index occurs once, in a batch whose `counts` (1 each, where left out) add up to `size` or little less;
    an index that counts for more goes alone.
    """
    source = random.Random(seed)
    order = list(range(len(shapes)))
    source.shuffle(order)
    each = counts or [1] * len(shapes)
    batches = []
    for window in _filled(order, each, size * WINDOW):
        by_length = sorted(window, key=lambda i: (shapes[i][0] + shapes[i][1], i))
        batches += list(_filled(by_length, each, size))
    source.shuffle(batches)
    return batches


def _filled(order: Sequence[int], counts: Sequence[int], most: int) -> Iterator[list[int]]:
    """Runs of the order whose counts add up to at most `most`."""
    current: list[int] = []
    for i in order:
        if current and sum(counts[k] for k in current) + counts[i] > most:
            yield current
            current = []
        current.append(i)
    if current:
        yield current
