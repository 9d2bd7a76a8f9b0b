"""`FusedStep` for several rollouts of a prompt, on a CPU: they read the prompt's keys and values where these are.

A prompt's part is kept once, in a store; a slot's own cache holds what its rollout wrote. For a prompt's part the
queries of its slots are one matrix, so that each key is read once for all of them, and not once for each.
Letters: S slots, G prompts in the store, M slots of a prompt at most, P columns of the store, W own columns in use,
h key heads, r query heads for each, d width of a head, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from transformers.cache_utils import DynamicLayer

from training.algorithms.decode_step import ROOM, FusedStep, ModelStep, fits


def step_for(model: Any, slots: int, *, shared: bool) -> ModelStep:
    """The fastest step that gives this model's logits; `shared` says that prompts have several rollouts."""
    if not fits(model):
        return ModelStep(model, slots)
    return SharedStep(model, slots) if shared and model.device.type == "cpu" else FusedStep(model, slots)


class SharedStep(FusedStep):
    """`starts` are the tokens of each slot's prompt: a token's own column is its position less these."""

    def __init__(self, model: Any, slots: int) -> None:
        super().__init__(model, slots)
        self.prompt = np.full(slots, -1)  # of each slot, by its place in the store; -1 before the first
        self.widths = np.zeros(0, dtype=np.int64)  # tokens of each prompt in the store
        self.store: list[Tensor] = []  # by layer, (2, G, h, P, d)

    def seat(self, slots: Tensor, source: Tensor, layers: Sequence[DynamicLayer], widths: np.ndarray) -> None:
        """Prompts `source` of `layers`, of so many tokens, become those of slots; prompts of no slot are dropped."""
        if not self.buffers:
            self.reserve(ROOM, layers)
        chosen, which = np.unique(source.numpy(), return_inverse=True)
        self.prompt[slots.numpy()] = -1
        kept = np.unique(self.prompt[self.prompt >= 0])
        order = np.full(len(self.widths) + 1, -1)
        order[kept] = np.arange(len(kept))
        self.prompt = order[self.prompt]
        self.prompt[slots.numpy()] = len(kept) + which
        fresh = np.zeros(len(chosen), dtype=np.int64)
        fresh[which] = widths
        self.widths = np.concatenate([self.widths[kept], fresh])
        self.starts[slots.numpy()] = widths
        P, taken = int(self.widths.max()), torch.from_numpy(chosen)
        stores = []
        for number, layer in enumerate(layers):
            made = layer.keys.new_zeros(2, len(self.widths), self.key_heads, P, self.width, dtype=self.dtype)
            if len(kept):
                old = self.store[number]
                columns = min(P, old.shape[3])
                made[:, : len(kept), :, :columns] = old[:, torch.from_numpy(kept), :, :columns]
            new = min(P, layer.keys.shape[2])
            made[0, len(kept) :, :, :new] = layer.keys[taken, :, :new]
            made[1, len(kept) :, :, :new] = layer.values[taken, :, :new]
            stores.append(made)
        self.store = stores
        self._turn_so_far()
        self._arrange()

    def move(self, sources: Tensor, targets: Tensor, width: int) -> None:
        super().move(sources, targets, width)
        for one in (self.prompt, self.starts):
            one[targets.numpy()] = one[sources.numpy()]

    def narrow(self, slots: int) -> None:
        """Only the first slots are left."""
        super().narrow(slots)
        self.prompt = self.prompt[:slots]
        self._arrange()

    def reserve(self, columns: int, like: Sequence[DynamicLayer] = ()) -> None:
        super().reserve(columns, like)
        self._turn_so_far()

    def _turn_so_far(self) -> None:
        self.cosines, self.sines = self._rotations(int(self.starts.max(initial=0)) + self.columns)

    def _arrange(self) -> None:
        """`seats` (G, M): the slots of each prompt, some of them twice; `back` (S,): where each slot is among them."""
        S, G = len(self.prompt), len(self.widths)
        known = np.maximum(self.prompt, 0)
        counts = np.bincount(known, minlength=G)
        order = np.argsort(known, kind="stable")
        place = np.empty(S, dtype=np.int64)
        place[order] = np.arange(S) - (np.cumsum(counts) - counts)[known[order]]
        M = int(counts.max())
        seats = np.zeros((G, M), dtype=np.int64)
        seats[known, place] = np.arange(S)
        back = known * M + place
        self.regular = G * M == S and bool((back == np.arange(S)).all())
        self.seats, self.back = torch.from_numpy(seats).flatten(), torch.from_numpy(back)
        across = np.arange(self.store[0].shape[3])
        hidden = torch.from_numpy(across >= self.widths[known][:, None])
        self.hidden = torch.zeros(hidden.shape, dtype=self.dtype).masked_fill_(hidden, -torch.inf)  # (S, P)

    def _step(self, ids: Tensor, positions: Tensor, used: int) -> Tensor:
        S, h, d = len(ids), self.key_heads, self.width
        r = self.heads // h
        columns = positions - torch.from_numpy(self.starts)
        aligned = int(columns[0]) if bool((columns == columns[0]).all()) else None
        places = torch.arange(S)
        cosines, sines = self._turns(positions)
        own = torch.zeros(S, used, dtype=self.dtype).masked_fill_(self.beyond(columns, used), -torch.inf)
        bias = torch.cat([self.hidden, own], 1)[:, None, None]  # (S, 1, 1, P + W)
        P = self.hidden.shape[1]
        states = F.embedding(ids, self.embeddings).to(self.dtype)
        for (norm, qkv, qkv_bias, out, out_bias, norm2, gate_up, gate_up_bias, down, down_bias), buffer, store in zip(
            self.blocks, self.buffers, self.store, strict=True
        ):
            mixed = F.linear(self._norm(states, norm), qkv, qkv_bias).view(S, self.heads + 2 * h, d)
            mixed = torch.addcmul(mixed * cosines, mixed.roll(d // 2, -1), sines)
            written = mixed[:, self.heads :].view(S, 2, h, d)
            if aligned is None:
                buffer[:, places, :, columns] = written
            else:
                buffer[:, :S, :, aligned] = written.transpose(0, 1)
            keys, values = (half[:S].view(S * h, self.columns, d)[:, :used] for half in buffer.unbind(0))
            queries = mixed[:, : self.heads].reshape(S, h * r * d)
            of_prompt = torch.bmm(self._by_prompt(queries, h, r), store[0].flatten(0, 1).transpose(1, 2))
            of_own = torch.bmm(queries.reshape(S * h, r, d), keys.transpose(1, 2))
            scores = torch.cat([self._by_slot(of_prompt, h, r).view(S * h, r, P), of_own], -1).mul_(d**-0.5)
            scores.view(S, h, r, -1).add_(bias)
            weights = scores.softmax(-1)
            on_prompt = self._by_prompt(weights[:, :, :P].reshape(S, h * r * P), h, r)
            attended = self._by_slot(torch.bmm(on_prompt, store[1].flatten(0, 1)), h, r).view(S * h, r, d)
            attended = attended.baddbmm(weights[:, :, P:], values).view(S, self.heads * d)
            states = self._add(states, attended, out, out_bias)
            both = F.linear(self._norm(states, norm2), gate_up, gate_up_bias)
            gate, up = both.chunk(2, -1)
            states = self._add(states, F.silu(gate).mul_(up), down, down_bias)
        return F.linear(self._norm(states, self.last_norm), self.head_weight, self.head_bias).float()

    def _by_prompt(self, x: Tensor, h: int, r: int) -> Tensor:
        """(S, h r n) -> (G h, M r, n)."""
        x = x if self.regular else x.index_select(0, self.seats)
        G = len(self.widths)
        return x.reshape(G, -1, h, r, x.shape[1] // (h * r)).transpose(1, 2).reshape(G * h, -1, x.shape[1] // (h * r))

    def _by_slot(self, x: Tensor, h: int, r: int) -> Tensor:
        """The other way round."""
        G, n = len(self.widths), x.shape[2]
        x = x.view(G, h, -1, r, n).transpose(1, 2).reshape(-1, h * r * n)
        return x if self.regular else x.index_select(0, self.back)
