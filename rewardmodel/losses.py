"""What a batch of groups costs: Bradley-Terry over decided pairs, or Plackett-Luce over the order.

Every group weighs its labeler weight, whatever its K. Scores are (N,) fp32 over all responses of a batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor
from torch.nn import functional as F

Pairs = Sequence[tuple[int, int]]


@dataclass(frozen=True)
class Targets:
    """Decided pairs of a batch as positions in its (N,) scores; `share` is w_g / decided pairs of g."""

    better: Tensor  # (M,) int64
    worse: Tensor  # (M,) int64
    share: Tensor  # (M,) fp32
    margin: Tensor  # (M,) fp32: score by which the better must win, 0 for plain Bradley-Terry
    # Plackett-Luce: one row for each response that beats any; it and those it beats compete.
    winner: Tensor  # (S,) int64
    competitors: Tensor  # (S, C) int64
    competes: Tensor  # (S, C) bool
    stage_share: Tensor  # (S,) fp32: w_g / stages of g


def targets(
    pairs: Sequence[Pairs],
    sizes: Sequence[int],
    weights: Sequence[float],
    device: torch.device | str = "cpu",
    *,
    margins: Sequence[Sequence[float]] | None = None,
    of: Sequence[int] | None = None,
) -> Targets:
    """Targets of groups with decided `pairs` (positions within each group) and weights, over sets of `sizes`.

    `of` names the set of responses that each group orders; left out, each group has the set of its own place.
    `margins` has one number for each pair of each group, in score units; left out, all are 0.
    """
    better, worse, share, stages = [], [], [], []
    starts = [0, *accumulate(sizes)]
    for group, at, weight in zip(pairs, range(len(sizes)) if of is None else of, weights, strict=True):
        start = starts[at]
        beaten: dict[int, list[int]] = {}
        for i, j in group:
            better.append(start + i)
            worse.append(start + j)
            share.append(weight / len(group))
            beaten.setdefault(start + i, []).append(start + j)
        stages += [(winner, [winner, *losers], weight / len(beaten)) for winner, losers in beaten.items()]
    width = max((len(row) for _, row, _ in stages), default=1)
    return Targets(
        torch.tensor(better, dtype=torch.long, device=device),
        torch.tensor(worse, dtype=torch.long, device=device),
        torch.tensor(share, dtype=torch.float32, device=device),
        _margin(margins, len(share), device),
        torch.tensor([winner for winner, _, _ in stages], dtype=torch.long, device=device),
        torch.tensor([row + row[:1] * (width - len(row)) for _, row, _ in stages], dtype=torch.long, device=device),
        torch.tensor([[c < len(row) for c in range(width)] for _, row, _ in stages], device=device),
        torch.tensor([part for _, _, part in stages], dtype=torch.float32, device=device),
    )


def _margin(margins: Sequence[Sequence[float]] | None, count: int, device: torch.device | str) -> Tensor:
    if margins is None:
        return torch.zeros(count, dtype=torch.float32, device=device)
    return torch.tensor([m for group in margins for m in group], dtype=torch.float32, device=device)


def pair_loss(scores: Tensor, at: Targets) -> Tensor:
    """Sum over groups of w_g * mean over decided pairs of -log sigmoid(r_better - r_worse - margin), nats.

    InstructGPT (arXiv 2203.02155, eq. 1), margins as in Llama 2 (arXiv 2307.09288, eq. 2); log 2 a group
    where all scores are equal and no margin is asked.
    """
    return (at.share * F.softplus(scores[at.worse] - scores[at.better] + at.margin)).sum()


def plackett_luce_loss(scores: Tensor, at: Targets) -> Tensor:
    """Sum over groups of w_g * mean over stages of -log P(the winner comes first among those it beats), nats.

    Without ties this is the Plackett-Luce likelihood of the order; tied responses never compete. Equal to
    `pair_loss` for K = 2, and like it unchanged when all scores shift.
    """
    field = scores[at.competitors].masked_fill(~at.competes, -torch.inf).logsumexp(1)
    return (at.stage_share * (field - scores[at.winner])).sum()


def centering_loss(scores: Tensor, at: Targets) -> Tensor:
    """Sum over groups of w_g * mean over decided pairs of (r_i + r_j)^2: pins the offset no order decides."""
    return (at.share * (scores[at.better] + scores[at.worse]).square()).sum()


def total(scores: Tensor, at: Targets, *, kind: str, centering: float) -> Tensor:
    """The training objective, summed over groups; divide by the groups of the whole step."""
    scores = scores.float()
    loss = pair_loss(scores, at) if kind == "pairs" else plackett_luce_loss(scores, at)
    return loss + centering * centering_loss(scores, at) if centering else loss
