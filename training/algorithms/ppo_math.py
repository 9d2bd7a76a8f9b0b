"""The formulas of PPO as pure functions; `ppo.py` is the loop that uses them.

Shapes: N rollouts, right-padded to R response tokens. A `mask` (N, R) is True on actions: the sampled
tokens, the stop token included. Sums over a micro-batch are divided by `tokens`, the action count of the
whole minibatch, so that micro-batches add up to the same loss and gradient however it is split.
Sources: PPO arXiv 1707.06347, GAE 1506.02438, adaptive KL 1909.08593, for language models 2403.17031.
Without a critic: RLOO 2402.14740, GRPO 2402.03300.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

ADAM_EPSILON = 1e-5  # arXiv 2403.17031, detail 18


class ClippedLoss(NamedTuple):
    """`loss` carries the gradient; `clipped` is the share of actions whose clip is at work."""

    loss: Tensor
    clipped: Tensor


def token_rewards(kl: Tensor, scores: Tensor, mask: Tensor, *, beta: float) -> Tensor:
    """-beta * kl on every action and the score on top of the last one, which is the stop token if there is one.

    kl (N, R) is k1 = log pi(a) - log pi_ref(a), nats, unclamped: 0 where policy and reference agree.
    scores (N,) -> rewards (N, R), 0 off the mask. A row without actions earns nothing.
    """
    rewards = torch.where(mask, -beta * kl, 0.0)
    last = (mask.sum(1, keepdim=True) - 1).clamp(min=0)
    earned = torch.where(mask.any(1), scores, 0.0).to(rewards.dtype)
    return rewards.scatter_add(1, last, earned[:, None])


def gae(rewards: Tensor, values: Tensor, mask: Tensor, *, discount: float, lam: float) -> Tensor:
    """Generalized advantage estimates (N, R), 0 off the mask; eq. 16 of arXiv 1506.02438.

    values[:, t] is V of the state before token t; the value after the last action is 0.
    lam=1 gives return - value, lam=0 the one-step error. Returns are advantages + values, before whitening.
    """
    advantages = torch.zeros_like(rewards)
    after = rewards.new_zeros(len(rewards))
    running = rewards.new_zeros(len(rewards))
    for t in range(rewards.shape[1] - 1, -1, -1):
        error = rewards[:, t] + discount * after - values[:, t]
        running = torch.where(mask[:, t], error + discount * lam * running, 0.0)
        after = torch.where(mask[:, t], values[:, t], 0.0)
        advantages[:, t] = running
    return advantages


def rloo(rewards: Tensor) -> Tensor:
    """Reward less the mean of the prompt's other responses, (G, K) -> (G, K); eq. 6 of arXiv 2402.14740.

    Sums to 0 over a prompt. 0 for K = 1.
    """
    K = rewards.shape[1]
    return (rewards - rewards.mean(1, keepdim=True)) * (K / max(K - 1, 1))


def grpo(rewards: Tensor) -> Tensor:
    """Reward less the mean of the prompt's responses, over their deviation, (G, K); section 4.1.2 of arXiv 2402.03300.

    The deviation has K - 1 below the line. Equal rewards, and K = 1, give 0.
    """
    centered = rewards - rewards.mean(1, keepdim=True)
    deviation = (centered.square().sum(1, keepdim=True) / max(rewards.shape[1] - 1, 1)).sqrt()
    return centered / (deviation + 1e-4)


def masked_mean(x: Tensor, mask: Tensor) -> Tensor:
    """Mean over the mask; 0 where nothing is masked in."""
    return masked_sum(x, mask) / mask.sum().clamp(min=1)


def masked_sum(x: Tensor, mask: Tensor) -> Tensor:
    return torch.where(mask, x, 0.0).sum()


def whiten(x: Tensor, mask: Tensor, *, zero_mean: bool = True) -> Tensor:
    """Variance 1 over the mask, and mean 0 or else the mean unchanged; 0 off the mask.

    The variance is the population's: equal entries, or a single one, become 0 (or stay their mean).
    """
    mean = masked_mean(x, mask)
    variance = masked_mean((x - mean).square(), mask)
    white = (x - mean) * (variance + 1e-8).rsqrt()
    return torch.where(mask, white if zero_mean else white + mean, 0.0)


def policy_loss(
    logprobs: Tensor, old_logprobs: Tensor, advantages: Tensor, mask: Tensor, *, clip: float, tokens: float
) -> ClippedLoss:
    """The pessimistic surrogate, eq. 7 of arXiv 1707.06347, negated: sum over the mask / `tokens`.

    On the first minibatch of an iteration the ratio is 1 and nothing is clipped.
    """
    ratio = torch.where(mask, logprobs - old_logprobs, 0.0).exp()
    loss = torch.maximum(-advantages * ratio, -advantages * ratio.clamp(1 - clip, 1 + clip))
    outside = (ratio.detach() - 1).abs() > clip
    return ClippedLoss(masked_sum(loss, mask) / tokens, (outside & mask).sum() / tokens)


def value_loss(
    values: Tensor, old_values: Tensor, returns: Tensor, mask: Tensor, *, clip: float, tokens: float
) -> ClippedLoss:
    """1/2 max((v - R)^2, (clip(v, v_old +- clip) - R)^2): sum over the mask / `tokens`."""
    near = old_values + (values - old_values).clamp(-clip, clip)
    free, held = (values - returns).square(), (near - returns).square()
    return ClippedLoss(
        0.5 * masked_sum(torch.maximum(free, held), mask) / tokens, ((held > free).detach() & mask).sum() / tokens
    )


def approximate_kl(logprobs: Tensor, old_logprobs: Tensor, mask: Tensor, *, tokens: float) -> Tensor:
    """k3 estimate of KL(old || new), nats a token, never negative: sum over the mask / `tokens`."""
    log_ratio = torch.where(mask, logprobs - old_logprobs, 0.0)
    return (log_ratio.expm1() - log_ratio).sum() / tokens


def adapt_beta(beta: float, kl: float, *, target: float, horizon: float, rollouts: int) -> float:
    """The next beta after `rollouts` whose mean sequence KL was `kl`, nats; section 2.2 of arXiv 1909.08593.

    Proportional control with the error clipped to +-0.2. A beta of 0 stays 0.
    """
    error = min(max(kl / target - 1, -0.2), 0.2)
    return beta * (1 + error * rollouts / horizon)


def explained_variance(values: Tensor, returns: Tensor, mask: Tensor) -> Tensor:
    """1 - Var(R - V) / Var(R) over the mask: 1 is perfect, 0 as good as a constant; 0 for constant returns."""
    unexplained = _variance(returns - values, mask)
    total = _variance(returns, mask)
    return torch.where(total > 1e-12, 1 - unexplained / total.clamp(min=1e-12), 0.0)


def _variance(x: Tensor, mask: Tensor) -> Tensor:
    return masked_mean((x - masked_mean(x, mask)).square(), mask)
