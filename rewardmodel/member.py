"""One member of a reward model in training: its weights, its optimizer, and its resumable state.

State is safetensors and JSON. Data order and learning rate are functions of the step, so the step is all
that resuming needs besides tensors.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from contracts.configs import RewardModelConfig
from contracts.run_dir import read_json, write_json
from rewardmodel import losses, parallel, prefix
from rewardmodel.batches import by_tokens
from rewardmodel.errors import RewardModelError
from rewardmodel.groups import Group, together
from rewardmodel.groups import margins as pair_margins
from rewardmodel.model import ModelError, RewardModel


class FitError(RewardModelError):
    """Training cannot go on. Says what was found, expected, and the remedy."""


class Member:
    """A reward model that is being fitted, and the best weights it has had."""

    def __init__(self, base: str, config: RewardModelConfig, *, seed: int, device: str) -> None:
        self.config = config
        self.model = RewardModel.from_base(base, seed)
        self._adapted: Any = _add_adapters(self.model.trunk, config.lora_rank, seed) if config.lora_rank else None
        self.model.to(device).eval()
        self.model.bf16 = config.bf16
        if config.gradient_checkpointing:
            self.model.trunk.gradient_checkpointing_enable({"use_reentrant": False})
            self.model.trunk.train()  # which only turns recomputation on: there is no dropout
            if self._adapted:
                self.model.trunk.enable_input_require_grads()
        self.weights = {name: p for name, p in self.model.named_parameters() if p.requires_grad}
        self.optimizer = torch.optim.AdamW(
            list(self.weights.values()),
            lr=config.learning_rate,
            eps=1e-5,
            weight_decay=config.weight_decay,
            fused=True,
        )
        self.step = 0
        self.best: dict[str, Tensor] = {}
        self.best_loss, self.best_step, self.worse = math.inf, 0, 0
        self.stopped = False

    def learning_rate(self, total: int) -> float:
        """Linear warm-up, then linear decay to 0 at `total` steps."""
        warmup = round(self.config.warmup_ratio * total)
        if self.step < warmup:
            return self.config.learning_rate * (self.step + 1) / warmup
        return self.config.learning_rate * (total - self.step) / max(1, total - warmup)

    def train_step(self, groups: list[Group], weights: list[float], total: int) -> dict[str, float]:
        """One optimizer step on one batch of groups; gradients add up over micro-batches and processes."""
        for setting in self.optimizer.param_groups:
            setting["lr"] = self.learning_rate(total)
        self.optimizer.zero_grad(set_to_none=True)
        sums = torch.zeros(3, dtype=torch.float64, device=self.model.device)  # loss, pairs ordered rightly, pairs
        mine = together(groups)[parallel.rank() :: parallel.size()]
        for chosen in by_tokens([groups[i].shape for i, *_ in mine], self.config.micro_batch_tokens):
            part = [i for k in chosen for i in mine[k]]
            scores, at = self.scored([groups[i] for i in part], [weights[i] for i in part], margin=self.config.margin)
            loss = losses.total(scores, at, kind=self.config.loss, centering=self.config.centering) / len(groups)
            loss.backward()
            right = (scores[at.better] > scores[at.worse]).sum()
            sums += torch.stack([loss.detach().double(), right.double(), right.new_tensor(len(at.better)).double()])
        if parallel.size() > 1:
            self._complete_gradients()
            parallel.add_up([sums])
        norm = torch.nn.utils.clip_grad_norm_(self.weights.values(), self.config.gradient_clip)
        loss_value, right_pairs, pairs = sums.tolist()
        if not math.isfinite(loss_value) or not math.isfinite(float(norm)):
            raise FitError(
                f"step {self.step}: found loss {loss_value} and gradient norm {float(norm)}, expected finite ones; "
                "lower learning_rate, or turn bf16 off"
            )
        self.optimizer.step()
        self.step += 1
        return {"loss": loss_value, "accuracy": right_pairs / pairs, "gradient_norm": float(norm)}

    def scored(
        self, groups: list[Group], weights: list[float], *, margin: float = 0.0
    ) -> tuple[Tensor, losses.Targets]:
        """Raw scores (N,) of some groups' responses, each set of them once, and the groups' targets.

        `margin` is the score asked for a unit of `margin_by`.
        """
        sets = together(groups)
        first = [groups[same[0]] for same in sets]
        made = prefix.batch(
            [group.prompt for group in first],
            [group.responses for group in first],
            pad_id=self.model.pad_id,
            device=self.model.device,
        )
        ordered = [(groups[i], weights[i], number) for number, same in enumerate(sets) for i in same]
        by = self.config.margin_by
        at = losses.targets(
            [group.pairs for group, _, _ in ordered],
            [len(group.responses) for group in first],
            [weight for _, weight, _ in ordered],
            self.model.device,
            margins=[[margin * units for units in pair_margins(g, by)] for g, _, _ in ordered] if margin else None,
            of=[number for _, _, number in ordered],
        )
        return self.model.raw_score(made), at

    @torch.no_grad()
    def heldout(self, groups: list[Group]) -> tuple[float, float]:
        """(mean loss over groups, share of pairs ordered rightly), without weights, margins or centering."""
        sums = torch.zeros(3, dtype=torch.float64, device=self.model.device)
        mine = together(groups)[parallel.rank() :: parallel.size()]
        for chosen in by_tokens([groups[i].shape for i, *_ in mine], 2 * self.config.micro_batch_tokens):
            part = [groups[i] for k in chosen for i in mine[k]]
            scores, at = self.scored(part, [1.0] * len(part))
            loss = losses.total(scores, at, kind=self.config.loss, centering=0.0)
            right = (scores[at.better] > scores[at.worse]).sum()
            sums += torch.stack([loss.double(), right.double(), right.new_tensor(len(at.better)).double()])
        parallel.add_up([sums])
        loss_value, right_pairs, pairs = sums.tolist()
        return loss_value / len(groups), right_pairs / pairs

    def judge(self, loss: float, *, patient_until: int) -> None:
        """Keep the weights if this held-out loss is the best; stop once `patience` of them were not.

        Before step `patient_until`, the end of the first epoch, nothing stops: fresh rows do not overfit, and
        held-out losses jump while the learning rate is high.
        """
        if loss < self.best_loss:
            self.best_loss, self.best_step, self.worse = loss, self.step, 0
            self.best = {name: weight.detach().clone() for name, weight in self.weights.items()}
        elif self.step >= patient_until:
            self.worse += 1
        self.stopped = bool(self.config.patience) and self.worse >= self.config.patience

    def finish_weights(self) -> None:
        """Take the best weights back and let go of the optimizer."""
        if self.best:
            self._put(self.best)
        self.best = {}
        self.optimizer.state.clear()
        self.optimizer.zero_grad(set_to_none=True)

    def finished(self) -> RewardModel:
        """The model with adapters merged, ready to be normalized and saved."""
        if self._adapted:
            self.model.trunk = self._adapted.merge_and_unload()
        if self.config.gradient_checkpointing:
            self.model.trunk.gradient_checkpointing_disable()
        self.model.requires_grad_(requires_grad=False)
        return self.model.eval()

    def save(self, folder: Path) -> None:
        """Write everything that `restore` needs into an existing folder."""
        save_file(_on_cpu(self.weights), folder / "weights.safetensors")
        save_file(_on_cpu(self.best), folder / "best.safetensors")
        moments = {
            f"{name}/{key}": value
            for name, weight in self.weights.items()
            for key, value in self.optimizer.state.get(weight, {}).items()
        }
        save_file(_on_cpu(moments), folder / "optimizer.safetensors")
        best_loss = self.best_loss if math.isfinite(self.best_loss) else None
        facts = {"step": self.step, "best_loss": best_loss, "best_step": self.best_step, "worse": self.worse}
        write_json(folder / "member.json", {**facts, "stopped": self.stopped})

    def restore(self, folder: Path) -> None:
        self._put(load_file(folder / "weights.safetensors"))
        self.best = {
            name: value.to(self.model.device) for name, value in load_file(folder / "best.safetensors").items()
        }
        for name, value in load_file(folder / "optimizer.safetensors").items():
            weight, key = name.rsplit("/", 1)
            where = "cpu" if key == "step" and self.model.device.type == "cpu" else self.model.device
            self.optimizer.state[self.weights[weight]][key] = value.to(where)
        facts = read_json(folder / "member.json")
        self.best_loss = math.inf if facts["best_loss"] is None else facts["best_loss"]
        self.step, self.best_step = facts["step"], facts["best_step"]
        self.worse, self.stopped = facts["worse"], facts["stopped"]

    def load_weights(self, path: Path) -> None:
        self._put(load_file(path))

    def save_weights(self, path: Path) -> None:
        save_file(_on_cpu(self.weights), path)

    @torch.no_grad()
    def _put(self, values: dict[str, Tensor]) -> None:
        if values.keys() != self.weights.keys():
            raise ModelError("found a state of other weights, expected this config's; start a new run directory")
        for name, value in values.items():
            self.weights[name].copy_(value)

    def _complete_gradients(self) -> None:
        for weight in self.weights.values():
            if weight.grad is None:
                weight.grad = torch.zeros_like(weight)
        parallel.add_up(weight.grad for weight in self.weights.values() if weight.grad is not None)


def _add_adapters(trunk: Any, rank: int, seed: int) -> Any:
    """LoRA on every linear layer of the trunk, in place; the trunk stays the module that runs."""
    from peft import LoraConfig, get_peft_model

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return get_peft_model(trunk, LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear"))


def _on_cpu(tensors: dict[str, Any]) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
