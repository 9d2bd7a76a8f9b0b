"""Where the tokens of prompts and responses stand when all real ones are in one row: for `flat.py` alone.

Letters: T tokens in all, Q of them with a query, G prompts of P tokens, K responses of R, h key heads, d width of a
head.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Plan:
    """Where each token stands, in the flat row and in the rectangles of attention.

    Rectangles are (G, P) and (G, K, R); what is padding in them holds another real token of its prompt or response,
    which causality or `hidden` keep from being read. The four indices are None where there is no padding.
    """

    ids: Tensor  # (T,)
    positions: Tensor  # (T,)
    G: int
    P: int
    K: int
    R: int
    prompt_tokens: int
    lasts: Tensor  # (G,) each prompt's last token; empty where no state of it is asked for
    into_prompts: Tensor | None  # (G * P,)
    from_prompts: Tensor | None  # (prompt tokens,)
    into_responses: Tensor | None  # (G * K * R,), counted from the first response token
    from_responses: Tensor | None  # (response tokens,)
    real: Tensor | None  # (G * K * R, 1) 1.0 where a response has a token
    hidden: Tensor | None  # (G, 1, 1, P) minus infinity where a prompt has no token
    causal: Tensor  # (R, R) minus infinity on what comes later


def plan(
    prompt_ids: Tensor,
    prompt_mask: Tensor,
    response_ids: Tensor,
    response_mask: Tensor,
    owner: Tensor,
    *,
    with_last_prompt_state: bool,
) -> Plan:
    """Of a `PrefixBatch`'s tensors."""
    G, P = prompt_ids.shape
    N, R = response_ids.shape
    starts, lengths = prompt_mask.sum(1), response_mask.sum(1)
    before = lengths.cumsum(0) - lengths
    ids = torch.cat([prompt_ids[prompt_mask], response_ids[response_mask]])
    columns = torch.arange(R)
    along = (starts[owner][:, None] + columns)[response_mask]
    positions = torch.cat([(prompt_mask.cumsum(1) - 1)[prompt_mask], along])
    first = starts.cumsum(0) - starts
    prompt_tokens = int(starts.sum())
    into_prompts = from_prompts = hidden = None
    if prompt_tokens < G * P:
        across = torch.arange(P)
        into_prompts = (first[:, None] + across.minimum(starts[:, None] - 1)).flatten()
        from_prompts = (torch.arange(G)[:, None] * P + across)[across < starts[:, None]]
        hidden = torch.zeros(G, 1, 1, P).masked_fill(across >= starts[:, None, None, None], -torch.inf)
    counts = torch.bincount(owner, minlength=G)
    K = int(counts.max())
    into_responses = from_responses = real = None
    if N < G * K or int(lengths.sum()) < N * R:
        place = torch.arange(N) - (counts.cumsum(0) - counts)[owner]  # of a response among its prompt's
        whose = (counts.cumsum(0) - counts)[:, None].expand(G, K).clone()  # a missing one repeats the first
        whose[owner, place] = torch.arange(N)
        at = before[whose][..., None] + columns.minimum(lengths[whose][..., None] - 1)
        into_responses = at.flatten()
        from_responses = (((owner * K + place) * R)[:, None] + columns)[response_mask]
        real = torch.zeros(G * K * R, 1)
        real[from_responses] = 1.0
    return Plan(
        ids=ids,
        positions=positions,
        G=G,
        P=P,
        K=K,
        R=R,
        prompt_tokens=prompt_tokens,
        lasts=first + starts - 1 if with_last_prompt_state else first[:0],
        into_prompts=into_prompts,
        from_prompts=from_prompts,
        into_responses=into_responses,
        from_responses=from_responses,
        real=real,
        hidden=hidden,
        causal=torch.full((R, R), -torch.inf).triu_(1),
    )


@dataclass(frozen=True)
class Shape:
    """A layer's numbers. The `last` one has queries only where a state is asked for."""

    plan: Plan
    h: int
    d: int
    epsilon: float
    last: bool

    @property
    def prompt_queries(self) -> int:
        return len(self.plan.lasts) if self.last else self.plan.prompt_tokens

    @property
    def prompt_width(self) -> int:
        return self.prompt_queries // self.plan.G if self.last else self.plan.P

    def take(self, x: Tensor) -> Tensor:
        """(T, …) -> (Q, …)."""
        return torch.cat([x[self.plan.lasts], x[self.plan.prompt_tokens :]]) if self.last else x

    def add(self, x: Tensor, part: Tensor) -> None:
        """Add the (Q, …) part to where `take` took it from."""
        if not self.last:
            x += part
            return
        count = len(self.plan.lasts)
        x[self.plan.prompt_tokens :] += part[count:]
        x.index_add_(0, self.plan.lasts, part[:count])
