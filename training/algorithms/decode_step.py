"""One token further for every slot: the cache that `decoding.py` fills, and ways to step through a model.

`ModelStep` calls any causal model that takes a cache. `FusedStep` is the same arithmetic for the Llama family in
fewer operations: q, k and v in one product, gate and up in one, residuals added by the products themselves, the
cache written in one go. Whether it gives a model's own logits is measured on that model, never assumed. On a GPU it
is captured as CUDA graphs, by numbers of slots and columns.
Letters: S slots, W columns in use, h key heads, r query heads for each, d width of a head, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers.cache_utils import DynamicCache, DynamicLayer

from rewardmodel.flat import FAMILY, STATIC_ROTATIONS

ROOM = 32  # columns by which the cache grows, at least
GRAPH_COLUMNS = 64  # columns of a captured step come in multiples of this
_FITS: WeakKeyDictionary[Any, bool] = WeakKeyDictionary()


class ModelStep:
    """Keys and values, a slot a row, in buffers with room ahead: a step copies nothing.

    A slot's tokens fill columns from 0. A layer's buffer is (2, S, h, columns, d): keys, then values.
    """

    def __init__(self, model: Any, slots: int) -> None:
        self.trunk, self.head = model.base_model, model.get_output_embeddings()
        self.device, self.slots, self.columns = model.device, slots, 0
        self.starts = np.zeros(slots, dtype=np.int64)  # tokens of each slot that are kept elsewhere than in its row
        self.buffers: list[Tensor] = []
        self.layers = [_Columns() for _ in DynamicCache(config=model.config).layers]
        self.cache = DynamicCache(config=model.config)
        self.cache.layers = self.layers

    def prefill(self, ids: Tensor, last: Tensor) -> tuple[list[DynamicLayer], Tensor]:
        """Right-padded prompts (G, P) whose last tokens stand at `last`: their caches, and the logits after them.

        Attention is causal, so padding on the right needs no mask.
        """
        cache = DynamicCache(config=self.trunk.config)
        positions = torch.arange(ids.shape[1], device=self.device).expand(len(ids), -1)
        states = self.trunk(input_ids=ids, position_ids=positions, cache=cache, use_cache=True).last_hidden_state
        return cache.layers, self.head(states[torch.arange(len(ids), device=self.device), last]).float()

    def reserve(self, columns: int, like: Sequence[DynamicLayer] = ()) -> None:
        """Make room for so many columns; `like` are layers of the same model, for the shapes of the first time."""
        if not self.buffers:
            shapes = [(2, self.slots, layer.keys.shape[1], columns, layer.keys.shape[3]) for layer in like]
            self.buffers = [like[0].keys.new_zeros(shape) for shape in shapes]
        self.buffers = [F.pad(buffer, (0, 0, 0, columns - buffer.shape[3])) for buffer in self.buffers]
        self.columns = columns

    def seat(self, slots: Tensor, source: Tensor, layers: Sequence[DynamicLayer], widths: np.ndarray) -> None:
        """Prompts `source` of `layers`, of so many tokens, become those of slots: copied into their rows."""
        width = int(widths.max())
        if width > self.columns:
            self.reserve(width + ROOM, layers)
        for buffer, layer in zip(self.buffers, layers, strict=True):
            buffer[0, slots, :, :width] = layer.keys[source, :, :width].to(buffer.dtype)
            buffer[1, slots, :, :width] = layer.values[source, :, :width].to(buffer.dtype)

    def move(self, sources: Tensor, targets: Tensor, width: int) -> None:
        for buffer in self.buffers:
            buffer[:, targets, :, :width] = buffer[:, sources, :, :width]

    def narrow(self, slots: int) -> None:
        """Only the first slots are left."""
        self.starts = self.starts[:slots]

    def __call__(self, ids: Tensor, positions: Tensor, used: int) -> Tensor:
        """ids (S,) stand at positions (S,), none of them beyond `used` columns: the logits after them, (S, V)."""
        count = len(ids)
        places = torch.arange(count, device=self.device)
        for layer, buffer in zip(self.layers, self.buffers, strict=True):
            layer.look_at(buffer[:, :count], places, positions, used)
        dtype = self.trunk.dtype
        mask = torch.zeros(count, used, dtype=dtype, device=self.device)
        mask = mask.masked_fill(self.beyond(positions, used), torch.finfo(dtype).min)
        states = self.trunk(
            input_ids=ids[:, None],
            attention_mask=mask[:, None, None],
            position_ids=positions[:, None],
            cache=self.cache,
            use_cache=True,
        ).last_hidden_state[:, -1]
        return self.head(states).float()  # type: ignore[no-any-return]

    def beyond(self, positions: Tensor, used: int) -> Tensor:
        """(S, W): True where a slot has no token in a column; positions count columns."""
        return torch.arange(used, device=self.device) > positions[:, None]


class _Columns(DynamicLayer):
    """One layer of a cache whose new token goes to a column of each slot's own."""

    def __init__(self) -> None:
        super().__init__()
        self.is_initialized = True

    def look_at(self, buffer: Tensor, places: Tensor, at: Tensor, used: int) -> None:
        self.keys, self.values = buffer[0], buffer[1]
        self.places, self.at, self.used = places, at, used

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        self.keys[self.places, :, self.at] = key_states[:, :, 0]
        self.values[self.places, :, self.at] = value_states[:, :, 0]
        return self.keys[:, :, : self.used], self.values[:, :, : self.used]


class FusedStep(ModelStep):
    """The Llama family, step by step with fused weights, which are copied when it is made."""

    def __init__(self, model: Any, slots: int) -> None:
        super().__init__(model, slots)
        config = model.config.get_text_config(decoder=True)
        self.heads, self.key_heads = config.num_attention_heads, config.num_key_value_heads
        self.width = getattr(config, "head_dim", None) or config.hidden_size // self.heads
        self.epsilon = config.rms_norm_eps
        self.dtype = self.trunk.dtype
        if torch.is_autocast_enabled(self.device.type):
            self.dtype = torch.get_autocast_dtype(self.device.type)
        self.embeddings = model.get_input_embeddings().weight
        self.blocks = [self._fuse(layer) for layer in self.trunk.layers]
        self.last_norm = self.trunk.norm.weight
        self.head_weight, self.head_bias = self._cast(self.head.weight), self._cast(self.head.bias)
        self.graphs: dict[tuple[int, int], Any] = {}

    def reserve(self, columns: int, like: Sequence[DynamicLayer] = ()) -> None:
        if self.device.type == "cuda":
            columns = -(-columns // GRAPH_COLUMNS) * GRAPH_COLUMNS
        super().reserve(columns, like)
        self.buffers = [buffer.to(self.dtype) for buffer in self.buffers]
        self.cosines, self.sines = self._rotations(columns)
        self.graphs = {}

    def __call__(self, ids: Tensor, positions: Tensor, used: int) -> Tensor:
        if self.device.type == "cuda":
            return self._replay(ids, positions, -(-used // GRAPH_COLUMNS) * GRAPH_COLUMNS)
        return self._step(ids, positions, used)

    def _step(self, ids: Tensor, positions: Tensor, used: int) -> Tensor:
        S, h, d = len(ids), self.key_heads, self.width
        r = self.heads // h
        places = torch.arange(S, device=self.device)
        cosines, sines = self._turns(positions)
        hidden = self.beyond(positions, used)[:, None, None].expand(S, h, r, used)
        bias = torch.zeros(S * h, r, used, dtype=self.dtype, device=self.device)
        bias = bias.masked_fill_(hidden.reshape(S * h, r, used), -torch.inf)
        states = F.embedding(ids, self.embeddings).to(self.dtype)
        for (norm, qkv, qkv_bias, out, out_bias, norm2, gate_up, gate_up_bias, down, down_bias), buffer in zip(
            self.blocks, self.buffers, strict=True
        ):
            mixed = F.linear(self._norm(states, norm), qkv, qkv_bias).view(S, self.heads + 2 * h, d)
            mixed = torch.addcmul(mixed * cosines, mixed.roll(d // 2, -1), sines)
            buffer[:, places, :, positions] = mixed[:, self.heads :].view(S, 2, h, d)
            keys, values = (half[:S].view(S * h, self.columns, d)[:, :used] for half in buffer.unbind(0))
            queries = mixed[:, : self.heads].reshape(S * h, r, d)
            weights = torch.baddbmm(bias, queries, keys.transpose(1, 2), alpha=d**-0.5).softmax(-1)
            attended = torch.bmm(weights, values).view(S, self.heads * d)
            states = self._add(states, attended, out, out_bias)
            both = F.linear(self._norm(states, norm2), gate_up, gate_up_bias)
            gate, up = both.chunk(2, -1)
            states = self._add(states, F.silu(gate).mul_(up), down, down_bias)
        return F.linear(self._norm(states, self.last_norm), self.head_weight, self.head_bias).float()

    def _turns(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Cosines and signed sines for q, k and v, (S, heads + 2 h, d): the rotation leaves v as it is."""
        S, turned = len(positions), self.heads + self.key_heads
        cosines, sines = (table[positions][:, None].expand(S, turned, -1) for table in (self.cosines, self.sines))
        still = cosines.new_ones(S, self.key_heads, self.width)
        return torch.cat([cosines, still], 1), torch.cat([sines, torch.zeros_like(still)], 1)

    def _norm(self, states: Tensor, weight: Tensor) -> Tensor:
        if self.dtype == torch.float32:
            return F.rms_norm(states, weight.shape, weight, self.epsilon)
        return F.rms_norm(states.float(), weight.shape, None, self.epsilon).to(self.dtype) * weight.to(self.dtype)

    @staticmethod
    def _add(states: Tensor, inner: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        added = torch.addmm(states, inner, weight.t())
        return added if bias is None else added + bias

    def _replay(self, ids: Tensor, positions: Tensor, used: int) -> Tensor:
        """The step as a CUDA graph: captured once for each number of slots and columns, then one launch."""
        key = (len(ids), used)
        if key not in self.graphs:
            fixed = ids.clone(), positions.clone()
            stream = torch.cuda.Stream()
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                self._step(*fixed, used)
            torch.cuda.current_stream().wait_stream(stream)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                logits = self._step(*fixed, used)
            self.graphs[key] = (graph, fixed, logits)
        graph, fixed, logits = self.graphs[key]
        fixed[0].copy_(ids)
        fixed[1].copy_(positions)
        graph.replay()
        return logits  # type: ignore[no-any-return]

    def _fuse(self, layer: Any) -> tuple[Tensor | None, ...]:
        attention, mlp = layer.self_attn, layer.mlp
        qkv = [attention.q_proj, attention.k_proj, attention.v_proj]
        return (
            layer.input_layernorm.weight,
            *self._joined(qkv),
            *self._joined([attention.o_proj]),
            layer.post_attention_layernorm.weight,
            *self._joined([mlp.gate_proj, mlp.up_proj]),
            *self._joined([mlp.down_proj]),
        )

    def _joined(self, parts: Sequence[nn.Linear]) -> tuple[Tensor | None, Tensor | None]:
        if len(parts) == 1:
            return self._cast(parts[0].weight), self._cast(parts[0].bias)
        weight = self._cast(torch.cat([part.weight for part in parts]))
        if all(part.bias is None for part in parts):
            return weight, None
        biases = [part.weight.new_zeros(len(part.weight)) if part.bias is None else part.bias for part in parts]
        return weight, self._cast(torch.cat(biases))

    def _cast(self, weight: Tensor | None) -> Tensor | None:
        return None if weight is None else weight.to(self.dtype)

    def _rotations(self, columns: int) -> tuple[Tensor, Tensor]:
        """Cosines and sines by position, (columns, d); a sine is negative where it meets the second half."""
        positions = torch.arange(columns, device=self.device)[None]
        cosines, sines = (one[0] for one in self.trunk.rotary_emb(self.embeddings[:1, None].float(), positions))
        sines = torch.cat([-sines[:, : self.width // 2], sines[:, self.width // 2 :]], -1)
        return cosines.to(self.dtype), sines.to(self.dtype)


def fits(model: Any) -> bool:
    """Whether `FusedStep` gives this model's own logits: by its kind, its modules, and a measurement."""
    if not _has_the_form(model):
        return False
    if model not in _FITS:
        _FITS[model] = _agrees(model)
    return _FITS[model]


def _has_the_form(model: Any) -> bool:
    """No adapters, quantized layers or other activations: those are not in the weights that are fused."""
    config = model.config.get_text_config(decoder=True)
    rotation = (getattr(config, "rope_parameters", None) or {}).get("rope_type")
    if config.model_type not in FAMILY or config.hidden_act != "silu" or rotation not in STATIC_ROTATIONS:
        return False
    linear = ("proj", "lm_head")
    return all(
        type(module) is nn.Linear for name, module in model.named_modules() if name.rpartition(".")[2].endswith(linear)
    )


@torch.inference_mode()
def _agrees(model: Any) -> bool:
    vocabulary = model.get_input_embeddings().num_embeddings
    ids = torch.tensor([[7, 3, 11, 5, 2], [4, 9, 6, 1, 8]], device=model.device) % vocabulary
    with torch.autocast(model.device.type, enabled=False):
        expected = model(input_ids=ids).logits[:, -1].float()
        step = FusedStep(model, 2)
        last = torch.tensor([3, 3], device=model.device)
        layers, _ = step.prefill(ids[:, :4], last)
        places = torch.arange(2, device=model.device)
        step.seat(places, places, layers, np.array([4, 4]))
        found = step._step(ids[:, 4], last + 1, 5)
    tolerance = 1e-4 if model.dtype == torch.float32 else 5e-2
    return bool((found - expected).abs().max() <= tolerance * expected.abs().max())
