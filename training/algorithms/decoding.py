"""The decoding loop: the rows of one batch from prefill to their last token, against a cache of our own.

Only `sampling.py` uses it. The trainers' shared prompt is `rewardmodel/prefix.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers.cache_utils import DynamicCache, DynamicLayer

NOISE_BLOCK = 64  # uniform numbers drawn at once for a row
ROOM = 64  # tokens by which a cache buffer grows
COMPACT_AT = 0.8  # share of unfinished rows at which finished ones leave the batch


@dataclass(frozen=True)
class SampledResponse:
    """One response: its ids, the stop token included where `finish_reason` is "stop", and their log-probabilities."""

    ids: list[int]
    logprobs: list[float]
    finish_reason: str
    seed: int


def context_length(model: Any) -> int:
    """Most tokens that the model's positions reach."""
    return int(getattr(model.config, "max_position_embeddings", None) or 1 << 30)


class _Slab(DynamicLayer):
    """A layer's keys and values in buffers with room ahead: a step writes one token and copies nothing.

    keys and values are views (N, heads, length, width) of the buffers.
    """

    def __init__(self, layer: DynamicLayer, repeats: int) -> None:
        super().__init__()
        self.lazy_initialization(layer.keys, layer.values)
        self.length = layer.keys.shape[-2]
        self._place(layer.keys.repeat_interleave(repeats, 0), layer.values.repeat_interleave(repeats, 0))

    def _place(self, keys: Tensor, values: Tensor) -> None:
        rows, heads, _, width = keys.shape
        self.key_buffer = keys.new_empty(rows, heads, self.length + ROOM, width)
        self.value_buffer = values.new_empty(rows, heads, self.length + ROOM, values.shape[-1])
        self.key_buffer[:, :, : self.length] = keys
        self.value_buffer[:, :, : self.length] = values
        self._view()

    def _view(self) -> None:
        self.keys = self.key_buffer[:, :, : self.length]
        self.values = self.value_buffer[:, :, : self.length]

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        if self.length == self.key_buffer.shape[-2]:
            self._place(self.keys, self.values)
        self.key_buffer[:, :, self.length : self.length + 1] = key_states
        self.value_buffer[:, :, self.length : self.length + 1] = value_states
        self.length += 1
        self._view()
        return self.keys, self.values

    def batch_select_indices(self, indices: Tensor) -> None:
        self._place(self.keys[indices], self.values[indices])


class Rows:
    """The rows of one batch, from prefill to their last token."""

    def __init__(
        self,
        model: Any,
        prompts: list[Sequence[int]],
        seeds: list[int],
        k: int,
        max_new_tokens: int,
        stop_id: int,
        pad_id: int,
        temperature: float,
    ) -> None:
        self.model, self.trunk, self.head = model, model.base_model, model.get_output_embeddings()
        self.prompts, self.seeds, self.k = prompts, seeds, k
        self.stop_id, self.pad_id, self.temperature = stop_id, pad_id, temperature
        self.device = model.device
        lengths = torch.tensor([len(ids) for ids in prompts]).repeat_interleave(k)
        self.lengths = lengths.to(self.device)
        self.limits = (context_length(model) - lengths).clamp(max=max_new_tokens).to(self.device)
        self.steps = int(self.limits.max())

    @torch.inference_mode()
    def decode(self) -> list[SampledResponse]:
        rows = len(self.seeds)
        generators = [np.random.Generator(np.random.Philox(key=seed)) for seed in self.seeds]
        ids_by_step, logprobs_by_step, alive_by_step = [], [], []
        alive = torch.arange(rows, device=self.device)
        running = torch.ones(rows, dtype=torch.bool, device=self.device)
        logits = self._prefill()
        for step in range(self.steps):
            # 1. draw a token for each row
            if step % NOISE_BLOCK == 0:
                block = np.stack([generators[i].random(NOISE_BLOCK) for i in alive.tolist()])
                noise = torch.from_numpy(block).to(self.device)
            ids, logprobs = draw(logits / self.temperature, noise[:, step % NOISE_BLOCK])
            ids_by_step.append(ids)
            logprobs_by_step.append(logprobs)
            alive_by_step.append(alive)
            running = running & (ids != self.stop_id) & (step + 1 < self.limits[alive])
            # 2. finished rows leave once they are many
            left = int(running.sum())
            if left == 0:
                break
            if left <= COMPACT_AT * len(alive):
                kept = running.nonzero().squeeze(-1)
                alive, ids, noise, running = alive[kept], ids[kept], noise[kept], running[kept]
                self._keep(kept)
            # 3. advance the rest by one token
            logits = self._advance(ids, self.lengths[alive] + step)
        return self._collect(ids_by_step, logprobs_by_step, alive_by_step)

    def _prefill(self) -> Tensor:
        """Encode each prompt once, spread its cache over its k rows; next-token logits (N, V)."""
        longest = max(len(ids) for ids in self.prompts)
        padded = [[self.pad_id] * (longest - len(ids)) + list(ids) for ids in self.prompts]
        ids = torch.tensor(padded, device=self.device)
        gaps = torch.tensor([longest - len(ids) for ids in self.prompts], device=self.device)
        mask = torch.arange(longest, device=self.device) >= gaps[:, None]
        even = not bool(gaps.any())
        self.cache = DynamicCache(config=self.model.config)
        states_ = self.trunk(
            input_ids=ids,
            attention_mask=None if even else mask.long(),
            position_ids=(mask.cumsum(-1) - 1).clamp(min=0),
            cache=self.cache,
            use_cache=True,
        ).last_hidden_state[:, -1]
        # Sliding windows and other special caches keep the library's own layers and two-dimensional masks.
        self.plain = all(type(layer) is DynamicLayer for layer in self.cache.layers)
        self.mask: Tensor | None = None if even else mask.repeat_interleave(self.k, 0)
        if self.plain:
            self.cache.layers = [_Slab(layer, self.k) for layer in self.cache.layers]
        else:
            self.cache.batch_repeat_interleave(self.k)
        return self.head(states_).float().repeat_interleave(self.k, 0)

    def _advance(self, ids: Tensor, positions: Tensor) -> Tensor:
        mask = self.mask
        if mask is not None:
            mask = self.mask = torch.cat([mask, mask.new_ones(len(mask), 1)], 1)
            if self.plain and self.model.config._attn_implementation in ("sdpa", "eager"):
                dtype = self.head.weight.dtype
                mask = torch.zeros_like(mask, dtype=dtype).masked_fill(~mask, torch.finfo(dtype).min)[:, None, None]
            else:
                mask = mask.long()
        states_ = self.trunk(
            input_ids=ids[:, None],
            attention_mask=mask,
            position_ids=positions[:, None],
            cache=self.cache,
            use_cache=True,
        ).last_hidden_state[:, -1]
        return self.head(states_).float()

    def _keep(self, kept: Tensor) -> None:
        self.cache.batch_select_indices(kept)
        if self.mask is not None:
            self.mask = self.mask[kept]

    def _collect(self, ids: list[Tensor], logprobs: list[Tensor], alive: list[Tensor]) -> list[SampledResponse]:
        tokens = np.full((len(self.seeds), len(ids)), self.pad_id, dtype=np.int64)
        chances = np.zeros((len(self.seeds), len(ids)))
        for step, rows in enumerate(alive):
            tokens[rows.cpu().numpy(), step] = ids[step].cpu().numpy()
            chances[rows.cpu().numpy(), step] = logprobs[step].cpu().numpy()
        responses = []
        for row, (limit, seed) in enumerate(zip(self.limits.tolist(), self.seeds, strict=True)):
            stops = np.flatnonzero(tokens[row, :limit] == self.stop_id)
            end = int(stops[0]) + 1 if len(stops) else limit
            reason = "stop" if len(stops) else "length"
            responses.append(SampledResponse(tokens[row, :end].tolist(), chances[row, :end].tolist(), reason, seed))
        return responses


def draw(logits: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    """Invert the distribution function: logits (N, V), noise (N,) in [0, 1) -> ids and log-probabilities, (N,)."""
    logprobs = logits.log_softmax(-1)
    edges = logprobs.double().exp().cumsum(-1)
    ids = torch.searchsorted(edges, (noise * edges[:, -1])[:, None], right=True).squeeze(-1)
    ids = ids.clamp(max=logits.shape[-1] - 1)
    return ids, logprobs.gather(-1, ids[:, None]).squeeze(-1)
