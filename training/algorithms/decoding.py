"""The decoding loop: slots that decode side by side, filled with waiting rows as others finish.

Only `sampling.py` uses it. The shared prompt of the trainers is `rewardmodel/prefix.py`.
Letters: S slots, G prompts, V vocabulary, W columns in use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers.cache_utils import DynamicCache, DynamicLayer

from rewardmodel import prefix

NOISE_BLOCK = 64  # uniform numbers drawn at once for a row
ROOM = 32  # columns by which the cache grows, at least
REFILL_AT = 8  # waiting rows enter once one slot in so many is free
COMPACT_AT = 0.8  # with none waiting, free slots go once the share of busy ones is below this


@dataclass(frozen=True)
class Row:
    """One response to draw: for which prompt, from which seed, of how many tokens at most."""

    prompt: int
    seed: int
    limit: int


@dataclass(frozen=True)
class SampledResponse:
    """One response: its ids, the stop token included where `finish_reason` is "stop", and their log-probabilities."""

    ids: list[int]
    logprobs: list[float]
    finish_reason: str
    seed: int


def decode(
    model: Any,
    prompts: Sequence[Sequence[int]],
    rows: Sequence[Row],
    *,
    slots: int,
    stop_id: int,
    pad_id: int,
    temperature: float,
    on_finished: Callable[[int], None],
) -> list[SampledResponse]:
    """Draw all rows, which are grouped by prompt, at most `slots` at a time; results in the order of `rows`."""
    with torch.inference_mode():
        return _loop(model, prompts, rows, slots, stop_id, pad_id, temperature).run(on_finished)


@torch.inference_mode()
def stream(
    model: Any, prompt: Sequence[int], row: Row, *, stop_id: int, pad_id: int, temperature: float
) -> Iterator[tuple[int, float, Tensor]]:
    """The tokens that `decode` draws for one row, one by one: id, log-probability, and the log-probabilities of
    the whole vocabulary that it was drawn from, (V,)."""
    loop = _loop(model, [prompt], [row], 1, stop_id, pad_id, temperature)
    while loop.unfinished:
        _, ids, logprobs = loop.draw()
        yield int(ids[0]), float(logprobs[0]), (loop.trunk.logits[0] / temperature).log_softmax(-1)
        loop.advance()


def _loop(
    model: Any,
    prompts: Sequence[Sequence[int]],
    rows: Sequence[Row],
    slots: int,
    stop_id: int,
    pad_id: int,
    temperature: float,
) -> _Loop:
    exact = prefix.exact_layouts(model.base_model)
    trunk_type = _CachedTrunk if {"cache", "packed"} <= exact else _UncachedTrunk
    trunk = trunk_type(model, prompts, rows, slots, pad_id)
    return _Loop(model, trunk, rows, slots, stop_id, temperature)


def draw(logits: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    """Invert the distribution function: logits (S, V), noise (S,) in [0, 1) -> ids and log-probabilities, (S,)."""
    logprobs = logits.log_softmax(-1)
    edges = logprobs.double().exp().cumsum(-1)
    ids = torch.searchsorted(edges, (noise * edges[:, -1])[:, None], right=True).squeeze(-1)
    ids = ids.clamp(max=logits.shape[-1] - 1)
    return ids, logprobs.gather(-1, ids[:, None]).squeeze(-1)


class _Loop:
    """Which row sits in which slot, and what each has drawn. Bookkeeping is on the host, in numpy."""

    def __init__(
        self, model: Any, trunk: Any, rows: Sequence[Row], slots: int, stop_id: int, temperature: float
    ) -> None:
        self.trunk, self.rows, self.stop_id, self.temperature = trunk, rows, stop_id, temperature
        self.device = model.device
        size = min(slots, len(rows))
        self.limits = np.array([row.limit for row in rows])
        self.row = np.zeros(size, dtype=np.int64)  # the row in each slot
        self.step = np.zeros(size, dtype=np.int64)  # tokens that it has drawn
        self.busy = np.zeros(size, dtype=bool)
        self.noise = np.zeros((size, NOISE_BLOCK))
        self.generators: list[Any] = [None] * size
        self.next_row = 0

    @property
    def unfinished(self) -> bool:
        return self.next_row < len(self.rows) or bool(self.busy.any())

    def run(self, on_finished: Callable[[int], None]) -> list[SampledResponse]:
        drawn: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        finished = 0
        while self.unfinished:
            drawn.append(self.draw())
            done = len(drawn[-1][0]) - int(self.busy.sum())
            if done:
                finished += done
                on_finished(finished)
            self.advance()
        return self._collect(drawn)

    def draw(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Waiting rows enter free slots, or free slots go; every busy slot draws a token: rows, ids, log-probs."""
        self._fill()
        self.ids, logprobs = draw(self.trunk.logits / self.temperature, self._uniform())
        ids, busy = self.ids.cpu().numpy(), np.flatnonzero(self.busy)
        self.step[busy] += 1
        self.busy[busy] = (ids[busy] != self.stop_id) & (self.step[busy] < self.limits[self.row[busy]])
        return self.row[busy], ids[busy], logprobs.cpu().numpy()[busy]

    def advance(self) -> None:
        """The slots that go on take in what they drew."""
        if self.busy.any():
            self.trunk.advance(self.ids, self.busy)

    def _fill(self) -> None:
        free = np.flatnonzero(~self.busy)
        waiting = len(self.rows) - self.next_row
        if waiting and len(free) * REFILL_AT >= len(self.busy):
            chosen = range(self.next_row, self.next_row + min(waiting, len(free)))
            self.next_row = chosen.stop
            taken = free[: len(chosen)]
            self.trunk.enter(taken, chosen)
            self.row[taken], self.step[taken], self.busy[taken] = chosen, 0, True
            for slot, row in zip(taken, chosen, strict=True):
                self.generators[slot] = np.random.Generator(np.random.Philox(key=self.rows[row].seed))
        elif not waiting and len(free) >= (1 - COMPACT_AT) * len(self.busy):
            kept = np.flatnonzero(self.busy)
            self.row, self.step, self.noise = self.row[kept], self.step[kept], self.noise[kept]
            self.generators = [self.generators[slot] for slot in kept]
            self.busy = self.busy[kept]
            self.trunk.keep(kept)

    def _uniform(self) -> Tensor:
        """(S,) in [0, 1): the next number of each row's own generator."""
        column = self.step % NOISE_BLOCK
        for slot in np.flatnonzero(self.busy & (column == 0)):
            self.noise[slot] = self.generators[slot].random(NOISE_BLOCK)
        return torch.from_numpy(self.noise[np.arange(len(column)), column]).to(self.device)

    def _collect(self, drawn: list[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> list[SampledResponse]:
        row, ids, logprobs = (np.concatenate(column) for column in zip(*drawn, strict=True))
        order = np.argsort(row, kind="stable")
        edges = np.cumsum(np.bincount(row, minlength=len(self.rows)))[:-1]
        responses = []
        for source, tokens, chances in zip(
            self.rows, np.split(ids[order], edges), np.split(logprobs[order], edges), strict=True
        ):
            reason = "stop" if tokens[-1] == self.stop_id else "length"
            responses.append(SampledResponse(tokens.tolist(), chances.tolist(), reason, source.seed))
        return responses


class _Columns(DynamicLayer):
    """One layer's keys and values, a slot a row, in buffers with room ahead: a step copies nothing.

    A slot's tokens fill columns from 0; `at` says where the next one goes. keys and values are views
    (S, heads, W, width) of the buffers.
    """

    def __init__(self) -> None:
        super().__init__()
        self.is_initialized = True

    def reserve(self, slots: int, columns: int, like: DynamicLayer) -> None:
        old = (self.keys, self.values)
        for name, tensor, kept in (("keys", like.keys, old[0]), ("values", like.values, old[1])):
            buffer = tensor.new_zeros(slots, tensor.shape[1], columns, tensor.shape[3])
            if kept is not None:
                buffer[:, :, : kept.shape[2]] = kept
            setattr(self, name, buffer)

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        self.keys[self.slots, :, self.at] = key_states[:, :, 0]
        self.values[self.slots, :, self.at] = value_states[:, :, 0]
        return self.keys[:, :, : self.used], self.values[:, :, : self.used]


class _CachedTrunk:
    """Each prompt runs once; its keys and values are copied into the slots of its rows."""

    def __init__(
        self, model: Any, prompts: Sequence[Sequence[int]], rows: Sequence[Row], slots: int, pad_id: int
    ) -> None:
        self.model, self.trunk, self.head = model, model.base_model, model.get_output_embeddings()
        self.device = model.device
        self.prompts, self.rows, self.slots = prompts, rows, min(slots, len(rows))
        self.lengths = np.zeros(self.slots, dtype=np.int64)
        self.cache = DynamicCache(config=model.config)
        self.cache.layers = [_Columns() for _ in self.cache.layers]
        self.pad_id = pad_id
        self.columns = 0
        self.arange = torch.arange(self.slots, device=self.device)
        self.logits: Any = None
        self.prepared: dict[int, int] = {}

    def enter(self, slots: np.ndarray, rows: Sequence[int]) -> None:
        """Seat rows in slots; their next-token logits become the slots'."""
        start = 0
        while start < len(rows):
            if self.rows[rows[start]].prompt not in self.prepared:
                self._prepare(rows[start])
            count = sum(1 for _ in self._prepared_run(rows[start:]))
            self._seat(slots[start : start + count], [self.rows[row].prompt for row in rows[start : start + count]])
            start += count

    def advance(self, ids: Tensor, busy: np.ndarray) -> None:
        """One token further in busy slots; what the free ones compute is never read."""
        positions = torch.from_numpy(self.lengths).to(self.device)
        used = int(self.lengths[busy].max()) + 1
        if used > self.columns:
            self._reserve(used + max(ROOM, used // 4), self.cache.layers[0])
        for layer in self.cache.layers:
            layer.slots, layer.at, layer.used = self.arange, positions.clamp(max=self.columns - 1), used
        dtype = self.trunk.dtype
        hidden = torch.arange(used, device=self.device) > positions[:, None]
        mask = torch.zeros(hidden.shape, dtype=dtype, device=self.device)
        mask = mask.masked_fill(hidden, torch.finfo(dtype).min)[:, None, None]
        states = self.trunk(
            input_ids=ids[:, None],
            attention_mask=mask,
            position_ids=positions[:, None],
            cache=self.cache,
            use_cache=True,
        ).last_hidden_state[:, -1]
        self.logits = self.head(states).float()
        self.lengths[busy] += 1

    def keep(self, slots: np.ndarray) -> None:
        chosen = torch.from_numpy(slots).to(self.device)
        self.lengths, self.logits, self.arange = self.lengths[slots], self.logits[chosen], self.arange[: len(slots)]
        for layer in self.cache.layers:
            layer.keys, layer.values = layer.keys[chosen], layer.values[chosen]
        self.slots = len(slots)

    def _prepared_run(self, rows: Sequence[int]) -> Iterator[int]:
        for row in rows:
            if self.rows[row].prompt not in self.prepared:
                return
            yield row

    def _prepare(self, first_row: int) -> None:
        """Run the next prompts, as many as the slots can take up, right-padded: causal, so no mask is needed."""
        wanted = dict.fromkeys(row.prompt for row in self.rows[first_row : first_row + self.slots])
        chosen = [self.prompts[prompt] for prompt in wanted]
        longest = max(map(len, chosen))
        ids = torch.tensor(
            [[*prompt, *[self.pad_id] * (longest - len(prompt))] for prompt in chosen], device=self.device
        )
        cache = DynamicCache(config=self.model.config)
        positions = torch.arange(longest, device=self.device).expand(len(chosen), -1)
        states = self.trunk(input_ids=ids, position_ids=positions, cache=cache, use_cache=True).last_hidden_state
        last = torch.tensor([len(prompt) - 1 for prompt in chosen], device=self.device)
        self.prepared = {prompt: position for position, prompt in enumerate(wanted)}
        self.prepared_layers = cache.layers
        self.prepared_logits = self.head(states[torch.arange(len(chosen), device=self.device), last]).float()

    def _seat(self, slots: np.ndarray, prompts: Sequence[int]) -> None:
        lengths = [len(self.prompts[prompt]) for prompt in prompts]
        if max(lengths) > self.columns:
            self._reserve(max(lengths) + ROOM, self.prepared_layers[0])
        seats = torch.from_numpy(slots).to(self.device)
        source = torch.tensor([self.prepared[prompt] for prompt in prompts], device=self.device)
        width = max(lengths)
        for layer, prepared in zip(self.cache.layers, self.prepared_layers, strict=True):
            layer.keys[seats, :, :width] = prepared.keys[source, :, :width]
            layer.values[seats, :, :width] = prepared.values[source, :, :width]
        self.logits[seats] = self.prepared_logits[source]
        self.lengths[slots] = lengths

    def _reserve(self, columns: int, like: Any) -> None:
        for layer in self.cache.layers:
            layer.reserve(self.slots, columns, like)
        self.columns = columns
        if self.logits is None:
            self.logits = torch.zeros(self.slots, self.head.weight.shape[0], device=self.device)


class _UncachedTrunk:
    """For windowed, hybrid and recurrent models: each step runs the whole right-padded rows. Slow and exact."""

    def __init__(
        self, model: Any, prompts: Sequence[Sequence[int]], rows: Sequence[Row], slots: int, pad_id: int
    ) -> None:
        self.model, self.prompts, self.rows, self.pad_id = model, prompts, rows, pad_id
        self.texts: list[list[int]] = [[pad_id] for _ in range(min(slots, len(rows)))]
        self.logits: Any = None

    def enter(self, slots: np.ndarray, rows: Sequence[int]) -> None:
        for slot, row in zip(slots, rows, strict=True):
            self.texts[slot] = list(self.prompts[self.rows[row].prompt])
        self._run()

    def advance(self, ids: Tensor, busy: np.ndarray) -> None:
        for slot in np.flatnonzero(busy):
            self.texts[slot].append(int(ids[slot]))
        self._run()

    def keep(self, slots: np.ndarray) -> None:
        self.texts = [self.texts[slot] for slot in slots]
        self.logits = self.logits[torch.from_numpy(slots).to(self.logits.device)]

    def _run(self) -> None:
        device = self.model.device
        longest = max(map(len, self.texts))
        ids = torch.tensor([[*text, *[self.pad_id] * (longest - len(text))] for text in self.texts], device=device)
        lengths = torch.tensor([len(text) for text in self.texts], device=device)
        mask = torch.arange(longest, device=device) < lengths[:, None]
        states = self.model.base_model(input_ids=ids, attention_mask=mask.long(), use_cache=False).last_hidden_state
        last = states[torch.arange(len(lengths), device=device), lengths - 1]
        self.logits = self.model.get_output_embeddings()(last).float()
