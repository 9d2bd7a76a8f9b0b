"""The few collectives that training needs; with one process each of them does nothing.

`accelerate launch` or `torchrun` start the processes. Every process holds the whole model, takes its part
of each step's groups and adds up gradients, so a step is the same one whatever their number.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, distributed

from rewardmodel.errors import RewardModelError


def rank() -> int:
    return distributed.get_rank() if distributed.is_initialized() else 0


def size() -> int:
    return distributed.get_world_size() if distributed.is_initialized() else 1


def refuse_shards() -> None:
    """Raise where a launcher was told to cut models into shards, which not every run does."""
    for name, variable in (("FSDP", "ACCELERATE_USE_FSDP"), ("DeepSpeed", "ACCELERATE_USE_DEEPSPEED")):
        if os.environ.get(variable, "false").lower() in ("true", "1"):
            raise RewardModelError(
                f"found a launch with {name}, expected plain data parallelism (accelerate launch --multi_gpu); "
                "leave it out, and set lora_rank where memory is short"
            )


@contextlib.contextmanager
def group(*, shards: bool = False) -> Iterator[None]:
    """Join the other processes, where a launcher started several, and leave them at the end.

    Raises where the launcher shards models and the run does not; `shards` says that it does.
    """
    if not shards:
        refuse_shards()
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 or distributed.is_initialized():
        yield
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    try:
        yield
    finally:
        distributed.destroy_process_group()


def add_up(tensors: Iterable[Tensor]) -> None:
    """Replace each tensor by its sum over the processes, in place."""
    if distributed.is_initialized():
        for tensor in tensors:
            distributed.all_reduce(tensor)


def first_decides(value: float, device: torch.device) -> float:
    """The first process's value, for everyone."""
    if not distributed.is_initialized():
        return value
    shared = torch.tensor([value], dtype=torch.float64, device=device)
    distributed.broadcast(shared, src=0)
    return float(shared.item())


def gather(value: Any) -> list[Any]:
    """Every process's value, for everyone, in the order of their ranks. Tensors go by the CPU."""
    if not distributed.is_initialized():
        return [value]
    found: list[Any] = [None] * size()
    distributed.all_gather_object(found, value)
    return found


def wait() -> None:
    if distributed.is_initialized():
        distributed.barrier()
