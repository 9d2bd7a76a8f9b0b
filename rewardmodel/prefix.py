"""Encode each prompt once and its K responses against it: the only code that knows caches.

Four layouts give the same hidden states. `cache`: the prompt runs once, its keys and values are repeated
for its responses, and gradients add up in the prompt. `packed`: [prompt | r1 | ... | rK] in one row with a
4-D mask and restarted positions, which is dense and allows gradient checkpointing. `each`: every
[prompt | response] on its own, for architectures where sharing is not exact. `flat`: all real tokens in one row
through the Llama family's layers as `flat.py` writes them out, on a CPU. Which of them are exact for a
trunk is measured on it (`exact_layouts`), never assumed.

Letters: G prompts, N responses, P and R longest prompt and response in tokens, H hidden width.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor
from transformers.cache_utils import DynamicCache, DynamicLayer

from rewardmodel import flat, flat_plan
from rewardmodel.errors import RewardModelError

LAYOUTS = ("cache", "packed", "each", "flat")
# Attention that the flat layout may compute, against what real tokens need: with more, the others are faster.
FLAT_WASTE = 2.5
# Longest packed row that is taken for its density, tokens: attention within it grows with the square.
PACKED_ROW = 1_024

# A trunk that attends to a window counts distances in columns, which sharing changes.
_WINDOWS = ("sliding_window", "window_size", "attention_window", "local_attention_window", "attention_chunk_size")
_SETTLED: WeakKeyDictionary[Any, str] = WeakKeyDictionary()
_EXACT: WeakKeyDictionary[Any, dict[str, frozenset[str]]] = WeakKeyDictionary()


class PrefixError(RewardModelError):
    """Prompts and responses cannot be encoded as they are."""


@dataclass(frozen=True)
class PrefixBatch:
    """G prompts and their N = sum of K_g responses. Masks are True on real tokens."""

    prompt_ids: Tensor  # (G, P) int64, left-padded
    prompt_mask: Tensor  # (G, P) bool
    response_ids: Tensor  # (N, R) int64, right-padded
    response_mask: Tensor  # (N, R) bool
    owner: Tensor  # (N,) int64, ascending: the prompt that a response answers

    def to(self, device: torch.device | str) -> PrefixBatch:
        return PrefixBatch(*(tensor.to(device) for tensor in vars(self).values()))

    @property
    def response_lengths(self) -> Tensor:
        """(N,) int64, tokens."""
        return self.response_mask.sum(1)


def batch(
    prompts: Sequence[Sequence[int]],
    responses: Sequence[Sequence[Sequence[int]]],
    *,
    pad_id: int,
    device: torch.device | str = "cpu",
) -> PrefixBatch:
    """Pad G prompts and the K_g responses of each into one batch; K may differ between prompts.

    Masks come from lengths, so `pad_id` may also occur as a real token. Raises `PrefixError` for an empty
    prompt or response, or a prompt without responses.
    """
    if len(prompts) != len(responses) or not prompts:
        raise PrefixError(f"found {len(prompts)} prompts and {len(responses)} lists of responses; give one list each")
    rows = list(chain.from_iterable(responses))
    if not all(map(len, prompts)) or not all(map(len, responses)) or not all(map(len, rows)):
        raise PrefixError("every prompt needs a token, every prompt a response, every response a token; drop the rest")
    prompt_ids, prompt_mask = _pad(prompts, pad_id, left=True)
    response_ids, response_mask = _pad(rows, pad_id, left=False)
    counts = torch.tensor([len(group) for group in responses])
    owner = torch.repeat_interleave(torch.arange(len(prompts)), counts)
    return PrefixBatch(prompt_ids, prompt_mask, response_ids, response_mask, owner).to(device)


def encode(
    trunk: Any, batch: PrefixBatch, *, with_last_prompt_state: bool = False, layout: str | None = None
) -> Tensor:
    """Hidden states of the response tokens, (N, R, H), in the trunk's dtype; differentiable.

    With `with_last_prompt_state` (N, R + 1, H): position 0 is the prompt's last token, so that positions
    [:, :-1] predict the response tokens. `layout` forces one of `LAYOUTS`; left out, the cheapest one that is
    exact for this trunk and possible under gradient checkpointing is taken. States at padding are undefined.
    """
    chosen = layout or choose_layout(trunk, batch)
    layouts: dict[str, Callable[..., Tensor]] = {
        "cache": _encode_cache,
        "packed": _encode_packed,
        "each": encode_each,
        "flat": _encode_flat,
    }
    return layouts[chosen](trunk, batch, with_last_prompt_state=with_last_prompt_state)


def settle_layout(trunk: Any) -> None:
    """Let this trunk take one layout for all batches: where every pass is a collective, processes must agree."""
    _SETTLED[trunk] = "packed" if "packed" in exact_layouts(trunk) else "each"


def choose_layout(trunk: Any, batch: PrefixBatch) -> str:
    """The layout that `encode` takes for this trunk in its present mode.

    Flat wherever that is exact and its attention can be held. Packed rows hold no padding between responses but pay
    attention over the whole row: they are taken where they save a fifth of the tokens and stay short, which is about
    where they win on a CPU.
    """
    if trunk in _SETTLED:
        return _SETTLED[trunk]
    exact = exact_layouts(trunk)
    checkpointing = _recomputes(trunk) and trunk.training and torch.is_grad_enabled()
    if "flat" in exact and not checkpointing and _fits_flat(trunk, batch):
        return "flat"
    if "packed" in exact and (checkpointing or "cache" not in exact or _packs_well(batch)):
        return "packed"
    return "cache" if "cache" in exact and not checkpointing else "each"


def exact_layouts(trunk: Any) -> frozenset[str]:
    """The layouts that give this trunk's own hidden states, measured once on a few short rows.

    Windowed, hybrid and recurrent trunks are recognized by their config and cache layers: short rows
    would not show the difference.
    """
    config = trunk.config.get_text_config(decoder=True)
    attention = str(getattr(config, "_attn_implementation", ""))
    known = _EXACT.setdefault(trunk, {})
    if attention not in known:
        found = {"each"}
        if not _is_windowed(config) and "cache" in _parameters(trunk):
            layouts = ("cache", "packed", *(["flat"] if flat.has_the_form(trunk) else []))
            found |= {layout for layout in layouts if _agrees(trunk, layout)}
        known[attention] = frozenset(found)
    return known[attention]


def encode_each(trunk: Any, batch: PrefixBatch, *, with_last_prompt_state: bool = False) -> Tensor:
    """Every [prompt | response] as a right-padded row of its own: K times the prompt's work, always exact."""
    starts = batch.prompt_mask.sum(1)[batch.owner]  # (N,)
    lengths = starts + batch.response_lengths
    P, R = batch.prompt_ids.shape[1], batch.response_ids.shape[1]
    N = len(batch.owner)
    columns = torch.arange(P + R, device=starts.device).expand(N, -1)
    in_prompt = columns < starts[:, None]
    from_prompt = batch.prompt_ids[batch.owner].gather(1, (columns + P - starts[:, None]).clamp(0, P - 1))
    from_response = batch.response_ids.gather(1, (columns - starts[:, None]).clamp(0, R - 1))
    ids = torch.where(in_prompt, from_prompt, from_response)[:, : int(lengths.max())]
    mask = columns[:, : ids.shape[1]] < lengths[:, None]
    states = _run(trunk, input_ids=ids, attention_mask=mask.long(), position_ids=columns[:, : ids.shape[1]])
    picked = _response_columns(batch, starts, with_last_prompt_state=with_last_prompt_state)
    return states.gather(1, picked.clamp(max=ids.shape[1] - 1)[..., None].expand(-1, -1, states.shape[-1]))


def _encode_cache(trunk: Any, batch: PrefixBatch, *, with_last_prompt_state: bool) -> Tensor:
    cache = DynamicCache(config=trunk.config)
    positions = (batch.prompt_mask.cumsum(1) - 1).clamp(min=0)
    prompt_states = _run(
        trunk,
        input_ids=batch.prompt_ids,
        attention_mask=batch.prompt_mask.long(),
        position_ids=positions,
        cache=cache,
        use_cache=True,
    )
    K = _equal_count(batch)
    for layer in cache.layers:
        layer.keys, layer.values = _repeat(layer.keys, batch.owner, K), _repeat(layer.values, batch.owner, K)
    starts = batch.prompt_mask.sum(1)[batch.owner]
    R = batch.response_ids.shape[1]
    states = _run(
        trunk,
        input_ids=batch.response_ids,
        attention_mask=torch.cat([batch.prompt_mask[batch.owner], batch.response_mask], 1).long(),
        position_ids=starts[:, None] + torch.arange(R, device=starts.device),
        cache=cache,
        use_cache=True,
    )
    if not with_last_prompt_state:
        return states
    return torch.cat([_repeat(prompt_states[:, -1:], batch.owner, K), states], 1)


def _encode_packed(trunk: Any, batch: PrefixBatch, *, with_last_prompt_state: bool) -> Tensor:
    device = batch.owner.device
    prompt_lengths, lengths = batch.prompt_mask.sum(1), batch.response_lengths
    G, N = len(prompt_lengths), len(lengths)
    before = lengths.cumsum(0) - lengths  # response tokens before this one, over all groups
    totals = torch.zeros(G, dtype=torch.long, device=device).index_add(0, batch.owner, lengths)
    starts = prompt_lengths[batch.owner] + before - (totals.cumsum(0) - totals)[batch.owner]  # (N,) column in its row
    L = int((prompt_lengths + totals).max())

    # One spare column takes all padding; it is cut off again.
    ids = torch.zeros(G, L + 1, dtype=torch.long, device=device)
    segments = torch.full((G, L + 1), -1, dtype=torch.long, device=device)  # 0 prompt, n + 1 response n, -1 padding
    positions = torch.zeros(G, L + 1, dtype=torch.long, device=device)
    in_prompt = (batch.prompt_mask.cumsum(1) - 1).clamp(min=0)
    at = torch.where(batch.prompt_mask, in_prompt, L)
    ids.scatter_(1, at, batch.prompt_ids)
    positions.scatter_(1, at, in_prompt)
    segments.scatter_(1, at, torch.where(batch.prompt_mask, 0, -1))
    offsets = torch.arange(batch.response_ids.shape[1], device=device)
    at = torch.where(batch.response_mask, starts[:, None] + offsets, L)
    rows = batch.owner[:, None].expand_as(at)
    ids[rows, at] = batch.response_ids
    positions[rows, at] = prompt_lengths[batch.owner][:, None] + offsets
    segments[rows, at] = torch.where(batch.response_mask, torch.arange(1, N + 1, device=device)[:, None], -1)
    ids, segments, positions = ids[:, :L], segments[:, :L], positions[:, :L]

    earlier = torch.ones(L, L, dtype=torch.bool, device=device).tril()
    same = segments[:, :, None] == segments[:, None, :]  # padding sees padding, so that no row is empty
    allowed = earlier & (same | (segments == 0)[:, None, :])
    states = _run(
        trunk,
        input_ids=ids,
        attention_mask=_four_dimensional(trunk, allowed),
        position_ids=positions,
        use_cache=False,
    )
    picked = _response_columns(batch, starts, with_last_prompt_state=with_last_prompt_state)
    if with_last_prompt_state:
        picked[:, 0] = prompt_lengths[batch.owner] - 1
    return states[batch.owner[:, None], picked.clamp(max=L - 1)]


def _encode_flat(trunk: Any, batch: PrefixBatch, *, with_last_prompt_state: bool) -> Tensor:
    plan = flat_plan.plan(**vars(batch), with_last_prompt_state=with_last_prompt_state)
    found = flat.states(trunk, plan)
    prompts, found = found[: len(plan.lasts)], found[len(plan.lasts) :]
    N, R = batch.response_ids.shape
    if len(found) < N * R:
        rows = batch.response_mask.flatten().cumsum(0) - 1
        found = found.index_select(0, rows.clamp(min=0))
    found = found.view(N, R, -1)
    return torch.cat([prompts.index_select(0, batch.owner)[:, None], found], 1) if with_last_prompt_state else found


def _fits_flat(trunk: Any, batch: PrefixBatch) -> bool:
    """Attention has rectangles: they must fit, and most of them must be real."""
    sizes = (*batch.prompt_ids.shape, *batch.response_ids.shape)
    if flat.probabilities(trunk, *sizes) > flat.MOST_PROBABILITIES or not flat.has_the_form(trunk):
        return False
    prompts, responses = batch.prompt_mask.sum(1), batch.response_lengths
    (G, P), R = batch.prompt_ids.shape, batch.response_ids.shape[1]
    K = int(torch.bincount(batch.owner, minlength=G).max())
    real = float((prompts**2).sum() / 2 + (responses * (prompts[batch.owner] + responses)).sum())
    computed = G * (P**2 / 2 + K * R * (P + R))
    return computed <= FLAT_WASTE * real


def _response_columns(batch: PrefixBatch, starts: Tensor, *, with_last_prompt_state: bool) -> Tensor:
    """(N, R) or, from the token before the response on, (N, R + 1)."""
    first = -1 if with_last_prompt_state else 0
    return starts[:, None] + torch.arange(first, batch.response_ids.shape[1], device=starts.device)


def _recomputes(trunk: Any) -> bool:
    return any(getattr(module, "gradient_checkpointing", False) for module in trunk.modules())


def _packs_well(batch: PrefixBatch) -> bool:
    G, P = batch.prompt_ids.shape
    N, R = batch.response_ids.shape
    rows = batch.prompt_mask.sum(1).index_add(0, batch.owner, batch.response_lengths)
    longest = int(rows.max())
    return longest <= PACKED_ROW and 1.25 * G * longest < G * P + N * R


def _equal_count(batch: PrefixBatch) -> int | None:
    """K where every prompt has the same number of responses, else None."""
    G, N = len(batch.prompt_ids), len(batch.owner)
    expected = torch.arange(N, device=batch.owner.device) // max(N // G, 1)
    return N // G if N % G == 0 and torch.equal(batch.owner, expected) else None


def _repeat(tensor: Tensor, owner: Tensor, K: int | None) -> Tensor:
    """(G, ...) to (N, ...). With an equal K gradients are summed in a fixed order, on a GPU too."""
    if K is None:
        return tensor.index_select(0, owner)
    return tensor[:, None].expand(len(tensor), K, *tensor.shape[1:]).flatten(0, 1)


def _four_dimensional(trunk: Any, allowed: Tensor) -> Tensor:
    """(G, L, L) bool to the (G, 1, L, L) mask of the trunk's attention: bool for sdpa, else additive."""
    mask = allowed[:, None]
    if trunk.config.get_text_config(decoder=True)._attn_implementation == "sdpa":
        return mask
    zero = torch.zeros((), dtype=trunk.dtype, device=mask.device)
    return torch.where(mask, zero, torch.finfo(trunk.dtype).min)


def _pad(rows: Sequence[Sequence[int]], pad_id: int, *, left: bool) -> tuple[Tensor, Tensor]:
    width = max(map(len, rows))
    padded = [
        [pad_id] * (width - len(row)) + list(row) if left else list(row) + [pad_id] * (width - len(row)) for row in rows
    ]
    lengths = torch.tensor([len(row) for row in rows])[:, None]
    columns = torch.arange(width)
    return torch.tensor(padded), columns >= width - lengths if left else columns < lengths


def _run(trunk: Any, **arguments: Any) -> Tensor:
    accepted = _parameters(trunk)
    result = trunk(**{name: value for name, value in arguments.items() if name in accepted})
    return result.last_hidden_state  # type: ignore[no-any-return]


def _parameters(trunk: Any) -> frozenset[str]:
    return frozenset(inspect.signature(trunk.forward).parameters)


def _is_windowed(config: Any) -> bool:
    if getattr(config, "use_sliding_window", None) is not False and any(
        getattr(config, name, None) for name in _WINDOWS
    ):
        return True
    return any(type(layer) is not DynamicLayer for layer in DynamicCache(config=config).layers)


@torch.no_grad()
def _agrees(trunk: Any, layout: str) -> bool:
    """Whether a layout gives what `each` gives, on prompts of unequal length with unequal K."""
    vocabulary = trunk.get_input_embeddings().num_embeddings
    device = trunk.get_input_embeddings().weight.device
    tokens = iter(range(7, 10_000, 3))
    rows = [[next(tokens) % vocabulary for _ in range(length)] for length in (2, 5, 4, 1, 3)]
    probe = batch(rows[:2], [rows[2:4], rows[4:]], pad_id=0, device=device)
    training = trunk.training
    trunk.eval()
    try:
        with torch.autocast(device.type, enabled=False):
            expected = encode_each(trunk, probe, with_last_prompt_state=True).float()
            found = encode(trunk, probe, with_last_prompt_state=True, layout=layout).float()
    except (TypeError, ValueError, RuntimeError, NotImplementedError, AttributeError):
        return False
    finally:
        trunk.train(training)
    real = torch.cat([torch.ones_like(probe.response_mask[:, :1]), probe.response_mask], 1)
    tolerance = 1e-4 if trunk.dtype == torch.float32 else 5e-2
    scale = expected[real].abs().max()
    return bool((found - expected)[real].abs().max() <= tolerance * scale)
