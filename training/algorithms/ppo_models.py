"""The four models of PPO by role: policy and critic learn, reference and reward model never change.

With all weights trained, each role is a model of its own. With LoRA all live on one base (`ppo_adapters.py`). A role is
taken up with `use`, so the loop does not know which of the two it runs on.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from contracts.configs import PpoConfig
from contracts.run_dir import RunDir
from rewardmodel.model import RewardModel, default_device, turn_dropout_off
from training.algorithms import policy, ppo_adapters, ppo_shards

log = logging.getLogger(__name__)
Parameters = dict[str, nn.Parameter]


class Critic(nn.Module):
    """V of the state before each response token. `trunk` is None where another role's states are read."""

    def __init__(self, trunk: nn.Module | None, head: nn.Linear) -> None:
        super().__init__()
        self.trunk = trunk
        self.head = head

    def forward(self, hidden: Tensor) -> Tensor:
        """(N, R, H) -> (N, R), in fp32 under autocast too."""
        with torch.autocast(hidden.device.type, enabled=False):
            return self.head(hidden.float()).squeeze(-1)


def value_head(reward_model: RewardModel) -> nn.Linear:
    """The reward model's head: the first values are the normalized scores of the prefixes."""
    head = nn.Linear(reward_model.head.in_features, 1)
    with torch.no_grad():
        head.weight.copy_(reward_model.head.weight / reward_model.std)
        head.bias.copy_((reward_model.head.bias - reward_model.mean) / reward_model.std)
    return head


def zero_head(model: Any) -> nn.Linear:
    """The first values are 0."""
    head = nn.Linear(model.get_output_embeddings().weight.shape[1], 1)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    return head


class Models:
    """`learning` holds what the optimizers move, by model and by name; `critic` is None where nothing learns values."""

    def __init__(self, run_dir: RunDir, config: PpoConfig, *, seed: int) -> None:
        self.config = config
        self.policy, self.tokenizer = policy.load_policy(run_dir.input("policy"), device=default_device())
        self.device = self.policy.device
        turn_dropout_off(self.policy)
        folder = run_dir.input("reward_model") if config.needs("reward_model") else ""
        self.reward_model = RewardModel.load(folder, device=self.device) if folder else None
        if self.reward_model is not None:
            self.reward_model.check_same_tokenizer(self.tokenizer)
            self.reward_model.requires_grad_(False)
        self.adapters: ppo_adapters.Adapters | None = None
        self.reference: Any = None
        self.critic: Critic | None = None
        own_critic = config.advantages == "gae" and config.critic == "separate"
        if config.lora_rank:
            self.adapters = ppo_adapters.Adapters(
                self.policy, self.reward_model, rank=config.lora_rank, with_critic=own_critic, seed=seed
            )
        else:
            self.reference, _ = policy.load_policy(run_dir.input("policy"), device=self.device)
            self.reference.requires_grad_(False)
        if config.advantages == "gae":
            self.critic = self._critic(run_dir, folder) if own_critic else Critic(None, zero_head(self.policy))
            self.critic.to(self.device).eval()
        if self.reward_model is not None:
            self.reward_model.bf16 = config.bf16
        cut = ppo_shards.wanted()
        self.sharded = cut is not ppo_shards.Cut.NOTHING
        if self.sharded:
            self._shard(cut)
        self.learning = self._learning()
        if config.gradient_checkpointing:
            for trunk in self._trunks():
                trunk.gradient_checkpointing_enable({"use_reentrant": False})

    def use(self, role: str) -> Any:
        """Take up a role until the next call. The causal model of `policy` or `reference`, the trunk of `critic`,
        the reward model of `reward`.

        A backward pass that recomputes activations must come before another role is taken up.
        """
        if self.adapters is not None:
            self.adapters.use(role)
        if role == "reward":
            return self.reward_model
        if role == "critic":
            assert self.critic is not None
            return self.policy.base_model if self.critic.trunk is None else self.critic.trunk
        return self.policy if role == "policy" or self.adapters is not None else self.reference

    @property
    def critic_reads_policy(self) -> bool:
        return self.critic is not None and self.config.critic == "shared"

    @contextlib.contextmanager
    def recomputing(self) -> Iterator[None]:
        """Turns gradient checkpointing on, where the config asks for it: it works in training mode alone."""
        trunks = self._trunks() if self.config.gradient_checkpointing else []
        for trunk in trunks:
            trunk.train()
        try:
            yield
        finally:
            for trunk in trunks:
                trunk.eval()

    @contextlib.contextmanager
    def decoding(self) -> Iterator[Any]:
        """The policy, whole on this process however many shards it is in."""
        model = self.use("policy")
        with ppo_shards.together(model.base_model) if self.sharded else contextlib.nullcontext():
            yield model

    def whole_weights(self) -> dict[str, Tensor] | None:
        """The policy's weights where they are in shards; all processes call this together."""
        if not self.sharded:
            return None
        return {name: ppo_shards.whole(weight).detach() for name, weight in self.policy.state_dict().items()}

    def save_policy(self, run_dir: RunDir, folder: Path, weights: dict[str, Tensor] | None) -> None:
        """A plain model directory; adapters are merged into it, and also written to `adapter/` in peft's format."""
        if self.adapters is None:
            policy.save_policy(self.policy, self.tokenizer, folder, weights=weights)
            return
        merged, _ = policy.load_policy(run_dir.input("policy"), device="cpu")
        self.adapters.merge_into(merged)
        policy.save_policy(merged, self.tokenizer, folder)
        self.adapters.save(folder / "adapter")

    def _shard(self, cut: ppo_shards.Cut) -> None:
        if self.adapters is not None:
            raise policy.PolicyError(
                "found a launch with FSDP and lora_rank, expected one of them: adapters share one base, which fits "
                "where shards would be needed; launch with --multi_gpu alone"
            )
        scorers = [] if self.reward_model is None else [self.reward_model, *self.reward_model.members]
        frozen = [self.reference.base_model, *(one.trunk for one in scorers)]
        ppo_shards.shard(self._trunks() + (frozen if cut is ppo_shards.Cut.EVERYTHING else []), self.device, cut)
        log.info("%d of %d weights are held by this process", *ppo_shards.held(self._trunks() + frozen))

    def _trunks(self) -> list[Any]:
        own = [self.critic.trunk] if self.critic is not None and self.critic.trunk is not None else []
        return [self.policy.base_model, *own]

    def _critic(self, run_dir: RunDir, folder: str) -> Critic:
        """From the reward model where there is one, else from the policy with a head of zeros."""
        if self.adapters is not None:
            from_reward = self.adapters.critic_is_from_reward and self.reward_model is not None
            return Critic(None, value_head(self.reward_model) if from_reward else zero_head(self.policy))  # type: ignore[arg-type]
        if folder:
            reward_model = RewardModel.load(folder)
            return Critic(reward_model.trunk, value_head(reward_model))
        other, _ = policy.load_policy(run_dir.input("policy"), device="cpu")
        turn_dropout_off(other)
        return Critic(other.base_model, zero_head(other))

    def _learning(self) -> dict[str, Parameters]:
        learning = {"policy": dict(self.policy.named_parameters())}
        if self.critic is not None:
            learning["critic"] = dict(self.critic.requires_grad_().named_parameters())
        if self.adapters is not None:
            learning["policy"] = self.adapters.parameters("policy")
            if self.critic is not None:
                learning["critic"] |= self.adapters.parameters("critic")
        return learning
