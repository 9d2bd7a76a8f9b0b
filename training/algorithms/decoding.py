"""The decoding loop: slots that decode side by side, filled with waiting rows as others finish.

Only `sampling.py` uses it. The shared prompt of the trainers is `rewardmodel/prefix.py`.
Letters: S slots, G prompts, V vocabulary, W columns in use.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rewardmodel import prefix
from training.algorithms.decode_shared import step_for
from training.algorithms.decode_step import ROOM

REFILL_AT = 8  # waiting rows enter once one slot in so many is free
COMPACT_AT = 0.8  # with none waiting, free slots go once the share of busy ones is below this


def row_seed(seed: int, prompt: int, rollout: int) -> int:
    """The seed of one rollout, 48 bits so that every JSON reader keeps it exactly."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{prompt}/{rollout}".encode()).digest()[:6], "big")


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
    slots = min(slots, len(rows))
    trunk = trunk_type(model, prompts, rows, slots, pad_id)
    return _Loop(model, trunk, rows, slots, stop_id, temperature)


def draw(logits: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    """Invert the distribution function: logits (S, V), noise (S,) in [0, 1) -> ids and log-probabilities, (S,)."""
    chances = logits.softmax(-1)
    edges = chances.cumsum(-1, dtype=torch.float64)
    ids = torch.searchsorted(edges, (noise * edges[:, -1])[:, None], right=True)
    ids = ids.clamp(max=logits.shape[-1] - 1)
    return ids.squeeze(-1), chances.gather(-1, ids).log().squeeze(-1)


def uniform(seeds: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Number `steps` of the endless row of numbers in [0, 1) that belongs to each seed, both (S,).

    SplitMix64's finalizer on a counter, with the seed mixed in between, so that neighboring seeds share nothing
    (Steele et al. 2014): all slots at once, and no generator to keep.
    """
    counters = (steps.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    return (_mix(_mix(seeds) ^ _mix(counters)) >> np.uint64(11)) * 2.0**-53  # type: ignore[no-any-return]


def _mix(bits: np.ndarray) -> np.ndarray:
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


class _Loop:
    """Which row sits in which slot, and what each has drawn. Bookkeeping is on the host, in numpy."""

    def __init__(
        self, model: Any, trunk: Any, rows: Sequence[Row], slots: int, stop_id: int, temperature: float
    ) -> None:
        self.trunk, self.rows, self.stop_id, self.temperature = trunk, rows, stop_id, temperature
        self.device = model.device
        self.seeds = np.array([row.seed for row in rows], dtype=np.uint64)
        self.limits = np.array([row.limit for row in rows])
        self.row = np.zeros(slots, dtype=np.int64)  # the row in each slot
        self.step = np.zeros(slots, dtype=np.int64)  # tokens that it has drawn
        self.busy = np.zeros(slots, dtype=bool)
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
        elif not waiting and len(free) >= (1 - COMPACT_AT) * len(self.busy):
            kept = self.trunk.keep(np.flatnonzero(self.busy))
            self.row, self.step, self.busy = self.row[kept], self.step[kept], self.busy[kept]

    def _uniform(self) -> Tensor:
        """(S,) in [0, 1): the next number of each slot's row."""
        return torch.from_numpy(uniform(self.seeds[self.row], self.step)).to(self.device)

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


class _CachedTrunk:
    """Each prompt runs once, and its keys and values serve the slots of its rows."""

    def __init__(
        self, model: Any, prompts: Sequence[Sequence[int]], rows: Sequence[Row], slots: int, pad_id: int
    ) -> None:
        self.device, self.prompts, self.rows, self.pad_id = model.device, prompts, rows, pad_id
        self.step = step_for(model, slots, shared=len(rows) > len({row.prompt for row in rows}))
        self.lengths = np.zeros(slots, dtype=np.int64)
        self.logits = torch.zeros(slots, model.get_output_embeddings().weight.shape[0], device=self.device)
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
        starts = self.step.starts
        used = int((self.lengths - starts)[busy].max()) + 1
        if used > self.step.columns:
            self.step.reserve(used + max(ROOM, used // 4))
        positions = torch.from_numpy(np.where(busy, self.lengths, starts + used - 1)).to(self.device)
        self.logits = self.step(ids, positions, used)
        self.lengths[busy] += 1

    def keep(self, slots: np.ndarray) -> np.ndarray:
        """Only these slots go on, and become the first ones, in the order that is returned: late ones fill the gaps."""
        count = len(slots)
        gaps, late = np.setdiff1d(np.arange(count), slots), slots[slots >= count]
        order = np.arange(count)
        order[gaps] = late
        sources, targets = (torch.from_numpy(one).to(self.device) for one in (late, gaps))
        self.step.move(sources, targets, int((self.lengths - self.step.starts)[slots].max()))
        self.step.narrow(count)
        self.lengths, self.logits = self.lengths[order], self.logits[torch.from_numpy(order).to(self.device)]
        return order

    def _prepared_run(self, rows: Sequence[int]) -> Iterator[int]:
        for row in rows:
            if self.rows[row].prompt not in self.prepared:
                return
            yield row

    def _prepare(self, first_row: int) -> None:
        """Run the next prompts, as many as the slots can take up."""
        wanted = dict.fromkeys(row.prompt for row in self.rows[first_row : first_row + len(self.lengths)])
        chosen = [self.prompts[prompt] for prompt in wanted]
        longest = max(map(len, chosen))
        ids = torch.tensor(
            [[*prompt, *[self.pad_id] * (longest - len(prompt))] for prompt in chosen], device=self.device
        )
        last = torch.tensor([len(prompt) - 1 for prompt in chosen], device=self.device)
        self.prepared_layers, self.prepared_logits = self.step.prefill(ids, last)
        self.prepared = {prompt: position for position, prompt in enumerate(wanted)}

    def _seat(self, slots: np.ndarray, prompts: Sequence[int]) -> None:
        lengths = np.array([len(self.prompts[prompt]) for prompt in prompts])
        seats = torch.from_numpy(slots).to(self.device)
        source = torch.tensor([self.prepared[prompt] for prompt in prompts], device=self.device)
        self.step.seat(seats, source, self.prepared_layers, lengths)
        self.logits[seats] = self.prepared_logits[source]
        self.lengths[slots] = lengths


class _UncachedTrunk:
    """For windowed, hybrid and recurrent models: each step runs the whole right-padded rows. Slow and exact."""

    def __init__(
        self, model: Any, prompts: Sequence[Sequence[int]], rows: Sequence[Row], slots: int, pad_id: int
    ) -> None:
        self.model, self.prompts, self.rows, self.pad_id = model, prompts, rows, pad_id
        self.texts: list[list[int]] = [[pad_id] for _ in range(slots)]
        self.logits: Any = None

    def enter(self, slots: np.ndarray, rows: Sequence[int]) -> None:
        for slot, row in zip(slots, rows, strict=True):
            self.texts[slot] = list(self.prompts[self.rows[row].prompt])
        self._run()

    def advance(self, ids: Tensor, busy: np.ndarray) -> None:
        for slot in np.flatnonzero(busy):
            self.texts[slot].append(int(ids[slot]))
        self._run()

    def keep(self, slots: np.ndarray) -> np.ndarray:
        self.texts = [self.texts[slot] for slot in slots]
        self.logits = self.logits[torch.from_numpy(slots).to(self.logits.device)]
        return slots

    def _run(self) -> None:
        device = self.model.device
        longest = max(map(len, self.texts))
        ids = torch.tensor([[*text, *[self.pad_id] * (longest - len(text))] for text in self.texts], device=device)
        lengths = torch.tensor([len(text) for text in self.texts], device=device)
        mask = torch.arange(longest, device=device) < lengths[:, None]
        states = self.model.base_model(input_ids=ids, attention_mask=mask.long(), use_cache=False).last_hidden_state
        last = states[torch.arange(len(lengths), device=device), lengths - 1]
        self.logits = self.model.get_output_embeddings()(last).float()
