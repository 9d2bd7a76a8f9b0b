"""What one PPO iteration needs in memory and time, from its sizes: planning, not measurement.

Pure functions of plain numbers; `docs/scale.md` holds what they give. Where to read next: `ppo.py`, whose passes
these are. Letters: G prompts, K rollouts each, P and R their tokens, E epochs, N weights of a trunk.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

FP32, BF16 = 4, 2
# Bytes of activations a token, a layer and a unit of width: arXiv 2205.05198 eq. 1 without the attention matrix,
# which is never held; and what recomputation keeps of them, a layer's input.
ACTIVATIONS, RECOMPUTED = 34, 2


@dataclass(frozen=True, kw_only=True)
class Size:
    """A model: `trunk` weights without head and embedding, of `layers` layers of `hidden` width."""

    trunk: float
    layers: int
    hidden: int
    cache_width: int  # of keys, and of values: heads that are cached times their width
    vocabulary: int

    @property
    def weights(self) -> float:
        """With embedding and head."""
        return self.trunk + 2 * self.vocabulary * self.hidden


@dataclass(frozen=True, kw_only=True)
class Work:
    """One iteration and how it is trained."""

    G: int
    K: int
    P: int
    R: int
    epochs: int = 4
    minibatches: int = 4
    critic: str = "separate"  # separate, shared or none
    lora_rank: int = 0
    micro_batch_tokens: int = 8_192
    checkpointing: bool = False

    @property
    def tokens(self) -> int:
        """Through a trunk in one pass over all: each prompt once, G(P + KR)."""
        return self.G * (self.P + self.K * self.R)


@dataclass(frozen=True, kw_only=True)
class Device:
    """One accelerator: what it can do, and which shares of that programs reach."""

    flops: float  # a second, in the precision of the passes
    bandwidth: float  # bytes a second of its memory
    memory: float  # bytes
    link: float  # bytes a second between two of them
    compute_share: float = 0.4
    bandwidth_share: float = 0.6


def flops(size: Size, work: Work) -> dict[str, float]:
    """Floating-point operations of each phase; 2 a weight and token forward, 4 backward.

    At 4 epochs without heads: 32 N T with a shared critic, 58 N T with a separate one.
    """
    forward = 2 * size.trunk * work.tokens
    head = 2 * size.vocabulary * size.hidden * work.G * work.K * work.R
    trunks = 2 if work.critic == "separate" else 1
    again = 4 / 3 if work.checkpointing else 1.0
    return {
        "rollouts": forward + head,
        "measure": (trunks + 2) * forward + 2 * head,
        "update": work.epochs * again * 3 * (trunks * forward + head),
    }


def seconds(size: Size, work: Work, device: Device, *, processes: int = 1) -> dict[str, float]:
    """By phase; prompts are shared among processes, each of which sums up every step's gradients with the others.

    A decoding step reads all weights and every cache once: it waits for memory, not for arithmetic.
    """
    mine = replace(work, G=max(1, round(work.G / processes)))
    found = {name: count / (device.flops * device.compute_share) for name, count in flops(size, mine).items()}
    rows = mine.G * mine.K
    read = BF16 * size.weights + rows * (mine.P + mine.R / 2) * cache_bytes(size)
    found["rollouts"] = max(found["rollouts"], mine.R * read / (device.bandwidth * device.bandwidth_share))
    if processes > 1:
        moved = 2 * FP32 * learned(size, work) * (processes - 1) / processes
        found["exchange"] = work.epochs * work.minibatches * moved / device.link
    return found


def memory(size: Size, work: Work) -> dict[str, float]:
    """Bytes on each device: every process holds the whole of every model, in fp32, and passes run in bf16."""
    # Policy, reference and reward model, and the critic where it is one of its own; with adapters, one base for all.
    models = 1 if work.lora_rank else 4 if work.critic == "separate" else 3
    adapters = learned(size, work) if work.lora_rank else 0
    kept = RECOMPUTED if work.checkpointing else ACTIVATIONS
    longest = work.P + work.R
    return {
        "weights": FP32 * (models * size.weights + adapters),
        "gradients and Adam": 3 * FP32 * learned(size, work),
        "activations": kept * work.micro_batch_tokens * size.hidden * size.layers,
        "decoding cache": min(work.G * work.K, max(work.K, 4 * work.micro_batch_tokens // longest))
        * longest
        * cache_bytes(size),
    }


def learned(size: Size, work: Work) -> float:
    """Weights that the optimizers move."""
    trunks = 2 if work.critic == "separate" else 1
    if work.lora_rank:
        # Seven matrices a layer, each with r rows and r columns; their widths are about the hidden one or 3 times it.
        return trunks * work.lora_rank * size.layers * 18 * size.hidden
    return trunks * size.weights


def cache_bytes(size: Size) -> float:
    """Of one token's keys and values in all layers."""
    return 2 * BF16 * size.layers * size.cache_width
