"""Models in shards, for launches with FSDP or a DeepSpeed config: a process holds a part of each layer, which comes
together while it works.

Embeddings and heads stay whole everywhere, so that tied ones stay tied. Every pass is then a collective: all processes
run the same number of passes of the same layout, and decoding, which ends at different steps, has the policy whole.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from enum import Enum
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.nn.utils import clip_grads_with_norm_, get_total_norm
from transformers.modeling_layers import GradientCheckpointingLayer

from rewardmodel import parallel, prefix
from training.algorithms import ppo_deepspeed


class Cut(Enum):
    """What a process holds a part of."""

    NOTHING = "nothing"
    LEARNED = "learned"  # of trunks that learn, whose weights come together for a whole pass: ZeRO stages 1 and 2
    EVERYTHING = "everything"  # of all trunks, whose layers come together one by one: FSDP, and ZeRO stage 3


def wanted() -> Cut:
    """What the launcher was told to cut; alone a process keeps its models whole."""
    if parallel.size() == 1:
        return Cut.NOTHING
    if os.environ.get("ACCELERATE_USE_FSDP", "false").lower() in ("true", "1"):
        return Cut.EVERYTHING
    stage = ppo_deepspeed.stage(ppo_deepspeed.asked())
    return Cut.EVERYTHING if stage == 3 else Cut.LEARNED if stage else Cut.NOTHING


def shard(trunks: Iterable[Any], device: torch.device, cut: Cut) -> None:
    """Cut each trunk, layer by layer, over all processes. Gradients are summed over them."""
    mesh = init_device_mesh(device.type, (parallel.size(),))
    for trunk in trunks:
        prefix.settle_layout(trunk)
        whole = {trunk.get_input_embeddings().weight}
        for layer in [module for module in trunk.modules() if isinstance(module, GradientCheckpointingLayer)]:
            fully_shard(layer, mesh=mesh, reshard_after_forward=cut is Cut.EVERYTHING)
        fully_shard(trunk, mesh=mesh, ignored_params=whole, reshard_after_forward=cut is Cut.EVERYTHING)
        for module in _cut(trunk):
            module.set_force_sum_reduction_for_comms(True)
            module.set_gradient_divide_factor(1.0)


@contextlib.contextmanager
def together(trunk: Any) -> Iterator[None]:
    """A trunk that is whole on every process, so that each may run it as often as it likes."""
    modules = _cut(trunk)
    for module in modules:
        module.set_reshard_after_forward(False)
        module.unshard()
    try:
        yield
    finally:
        for module in modules:
            module.reshard()
            module.set_reshard_after_forward(wanted() is Cut.EVERYTHING)


def whole(tensor: Tensor) -> Tensor:
    """The full value of a tensor that may be in shards; all processes call this together."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def like(full: Tensor, other: Tensor) -> Tensor:
    """A full value as `other` is held: the part of it that belongs here, where that one is in shards."""
    if isinstance(other, DTensor):
        return distribute_tensor(full.to(other.device), other.device_mesh, other.placements)
    return full.to(other.device)


def parts(weights: Iterable[nn.Parameter]) -> list[list[nn.Parameter]]:
    """In shards and whole, apart: one kernel takes only one of the two kinds. Empty parts are left out."""
    found: dict[bool, list[nn.Parameter]] = {True: [], False: []}
    for weight in weights:
        found[isinstance(weight, DTensor)].append(weight)
    return [part for part in found.values() if part]


def total_norm(weights: Iterable[nn.Parameter]) -> Tensor:
    """Norm of all gradients, the same on every process."""
    norms = [whole(get_total_norm([w.grad for w in part if w.grad is not None])) for part in parts(weights)]
    return torch.stack(norms).norm() if len(norms) > 1 else norms[0]


def clip(weights: Iterable[nn.Parameter], most: float, norm: Tensor) -> None:
    for part in parts(weights):
        clip_grads_with_norm_(part, most, norm)


def held(trunks: Iterable[Any]) -> tuple[int, int]:
    """Weights of these trunks on this process, and in all."""
    weights = [weight for trunk in trunks for weight in trunk.parameters()]
    here = sum(w.to_local().numel() if isinstance(w, DTensor) else w.numel() for w in weights)
    return here, sum(weight.numel() for weight in weights)


def _cut(trunk: Any) -> list[Any]:
    return [module for module in trunk.modules() if isinstance(module, FSDPModule)]
