"""What a rollout earns: a reward model's score, a verifier's verdict, or a weighted sum of them.

`PpoConfig.rewards` names the terms; a verifier is `(prompt_text, reply_text, meta) -> float` by its name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from contracts.configs import MODEL_REWARDS, VERIFIERS, reward_terms
from rewardmodel import prefix
from rewardmodel.model import RewardModel
from training.algorithms import verifiers

# Over an ensemble's normalized scores, (M, N) -> (N,). mean - lambda * variance is arXiv 2310.02743's UWO, min its WCO.
OVER_MEMBERS: dict[str, Callable[[Tensor], Tensor]] = {
    "reward_model.mean": lambda scores: scores.mean(0),
    "reward_model.min": lambda scores: scores.amin(0),
    "reward_model.variance": lambda scores: scores.var(0, unbiased=False),
}


class Rewards:
    """The weighted terms of one run."""

    def __init__(self, text: str) -> None:
        self.weights = reward_terms(text)
        self.of_model = [name for name in self.weights if name in MODEL_REWARDS]
        self.verifiers = [name for name in self.weights if name in VERIFIERS]
        self.names = (*self.of_model, *self.verifiers)

    def problem(self, meta: dict[str, Any]) -> str:
        """What keeps a prompt of this meta from being rewarded; empty where nothing does."""
        return next((found for name in self.verifiers if (found := verifiers.problem(name, meta))), "")

    def from_model(self, model: RewardModel | None, batch: prefix.PrefixBatch) -> Tensor:
        """The reward model's terms, (terms, N) fp32, in the order of `of_model`."""
        found: dict[str, Tensor] = {}
        if model is not None and "reward_model" in self.of_model:
            found["reward_model"] = model.score(batch).float()
        if model is not None and any(name in OVER_MEMBERS for name in self.of_model):
            scores = model.member_scores(batch).float()
            found |= {name: OVER_MEMBERS[name](scores) for name in self.of_model if name in OVER_MEMBERS}
        return (
            torch.stack([found[name] for name in self.of_model])
            if found
            else torch.zeros(0, len(batch.owner), device=batch.owner.device)
        )

    def from_verifiers(self, rows: Sequence[tuple[str, str, dict[str, Any]]]) -> Tensor:
        """The verifiers' terms on (prompt text, reply text, meta) rows, (terms, N), in the order of `verifiers`."""
        return torch.tensor([verifiers.judge(name, rows) for name in self.verifiers]).reshape(-1, len(rows))

    def total(self, terms: Tensor) -> Tensor:
        """The weighted sum of the terms `names`, (T, N) -> (N,)."""
        weights = terms.new_tensor([self.weights[name] for name in self.names])
        return (weights[:, None] * terms).sum(0)
