"""What PPO carries from one iteration to the next: models, optimizers, beta, and how far it has come.

All randomness is drawn from generators named by what they are for (`generator`), so the number of finished
iterations is also the position of every generator and of the data cursor. The loop is `ppo.py`.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from contracts.configs import PpoConfig
from contracts.run_dir import RunDir
from rewardmodel import prefix
from training.algorithms import policy, ppo_math, ppo_shards, states
from training.algorithms.ppo_models import Models
from training.algorithms.ppo_rewards import Rewards


class PpoError(ValueError):
    """The inputs do not fit together."""


class Diverged(PpoError):
    """A number stopped being finite."""

    code = "diverged"


def seed_of(seed: int, *purpose: str | int) -> int:
    """A seed of its own for each purpose, the same in every attempt of a run."""
    name = "/".join(map(str, (seed, *purpose)))
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:6], "big")


def generator(seed: int, *purpose: str | int) -> torch.Generator:
    return torch.Generator().manual_seed(seed_of(seed, *purpose))


class Question(NamedTuple):
    """A prompt: its ids, the text of its last message, and what its author knows of it."""

    ids: list[int]
    text: str = ""
    meta: dict[str, Any] = {}


@dataclass
class Experience:
    """One iteration's rollouts and what was measured on them before the policy moves.

    G prompts with K responses each; row g * K + k of the (N, R) tensors is response k of prompt g. Without a critic
    values and returns are 0.
    """

    prompts: list[list[int]]
    responses: list[list[list[int]]]
    mask: Tensor
    logprobs: Tensor
    values: Tensor
    advantages: Tensor
    returns: Tensor
    measures: dict[str, float]


class Learner:
    """Policy, critic and their optimizers, which learn, beside models that never change (`ppo_models.py`).

    `update` counts finished iterations. `experience` and `steps` (one row of numbers per optimizer step) belong to
    the iteration in progress, so that a cancelled run goes on between two optimizer steps.
    """

    def __init__(self, run_dir: RunDir, config: PpoConfig) -> None:
        self.config = config
        self.models = Models(run_dir, config, seed=seed_of(run_dir.spec().seed, "adapters"))
        self.policy, self.tokenizer, self.device = self.models.policy, self.models.tokenizer, self.models.device
        self.learning = self.models.learning
        self.rewards = Rewards(config.rewards)
        self.rates = {"policy": config.learning_rate, "critic": config.critic_learning_rate}
        self.optimizers = {
            name: torch.optim.AdamW(
                [{"params": part} for part in ppo_shards.parts(weights.values())],
                lr=self.rates[name],
                eps=ppo_math.ADAM_EPSILON,
                weight_decay=0.0,
                fused=True,
            )
            for name, weights in self.learning.items()
        }
        self.micro_batch_tokens = config.micro_batch_tokens
        self.beta = config.kl_coefficient
        self.update = 0
        self.experience: Experience | None = None
        self.steps: list[list[float]] = []
        self.measured: dict[str, dict[str, float]] = {}

    def passes(self) -> list[tuple[str, ...]]:
        """What each forward and backward pass of a step trains: one pass for all that reads the same states."""
        learns_policy = self.update >= self.config.critic_warmup_updates or self.models.critic is None
        policy = ("policy",) if learns_policy else ()
        critic = ("critic",) if self.models.critic is not None else ()
        together = [policy + critic] if self.models.critic_reads_policy else [policy, critic]
        return [wanted for wanted in together if wanted]

    def forward(
        self, batch: prefix.PrefixBatch, wanted: Sequence[str] = ("policy", "critic"), *, with_entropy: bool = True
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Log-probability and entropy of every response token and the value before it, each (N, R).

        What is not wanted, or not there, is 0.
        """
        logprobs = entropy = values = torch.zeros(batch.response_mask.shape, device=self.device)
        critic = self.models.critic if "critic" in wanted else None
        with self.autocast():
            hidden = None
            if "policy" in wanted or (critic is not None and self.models.critic_reads_policy):
                model = self.models.use("policy")
                with torch.set_grad_enabled("policy" in wanted and torch.is_grad_enabled()):
                    hidden = prefix.encode(model.base_model, batch, with_last_prompt_state=True)[:, :-1]
            if "policy" in wanted:
                logprobs, entropy = policy.logprobs_from(
                    self.policy, hidden, batch, self.config.temperature, with_entropy=with_entropy
                )
            if critic is not None:
                if not self.models.critic_reads_policy:
                    trunk = self.models.use("critic")
                    hidden = prefix.encode(trunk, batch, with_last_prompt_state=True)[:, :-1]
                values = critic(hidden)
        return logprobs, entropy, values

    def judge(self, batch: prefix.PrefixBatch) -> tuple[Tensor, Tensor]:
        """Reference log-probabilities (N, R) and the reward model's terms of the reward, (terms, N)."""
        with self.autocast():
            reference = self.models.use("reference")
            logprobs, _ = policy.response_logprobs(reference, batch, self.config.temperature, with_entropy=False)
            return logprobs, self.rewards.from_model(self.models.use("reward"), batch)

    @contextlib.contextmanager
    def autocast(self) -> Iterator[None]:
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.bf16):
            yield

    def set_learning_rates(self) -> float:
        """Linear decay from the first iteration's full rate to 0 after the last; returns the share left."""
        left = 1 - self.update / self.config.updates
        for name, optimizer in self.optimizers.items():
            for group in optimizer.param_groups:
                group["lr"] = self.rates[name] * left
        return left

    def finish_update(self, kl: float) -> None:
        """Adapt beta to the iteration's mean sequence KL, nats, and let go of its rollouts."""
        config = self.config
        if config.kl_target:
            self.beta = ppo_math.adapt_beta(
                self.beta,
                kl,
                target=config.kl_target,
                horizon=config.kl_horizon,
                rollouts=config.prompts_per_update * config.rollouts_per_prompt,
            )
        self.experience, self.steps, self.update = None, [], self.update + 1

    def save(self, run_dir: RunDir) -> None:
        states.save(
            run_dir,
            {
                "models": {
                    name: {key: ppo_shards.whole(weight.detach()) for key, weight in weights.items()}
                    for name, weights in self.learning.items()
                },
                # By the weights' names, so that a state knows nothing of how an optimizer groups them.
                "moments": {
                    name: {
                        key: {moment: ppo_shards.whole(value) for moment, value in optimizer.state[weight].items()}
                        for key, weight in self.learning[name].items()
                        if weight in optimizer.state
                    }
                    for name, optimizer in self.optimizers.items()
                },
                "beta": self.beta,
                "micro_batch_tokens": self.micro_batch_tokens,
                "update": self.update,
                "experience": self.experience and vars(self.experience),
                "steps": self.steps,
                "measured": self.measured,
            },
        )

    def restore(self, run_dir: RunDir) -> bool:
        """Take up the newest state; False where there is none."""
        state = states.load(run_dir)
        if state is None:
            return False
        with torch.no_grad():
            for name, weights in self.learning.items():
                for key, weight in weights.items():
                    weight.copy_(ppo_shards.like(state["models"][name][key], weight))
        for name, optimizer in self.optimizers.items():
            for key, moments in state["moments"][name].items():
                weight = self.learning[name][key]
                optimizer.state[weight] = {
                    moment: ppo_shards.like(value, weight) if value.dim() else value.to(weight.device)
                    for moment, value in moments.items()
                }
        self.beta, self.update = state["beta"], state["update"]
        self.micro_batch_tokens = state["micro_batch_tokens"]
        if state["experience"]:
            here = {k: v.to(self.device) if isinstance(v, Tensor) else v for k, v in state["experience"].items()}
            self.experience = Experience(**here)
        self.steps, self.measured = state["steps"], state["measured"]
        return True


def refuse_nonfinite(learner: Learner, tensors: dict[str, Tensor]) -> None:
    """Stop before a NaN or an infinity reaches the weights. The newest state on disk stays as it is."""
    for name, tensor in tensors.items():
        if not bool(torch.isfinite(ppo_shards.whole(tensor)).all()):
            raise Diverged(
                f"in iteration {learner.update + 1} {name} are no longer finite; the state saved before it is kept; "
                "lower learning_rate or gradient_clip"
            )
