"""LoRA for PPO: one base in memory, an adapter for each role that differs from it, the reference is the base itself.

Adapters are peft's. A reward model joins the base as an adapter where it differs from it by matrices of low rank only,
as one that was fitted with LoRA on the same base does; any other keeps a trunk of its own.
"""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model_state_dict, inject_adapter_in_model
from peft.tuners.tuners_utils import BaseTunerLayer
from safetensors.torch import save_file
from torch import Tensor, nn

from rewardmodel.model import RewardModel

MOST_REWARD_RANK = 64
# What merging a reward model's adapters in fp32 leaves beside their product, relative to the largest weight.
ROUNDING = 4 * torch.finfo(torch.float32).eps
Factors = dict[str, tuple[Tensor, Tensor]]  # A (r, in) and B (out, r) of each module that differs
log = logging.getLogger(__name__)


class Adapters:
    """Adapters `policy`, `critic` and `reward` on one causal language model, which `use` switches between."""

    def __init__(
        self, model: Any, reward_model: RewardModel | None, *, rank: int, with_critic: bool, seed: int
    ) -> None:
        factors = None
        if reward_model is not None and not len(reward_model.members):
            factors = low_rank_difference(model.base_model, reward_model.trunk, most=MOST_REWARD_RANK)
        self.model = model
        self.shares_reward = factors is not None
        reward_rank = max((len(A) for A, _ in (factors or {}).values()), default=1)
        self.critic_is_from_reward = with_critic and factors is not None and reward_rank <= rank
        model.requires_grad_(False)
        self.trained = ("policy", "critic") if with_critic else ("policy",)
        self.config = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear")
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Already found a `peft_config`")  # the adapter before this one
            torch.manual_seed(seed)
            for name in self.trained:
                inject_adapter_in_model(self.config, model, adapter_name=name)
            if factors is not None:
                plain = LoraConfig(r=reward_rank, lora_alpha=reward_rank, target_modules="all-linear")
                inject_adapter_in_model(plain, model, adapter_name="reward")
        self.layers = {name: layer for name, layer in model.named_modules() if isinstance(layer, BaseTunerLayer)}
        if factors is not None and reward_model is not None:
            self._set("reward", factors)
            if self.critic_is_from_reward:
                self._set("critic", factors)
            reward_model.trunk = model.base_model
        log.info(
            "adapters of rank %d on one base; the reward model %s, the critic starts from %s",
            rank,
            f"is one of rank {reward_rank}" if self.shares_reward else "has a trunk of its own, or there is none",
            "the reward model" if self.critic_is_from_reward else "the base, with values of 0",
        )
        self.use("policy")

    def use(self, role: str) -> None:
        """Switch the adapters of a role on and all others off, until the next call."""
        for layer in self.layers.values():
            if role == "reference":
                layer.enable_adapters(False)
            elif role != "reward" or self.shares_reward:
                name = role if role in (*self.trained, "reward") else "policy"
                layer.enable_adapters(True)
                layer.set_adapter(name, inference_mode=name not in self.trained)

    def parameters(self, role: str) -> dict[str, nn.Parameter]:
        return {name: weight for name, weight in self.model.named_parameters() if f".{role}." in name}

    @torch.no_grad()
    def merge_into(self, plain: Any) -> None:
        """Add the policy's adapters to the weights of its base, loaded anew."""
        for name, layer in self.layers.items():
            weight = plain.get_submodule(name).weight
            weight += layer.get_delta_weight("policy").to(weight)

    def save(self, folder: Path) -> None:
        """The policy's adapter alone, as `PeftModel.from_pretrained(base, folder)` loads it."""
        folder.mkdir()
        tensors = get_peft_model_state_dict(self.model, adapter_name="policy")
        save_file(
            {f"base_model.model.{name}": tensor.detach().cpu().contiguous() for name, tensor in tensors.items()},
            folder / "adapter_model.safetensors",
        )
        names = sorted({name.rsplit(".", 1)[-1] for name in self.layers})
        LoraConfig(
            r=self.config.r, lora_alpha=self.config.lora_alpha, target_modules=names, task_type="CAUSAL_LM"
        ).save_pretrained(folder)
        for path in folder.iterdir():
            path.chmod(0o644)

    @torch.no_grad()
    def _set(self, adapter: str, factors: Factors) -> None:
        """Make an adapter equal to these products; ranks that they leave over keep their random A and B = 0."""
        prefix = self.model.base_model_prefix + "."
        for name, layer in self.layers.items():
            if (found := factors.get(name.removeprefix(prefix))) is None:
                continue
            A, B = found
            layer.lora_A[adapter].weight[: len(A)] = A
            layer.lora_B[adapter].weight[:, : len(A)] = B / layer.scaling[adapter]


@torch.no_grad()
def low_rank_difference(base: nn.Module, other: nn.Module, *, most: int) -> Factors | None:
    """Factors of rank `most` at most whose products added to the matrices of `base` give `other`, up to rounding.

    None where there are none: another architecture, embeddings or norms that differ, or a difference of higher rank.
    """
    found: Factors = {}
    theirs = dict(other.named_parameters())
    mine = dict(base.named_parameters())
    if mine.keys() != theirs.keys() or any(mine[name].shape != theirs[name].shape for name in mine):
        return None
    linear = {f"{name}.weight" for name, module in base.named_modules() if isinstance(module, nn.Linear)}
    for name, weight in mine.items():
        if torch.equal(weight, theirs[name]):
            continue
        if name not in linear:
            return None
        factors = _factors(theirs[name].double() - weight.double(), most, ROUNDING * float(weight.abs().max()))
        if factors is None:
            return None
        found[name.removesuffix(".weight")] = factors
    return found


def _factors(difference: Tensor, most: int, tolerance: float) -> tuple[Tensor, Tensor] | None:
    """A (r, in) and B (out, r) with |difference - BA| within the tolerance in every entry, for the least r."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        U, S, V = torch.svd_lowrank(difference, q=min(most + 1, *difference.shape), niter=4)
    for rank in range(1, min(most, len(S)) + 1):
        if rank < len(S) and float(S[rank]) > tolerance * max(difference.shape):
            continue  # no entry-wise error is below the tolerance while the next direction is this strong
        root = S[:rank].sqrt()
        A, B = (V[:, :rank] * root).T, U[:, :rank] * root
        if float((difference - B @ A).abs().max()) <= tolerance:
            return A.float(), B.float()
    return None
