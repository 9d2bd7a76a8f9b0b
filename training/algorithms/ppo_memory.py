"""What happens when memory runs out in a pass: micro-batches are halved once in a run, then the run gives up."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

import torch

from rewardmodel import parallel
from training.algorithms.ppo_state import Learner

Made = TypeVar("Made")
log = logging.getLogger(__name__)


def within_memory(learner: Learner, work: Callable[[], Made]) -> Made:
    """`work()`; where memory runs out, once more from its start with micro-batches of half the size.

    Raises MemoryError where that has been tried before. Several processes do not try again: the others would wait for
    this one with another part of their work.
    """
    try:
        return work()
    except (MemoryError, RuntimeError) as error:
        if not ran_out(error):
            raise
        found = str(error).partition("\n")[0]
    # Outside of the handler, so that the failed pass's tensors are no longer held by its traceback.
    full = learner.config.micro_batch_tokens
    if learner.micro_batch_tokens < full or parallel.size() > 1:
        raise MemoryError(f"memory ran out with micro-batches of {learner.micro_batch_tokens} tokens: {found}")
    learner.micro_batch_tokens = max(1, full // 2)
    log.warning("memory ran out (%s); micro-batches are now of %d tokens", found, learner.micro_batch_tokens)
    for optimizer in learner.optimizers.values():
        optimizer.zero_grad(set_to_none=True)
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return within_memory(learner, work)


def ran_out(error: Exception) -> bool:
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "DefaultCPUAllocator" in str(error)
