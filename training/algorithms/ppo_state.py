"""What PPO carries from one iteration to the next: models, optimizers, beta, and how far it has come.

All randomness is drawn from generators named by what they are for (`generator`), so the number of finished
iterations is also the position of every generator and of the data cursor. The loop is `ppo.py`.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from contracts.configs import PpoConfig
from contracts.run_dir import RunDir
from rewardmodel import prefix
from rewardmodel.model import RewardModel
from training.algorithms import policy, ppo_math, states

ADAM_EPSILON = 1e-5  # arXiv 2403.17031, detail 18


class PpoError(ValueError):
    """The inputs do not fit together, or the run has diverged."""


def seed_of(seed: int, *purpose: str | int) -> int:
    """A seed of its own for each purpose, the same in every attempt of a run."""
    name = "/".join(map(str, (seed, *purpose)))
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:6], "big")


def generator(seed: int, *purpose: str | int) -> torch.Generator:
    return torch.Generator().manual_seed(seed_of(seed, *purpose))


class Critic(nn.Module):
    """V of the state before each response token. `trunk` is None where it reads the policy's states."""

    def __init__(self, trunk: nn.Module | None, head: nn.Linear) -> None:
        super().__init__()
        self.trunk = trunk
        self.head = head

    def forward(self, hidden: Tensor) -> Tensor:
        """(N, R, H) -> (N, R), in fp32 under autocast too."""
        with torch.autocast(hidden.device.type, enabled=False):
            return self.head(hidden.float()).squeeze(-1)


def critic_from(reward_model: RewardModel) -> Critic:
    """Its trunk and head become the critic's: the first values are the normalized scores of the prefixes."""
    head = nn.Linear(reward_model.head.in_features, 1)
    with torch.no_grad():
        head.weight.copy_(reward_model.head.weight / reward_model.std)
        head.bias.copy_((reward_model.head.bias - reward_model.mean) / reward_model.std)
    return Critic(reward_model.trunk, head)


def critic_on(model: Any) -> Critic:
    """A zero head on the policy's own states: the first values are 0."""
    head = nn.Linear(model.get_output_embeddings().weight.shape[1], 1)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    return Critic(None, head)


@dataclass
class Experience:
    """One iteration's rollouts and what was measured on them before the policy moves.

    G prompts with K responses each; row g * K + k of the (N, R) tensors is response k of prompt g.
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
    """Policy, critic and their optimizers, which learn; reference and reward model, which never change.

    `update` counts finished iterations. `experience` and `steps` (one row of numbers per optimizer step) belong to
    the iteration in progress, so that a cancelled run goes on between two optimizer steps.
    """

    def __init__(self, run_dir: RunDir, config: PpoConfig) -> None:
        if config.bf16 and not torch.cuda.is_available():
            raise PpoError("bf16 needs a GPU and none is here; set bf16 to false")
        self.config = config
        self.policy, self.tokenizer = policy.load_policy(run_dir.input("policy"))
        self.reference, _ = policy.load_policy(run_dir.input("policy"))
        self.device = self.policy.device
        folder = run_dir.input("reward_model")
        self.reward_model = RewardModel.load(folder, device=self.device)
        self.reward_model.check_same_tokenizer(self.tokenizer)
        self.reward_model.bf16 = config.bf16
        shared = config.critic == "shared"
        self.critic = critic_on(self.policy) if shared else critic_from(RewardModel.load(folder))
        self.critic.to(self.device).eval()
        for model in (self.reference, self.reward_model):
            model.requires_grad_(False)
        self.learning = {"policy": self.policy, "critic": self.critic.requires_grad_()}
        rates = {"policy": config.learning_rate, "critic": config.critic_learning_rate}
        self.optimizers = {
            name: torch.optim.AdamW(model.parameters(), lr=rates[name], eps=ADAM_EPSILON, weight_decay=0.0, fused=True)
            for name, model in self.learning.items()
        }
        self.rates = rates
        self.beta = config.kl_coefficient
        self.update = 0
        self.experience: Experience | None = None
        self.steps: list[list[float]] = []
        self.measured: dict[str, dict[str, float]] = {}

    def forward(self, batch: prefix.PrefixBatch, *, with_policy: bool = True) -> tuple[Tensor, Tensor, Tensor]:
        """Log-probability and entropy of every response token and the value before it, each (N, R).

        Without `with_policy` the first two are 0 and only the critic gets gradients.
        """
        hidden, zero = None, torch.zeros(batch.response_mask.shape, device=self.device)
        logprobs = entropy = zero
        with self.autocast():
            if with_policy or self.critic.trunk is None:
                with torch.set_grad_enabled(with_policy and torch.is_grad_enabled()):
                    hidden = prefix.encode(self.policy.base_model, batch, with_last_prompt_state=True)[:, :-1]
            if with_policy:
                logprobs, entropy = policy.logprobs_from(self.policy, hidden, batch, self.config.temperature)
            if self.critic.trunk is not None:
                hidden = prefix.encode(self.critic.trunk, batch, with_last_prompt_state=True)[:, :-1]
            return logprobs, entropy, self.critic(hidden)

    def judge(self, batch: prefix.PrefixBatch) -> tuple[Tensor, Tensor]:
        """Reference log-probabilities (N, R) and normalized scores (N,)."""
        with self.autocast():
            logprobs, _ = policy.response_logprobs(self.reference, batch, self.config.temperature)
            return logprobs, self.reward_model.score(batch).float()

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
                "models": {name: model.state_dict() for name, model in self.learning.items()},
                "optimizers": {name: optimizer.state_dict() for name, optimizer in self.optimizers.items()},
                "beta": self.beta,
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
        for name, model in self.learning.items():
            model.load_state_dict(state["models"][name])
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])
        self.beta, self.update = state["beta"], state["update"]
        if state["experience"]:
            here = {k: v.to(self.device) if isinstance(v, Tensor) else v for k, v in state["experience"].items()}
            self.experience = Experience(**here)
        self.steps, self.measured = state["steps"], state["measured"]
        return True


def refuse_nonfinite(learner: Learner, tensors: dict[str, Tensor]) -> None:
    """Stop before a NaN or an infinity reaches the weights. The newest state on disk stays as it is."""
    for name, tensor in tensors.items():
        if not bool(torch.isfinite(tensor).all()):
            raise PpoError(
                f"in iteration {learner.update + 1} {name} are no longer finite; the state saved before it is kept; "
                "lower learning_rate or gradient_clip"
            )
