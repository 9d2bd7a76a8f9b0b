"""How the members of an ensemble become one score, or one model. Pure functions on scores and weights.

Members come normalized, each to mean 0 and standard deviation 1 over the same reference responses.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

# (M, N) scores of the members and lambda, to (N,).
COMBINATIONS: dict[str, Callable[[Tensor, float], Tensor]] = {
    "mean": lambda scores, _: scores.mean(0),
    "min": lambda scores, _: scores.amin(0),  # worst-case optimization, WCO (arXiv 2310.02743, eq. 3)
    # Uncertainty-weighted optimization, UWO (arXiv 2310.02743, eq. 4): the population variance over members.
    "uncertainty": lambda scores, penalty: scores.mean(0) - penalty * scores.var(0, unbiased=False),
}
# Not a function of scores: the members' mean weights are one model (WARM, arXiv 2401.12187).
WEIGHTS = "weights"
CHOICES = (*COMBINATIONS, WEIGHTS)


def combine(scores: Tensor, name: str, penalty: float) -> Tensor:
    """(M, N) to (N,). The single member's own scores for M = 1, whatever the name."""
    return scores[0] if len(scores) == 1 else COMBINATIONS[name](scores, penalty)


def spread(scores: Tensor) -> Tensor:
    """(M, N) to (N,): standard deviation between members, the ensemble's doubt; 0 for one member."""
    return scores.std(0, unbiased=False)


@torch.no_grad()
def folded_head(model: Any) -> tuple[Tensor, Tensor]:
    """Weight (1, H) and bias (1,) of a head whose raw score is the model's normalized one."""
    return model.head.weight / model.std, (model.head.bias - model.mean) / model.std


@torch.no_grad()
def averaged(models: Sequence[Any]) -> Any:
    """One model of the mean weights, normalizers folded in before; the models stay as they are.

    Means something where they lie in one basin: fitted from the same base with the same first head, as
    combine=weights does. The mean is not normalized: normalize it on reference responses.
    """
    mean = copy.deepcopy(models[0])
    theirs = [dict(model.trunk.named_parameters()) for model in models[1:]]
    for name, weight in mean.trunk.named_parameters():
        for other in theirs:
            weight.add_(other[name].to(weight.device))
        weight.div_(len(models))
    heads = [folded_head(model) for model in models]
    mean.head.weight.copy_(torch.stack([weight.to(mean.device) for weight, _ in heads]).mean(0))
    mean.head.bias.copy_(torch.stack([bias.to(mean.device) for _, bias in heads]).mean(0))
    mean.mean, mean.std, mean.combine = 0.0, 1.0, "mean"
    return mean
