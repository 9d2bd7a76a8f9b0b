"""Attention of the flat row, forward and backward: `flat.py` has the rest of a layer.

A response's queries read its prompt's keys where they are, so nothing is repeated K times; prompts attend in blocks, so
half of what is masked is never computed.
Letters: T tokens, Q of them with a query, G prompts of P tokens, K responses of R, h key heads, r query heads for each,
d width of a head.
"""

from __future__ import annotations

import torch
from torch import Tensor

from rewardmodel.flat_plan import Shape

BLOCKS = 4  # of a prompt's queries: 5/8 of the square is computed


class Attention:
    """Queries (Q, h r d), already scaled, over keys and values (T, 2 h d). What its backward needs is kept here."""

    def __init__(self, q: Tensor, kv: Tensor, shape: Shape) -> None:
        p, self.shape = shape.plan, shape
        self.r = q.shape[1] // (shape.h * shape.d)
        k, v = kv.chunk(2, 1)
        count = shape.prompt_queries
        self.q_prompt = self._rows(q[:count], None if shape.last else p.into_prompts, shape.prompt_width, self.r)
        self.q_response = self._rows(q[count:], p.into_responses, p.K * p.R, self.r)
        self.k_prompt, self.v_prompt = (self._rows(one[: p.prompt_tokens], p.into_prompts, p.P, 1) for one in (k, v))
        self.k_own, self.v_own = (
            self._each(self._rows(one[p.prompt_tokens :], p.into_responses, p.K * p.R, 1)) for one in (k, v)
        )
        self.weights = q[:0]
        self.blocks: list[tuple[slice, int, Tensor]] = []

    def forward(self) -> Tensor:
        p, parts = self.shape.plan, []
        if self.shape.prompt_queries:
            found = self._last() if self.shape.last else self._prompts()
            parts.append(self._flat(found, None if self.shape.last else p.from_prompts, self.r))
        parts.append(self._flat(self._responses(), p.from_responses, self.r))
        return torch.cat(parts)

    def backward(self, grad: Tensor) -> tuple[Tensor, Tensor]:
        p, shape = self.shape.plan, self.shape
        count = shape.prompt_queries
        of_k, of_v = torch.zeros_like(self.k_prompt), torch.zeros_like(self.v_prompt)
        of_q: list[Tensor] = []
        if count:
            rows = self._rows(grad[:count], None if shape.last else p.into_prompts, shape.prompt_width, self.r)
            if not shape.last and p.from_prompts is not None:
                # Padding repeats a prompt's last token, whose gradient counts once.
                rows = rows * (p.hidden == 0).view(p.G, 1, p.P, 1).expand(-1, shape.h, -1, self.r).reshape(  # type: ignore[union-attr]
                    len(rows), -1, 1
                )
            found = torch.cat([self._block_backward(rows, of_k, of_v, *block) for block in self.blocks], 1)
            of_q.append(self._flat(found, None if shape.last else p.from_prompts, self.r))
        given = grad[count:] if p.into_responses is None else grad[count:].index_select(0, p.into_responses) * p.real
        q, own_k, own_v = self._responses_backward(self._rows(given, None, p.K * p.R, self.r), of_k, of_v)
        of_q.append(self._flat(q, p.from_responses, self.r))
        of_keys, of_values = (
            torch.cat([self._flat(a, p.from_prompts, 1), self._flat(self._joined(b), p.from_responses, 1)])
            for a, b in ((of_k, own_k), (of_v, own_v))
        )
        return torch.cat(of_q), torch.cat([of_keys, of_values], 1)

    def _prompts(self) -> Tensor:
        """Causal attention within each prompt, a block of queries at a time, (G h, P r, d)."""
        P, r = self.shape.plan.P, self.r
        size = -(-P // BLOCKS)
        later = torch.full((size, size), -torch.inf).triu_(1).repeat_interleave(r, 0)
        found = []
        for start in range(0, P, size):
            end = min(start + size, P)
            rows = slice(start * r, end * r)
            scores = torch.bmm(self.q_prompt[:, rows], self.k_prompt[:, :end].transpose(1, 2))
            scores[:, :, start:] += later[: (end - start) * r, : end - start]
            found.append(self._block(rows, end, scores))
        return torch.cat(found, 1)

    def _last(self) -> Tensor:
        """The last token's of each prompt, (G h, r, d)."""
        scores = torch.bmm(self.q_prompt, self.k_prompt.transpose(1, 2))
        self._hide(scores)
        return self._block(slice(0, self.r), self.shape.plan.P, scores)

    def _block(self, rows: slice, end: int, scores: Tensor) -> Tensor:
        weights = scores.softmax(-1)
        self.blocks.append((rows, end, weights))
        return torch.bmm(weights, self.v_prompt[:, :end])

    def _block_backward(
        self, grads: Tensor, of_k: Tensor, of_v: Tensor, rows: slice, end: int, weights: Tensor
    ) -> Tensor:
        grad = grads[:, rows]
        of_v[:, :end].baddbmm_(weights.transpose(1, 2), grad)
        of_scores = _softmax_backward(torch.bmm(grad, self.v_prompt[:, :end].transpose(1, 2)), weights)
        of_k[:, :end].baddbmm_(of_scores.transpose(1, 2), self.q_prompt[:, rows])
        return torch.bmm(of_scores, self.k_prompt[:, :end])

    def _responses(self) -> Tensor:
        """Attention of responses over their prompt and themselves, (G h, K R r, d)."""
        P, R = self.shape.plan.P, self.shape.plan.R
        scores = self.q_response.new_empty(*self.q_response.shape[:2], P + R)
        to_prompt = scores[:, :, :P]
        to_prompt.baddbmm_(self.q_response, self.k_prompt.transpose(1, 2), beta=0)
        self._hide(to_prompt)
        own = self._each(scores)[:, :, P:]
        own.baddbmm_(self._each(self.q_response), self.k_own.transpose(1, 2), beta=0)
        own += self.shape.plan.causal.repeat_interleave(self.r, 0)
        self.weights = scores.softmax(-1)
        found = torch.bmm(self.weights[:, :, :P], self.v_prompt)
        self._each(found).baddbmm_(self._each(self.weights)[:, :, P:], self.v_own)
        return found

    def _responses_backward(self, grad: Tensor, of_k: Tensor, of_v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        P = self.shape.plan.P
        each, own_weights = self._each(grad), self._each(self.weights)[:, :, P:]
        of_weights = torch.empty_like(self.weights)
        of_weights[:, :, :P].baddbmm_(grad, self.v_prompt.transpose(1, 2), beta=0)
        self._each(of_weights)[:, :, P:].baddbmm_(each, self.v_own.transpose(1, 2), beta=0)
        of_scores = _softmax_backward(of_weights, self.weights)
        to_prompt, own = of_scores[:, :, :P], self._each(of_scores)[:, :, P:]
        of_k.baddbmm_(to_prompt.transpose(1, 2), self.q_response)
        of_v.baddbmm_(self.weights[:, :, :P].transpose(1, 2), grad)
        of_q = torch.bmm(to_prompt, self.k_prompt)
        self._each(of_q).baddbmm_(own, self.k_own)
        own_k = torch.bmm(own.transpose(1, 2), self._each(self.q_response))
        return of_q, own_k, torch.bmm(own_weights.transpose(1, 2), each)

    def _hide(self, scores: Tensor) -> None:
        p = self.shape.plan
        if p.hidden is not None:
            scores.unflatten(0, (p.G, self.shape.h)).add_(p.hidden)

    def _rows(self, x: Tensor, into: Tensor | None, width: int, r: int) -> Tensor:
        """(n, h r d) -> (G h, width r, d)."""
        p, h, d = self.shape.plan, self.shape.h, self.shape.d
        x = x if into is None else x.index_select(0, into)
        return x.reshape(p.G, width, h, r, d).transpose(1, 2).reshape(p.G * h, width * r, d)

    def _flat(self, x: Tensor, back: Tensor | None, r: int) -> Tensor:
        """The other way round."""
        p, h, d = self.shape.plan, self.shape.h, self.shape.d
        x = x.view(p.G, h, -1, r, d).transpose(1, 2).reshape(-1, h * r * d)
        return x if back is None else x.index_select(0, back)

    def _each(self, x: Tensor) -> Tensor:
        """(G h, K R r, n) -> (G h K, R r, n)."""
        return x.unflatten(1, (self.shape.plan.K, -1)).flatten(0, 1)

    def _joined(self, x: Tensor) -> Tensor:
        return x.unflatten(0, (-1, self.shape.plan.K)).flatten(1, 2)


def _softmax_backward(grad: Tensor, weights: Tensor) -> Tensor:
    return torch._softmax_backward_data(grad, weights, -1, weights.dtype)
