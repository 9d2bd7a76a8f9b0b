"""The Llama family's trunk over prompts and their responses at once, written out with its gradient, for a CPU.

All real tokens stand in one row: first the prompts', then the responses', in order. Products, norms and gates see no
padding and one large matrix; only attention has rectangles. The last layer computes queries, output and MLP only
where a state is asked for. `prefix.py` decides when this is taken, and measures it on the trunk first.
Letters: T tokens in all, Q of them with a query, G prompts, N responses, d width of a head, H hidden width.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from rewardmodel.flat_attention import Attention
from rewardmodel.flat_plan import Plan, Shape

FAMILY = ("llama", "mistral", "qwen2")
STATIC_ROTATIONS = ("default", "linear", "llama3")
# Attention probabilities that are held at once, over all layers where a gradient is wanted, in elements.
MOST_PROBABILITIES = 1 << 26
_LINEAR = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def has_the_form(trunk: Any) -> bool:
    """Whether `states` computes what this trunk is made to: plain layers of the family, in fp32 on a CPU."""
    config = trunk.config.get_text_config(decoder=True)
    rotation = (getattr(config, "rope_parameters", None) or {}).get("rope_type")
    if config.model_type not in FAMILY or config.hidden_act != "silu" or rotation not in STATIC_ROTATIONS:
        return False
    if trunk.device.type != "cpu" or trunk.dtype != torch.float32 or torch.is_autocast_enabled("cpu"):
        return False
    if trunk.training and config.attention_dropout:
        return False
    for layer in trunk.layers:
        parts = [getattr(layer.self_attn, name, None) or getattr(layer.mlp, name, None) for name in _LINEAR]
        if any(type(part) is not nn.Linear for part in parts) or any(p.bias is not None for p in parts[3:]):  # type: ignore[union-attr]
            return False
    return True


def probabilities(trunk: Any, G: int, P: int, N: int, R: int) -> int:
    """Elements of attention that `states` holds at once for such a batch."""
    config = trunk.config.get_text_config(decoder=True)
    layers = config.num_hidden_layers if torch.is_grad_enabled() else 1
    return int(layers * config.num_attention_heads * (G * P * P * 5 / 8 + N * R * (P + R)))


def states(trunk: Any, plan: Plan) -> Tensor:
    """(Q, H): the state of each prompt's last token, where the plan asks for it, then of all response tokens."""
    config = trunk.config.get_text_config(decoder=True)
    d = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    h = config.num_key_value_heads
    hidden = trunk.get_input_embeddings()(plan.ids)
    cosines, sines = trunk.rotary_emb(hidden[None].detach(), plan.positions[None])
    turns = torch.complex(cosines[0, :, : d // 2].float(), sines[0, :, : d // 2].float())
    # Pairs that turn together stand side by side, which attention does not see and complex numbers need.
    order = torch.arange(d).view(2, d // 2).t().flatten()
    number = len(trunk.layers) - 1
    for n, layer in enumerate(trunk.layers):
        attention, mlp = layer.self_attn, layer.mlp
        q, q_bias = _turned(attention.q_proj, order)
        k, k_bias = _turned(attention.k_proj, order)
        v, v_bias = attention.v_proj.weight, attention.v_proj.bias
        hidden = _Layer.apply(  # type: ignore[no-untyped-call]
            hidden,
            layer.input_layernorm.weight,
            q,
            q_bias,
            torch.cat([k, v]),
            None if k_bias is None else torch.cat([k_bias, v_bias]),
            attention.o_proj.weight,
            layer.post_attention_layernorm.weight,
            torch.cat([mlp.gate_proj.weight, mlp.up_proj.weight]),
            mlp.down_proj.weight,
            turns,
            Shape(plan, h, d, config.rms_norm_eps, n == number),
        )
    return trunk.norm(hidden)  # type: ignore[no-any-return]


def _turned(linear: nn.Linear, order: Tensor) -> tuple[Tensor, Tensor | None]:
    weight = linear.weight.view(-1, len(order), linear.in_features).index_select(1, order).flatten(0, 1)
    return weight, None if linear.bias is None else linear.bias.view(-1, len(order)).index_select(1, order).flatten()


class _Layer(torch.autograd.Function):
    """One decoder layer, (T, H) -> (T, H); the last one gives only the Q rows that are asked for, (Q, H)."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        norm: Tensor,
        q_weight: Tensor,
        q_bias: Tensor | None,
        kv_weight: Tensor,
        kv_bias: Tensor | None,
        out: Tensor,
        norm2: Tensor,
        gate_up: Tensor,
        down: Tensor,
        turns: Tensor,
        shape: Shape,
    ) -> Tensor:
        normed, scale = _normalize(x, norm, shape.epsilon)
        asked, asked_turns = shape.take(normed), shape.take(turns)
        q = F.linear(asked, q_weight, q_bias)
        kv = F.linear(normed, kv_weight, kv_bias)
        _turn(q, asked_turns * shape.d**-0.5)
        _turn(kv[:, : kv.shape[1] // 2], turns)
        attention = Attention(q, kv, shape)
        attended = attention.forward()
        middle = torch.addmm(shape.take(x), attended, out.t())
        normed2, scale2 = _normalize(middle, norm2, shape.epsilon)
        gates = F.linear(normed2, gate_up)
        gate, up = gates.chunk(2, 1)
        opened = F.silu(gate)
        inner = opened * up
        ctx.save_for_backward(
            x, norm, q_weight, kv_weight, out, norm2, gate_up, down, turns,
            normed, scale, asked, asked_turns, attended, middle, normed2, scale2, gates, opened, inner,
        )  # fmt: skip
        ctx.shape, ctx.attention = shape, attention
        return torch.addmm(middle, inner, down.t())

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        (
            x, norm, q_weight, kv_weight, out, norm2, gate_up, down, turns,
            normed, scale, asked, asked_turns, attended, middle, normed2, scale2, gates, opened, inner,
        ) = ctx.saved_tensors  # fmt: skip
        shape, wanted = ctx.shape, ctx.needs_input_grad
        gate, up = gates.chunk(2, 1)
        # 1. The MLP.
        of_inner = grad @ down
        of_gates = torch.empty_like(gates)
        of_gate, of_up = of_gates.chunk(2, 1)
        torch.mul(of_inner, opened, out=of_up)
        torch.ops.aten.silu_backward(of_inner.mul_(up), gate, grad_input=of_gate)
        of_middle, of_norm2 = _normalize_backward(of_gates @ gate_up, middle, norm2, scale2)
        of_middle += grad
        # 2. Attention.
        of_q, of_kv = ctx.attention.backward(of_middle @ out)
        _turn(of_q, (asked_turns * shape.d**-0.5).conj_physical())
        _turn(of_kv[:, : of_kv.shape[1] // 2], turns.conj_physical())
        of_normed = of_kv @ kv_weight
        shape.add(of_normed, of_q @ q_weight)
        of_x, of_norm = _normalize_backward(of_normed, x, norm, scale)
        shape.add(of_x, of_middle)
        ctx.attention = None
        # 3. The weights.
        return (
            of_x,
            of_norm,
            of_q.t() @ asked if wanted[2] else None,
            of_q.sum(0) if wanted[3] else None,
            of_kv.t() @ normed if wanted[4] else None,
            of_kv.sum(0) if wanted[5] else None,
            of_middle.t() @ attended if wanted[6] else None,
            of_norm2,
            of_gates.t() @ normed2 if wanted[8] else None,
            grad.t() @ inner if wanted[9] else None,
            None,
            None,
        )


def _normalize(x: Tensor, weight: Tensor, epsilon: float) -> tuple[Tensor, Tensor]:
    """RMS norm, and what each row was multiplied with, (T, 1)."""
    scale = torch.linalg.vector_norm(x, dim=-1, keepdim=True).square_().div_(x.shape[1]).add_(epsilon).rsqrt_()
    return (x * scale).mul_(weight), scale


def _normalize_backward(grad: Tensor, x: Tensor, weight: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
    unit = x * scale
    product = grad * unit
    along = (product @ weight).div_(x.shape[1])
    return (grad * weight).addcmul_(unit, along[:, None], value=-1).mul_(scale), product.sum(0)


def _turn(x: Tensor, turns: Tensor) -> None:
    """Rotate every head's pairs in place: x (T, heads * d), turns (T, d / 2) complex."""
    pairs = torch.view_as_complex(x.unflatten(1, (-1, turns.shape[1], 2)))
    pairs.mul_(turns[:, None])
