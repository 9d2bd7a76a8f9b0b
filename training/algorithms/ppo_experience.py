"""Rollouts of one iteration and what is measured on them before the policy moves.

The loop that learns from them is `ppo.py`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from rewardmodel import chat, prefix
from rewardmodel.batches import by_tokens
from training.algorithms import ppo_math, sampling
from training.algorithms.decoding import SampledResponse
from training.algorithms.ppo_state import Experience, Learner, refuse_nonfinite


@torch.no_grad()
def collect(
    learner: Learner,
    prompts: list[list[int]],
    k: int,
    seed: int,
    check: Callable[[], None],
    clock: Clock,
) -> Experience:
    """Sample k responses for each prompt and measure, score and credit them.

    The old log-probabilities come from the same forward pass that is trained, so the first ratio is 1.
    """
    config, device = learner.config, learner.device
    drawn = [response for group in rollouts(learner, prompts, k, seed, check) for response in group]
    lengths = torch.tensor([len(response.ids) for response in drawn], device=device)
    mask = torch.arange(int(lengths.max()), device=device) < lengths[:, None]
    responses = [[response.ids for response in drawn[g * k : (g + 1) * k]] for g in range(len(prompts))]
    clock.add("rollouts", int(lengths.sum()))

    logprobs, entropy, values, reference = (torch.zeros(mask.shape, device=device) for _ in range(4))
    raw_scores = torch.zeros(len(drawn), device=device)
    for batch, rows in micro_batches(prompts, responses, range(len(prompts)), learner):
        check()
        R = batch.response_ids.shape[1]
        logprobs[rows, :R], entropy[rows, :R], values[rows, :R] = learner.forward(batch)
        reference[rows, :R], raw_scores[rows] = learner.judge(batch)

    ended = torch.tensor([response.finish_reason == "stop" for response in drawn], device=device)
    scores = torch.where(ended, raw_scores.clamp(-config.score_clip, config.score_clip), config.truncated_score)
    kl = torch.where(mask, logprobs - reference, 0.0)
    rewards = ppo_math.token_rewards(kl, scores, mask, beta=learner.beta)
    advantages = ppo_math.gae(rewards, values, mask, discount=config.discount, lam=config.gae_lambda)
    returns = advantages + values
    sampled = torch.zeros_like(logprobs)
    sampled[mask] = torch.tensor([x for response in drawn for x in response.logprobs], device=device)
    measures = {
        "score": scores.mean(),
        "raw_score": raw_scores.mean(),
        "reward": rewards.sum(1).mean(),
        "kl": kl.sum(1).mean(),
        "kl_per_token": ppo_math.masked_mean(kl, mask),
        "entropy": ppo_math.masked_mean(entropy, mask),
        "eos_rate": ended.float().mean(),
        "length": lengths.float().mean(),
        "value": ppo_math.masked_mean(values, mask),
        "return": ppo_math.masked_mean(returns, mask),
        "explained_variance": ppo_math.explained_variance(values, returns, mask),
        "sampling_gap": ppo_math.masked_mean((logprobs - sampled).abs(), mask),
    }
    numbers = dict(zip(measures, torch.stack(list(measures.values())).tolist(), strict=True))
    refuse_nonfinite(
        learner,
        {"log-probabilities": logprobs, "reference log-probabilities": reference, "values": values, "scores": scores},
    )
    clock.add("measure", int(lengths.sum()))
    return Experience(prompts, responses, mask, logprobs, values, ppo_math.whiten(advantages, mask), returns, numbers)


def rollouts(
    learner: Learner, prompts: list[list[int]], k: int, seed: int, check: Callable[[], None]
) -> list[list[SampledResponse]]:
    config = learner.config
    longest = max(map(len, prompts)) + config.max_new_tokens
    with learner.autocast():
        return sampling.sample(
            learner.policy,
            prompts,
            k=k,
            max_new_tokens=config.max_new_tokens,
            temperature=config.temperature,
            stop_id=chat.stop_token_id(learner.tokenizer),
            pad_id=learner.tokenizer.pad_token_id,
            seed=seed,
            # Decoding keeps no activations: four times the tokens of a training pass fit.
            batch_size=max(k, 4 * config.micro_batch_tokens // longest),
            on_progress=lambda *_: check(),
        )


def micro_batches(
    prompts: list[list[int]], responses: list[list[list[int]]], groups: Sequence[int], learner: Learner
) -> Iterator[tuple[prefix.PrefixBatch, Tensor]]:
    """Batches of at most `micro_batch_tokens` padded tokens, and the row numbers of their responses.

    A prompt's responses stay together, and groups of like length come together; only a group that is too
    large by itself is split.
    """
    budget = learner.config.micro_batch_tokens
    k = len(responses[0])
    pieces: list[tuple[int, range]] = []
    for g in groups:
        fit = max(1, (budget - len(prompts[g])) // max(map(len, responses[g])))
        pieces += [(g, range(i, min(i + fit, k))) for i in range(0, k, fit)]
    shapes = [(len(prompts[g]), max(len(responses[g][i]) for i in part), len(part)) for g, part in pieces]
    for chosen in by_tokens(shapes, budget):
        batch = prefix.batch(
            [prompts[pieces[c][0]] for c in chosen],
            [[responses[pieces[c][0]][i] for i in pieces[c][1]] for c in chosen],
            pad_id=learner.tokenizer.pad_token_id,
            device=learner.device,
        )
        rows = [pieces[c][0] * k + i for c in chosen for i in pieces[c][1]]
        yield batch, torch.tensor(rows, device=learner.device)


class Clock:
    """Seconds and tokens by phase. Each phase ends with a number read from the device, so the time is real."""

    def __init__(self) -> None:
        self.last = time.perf_counter()
        self.phases: dict[str, tuple[float, float]] = {}

    def add(self, phase: str, tokens: float) -> None:
        now = time.perf_counter()
        self.phases[phase] = (now - self.last, tokens)
        self.last = now

    def numbers(self) -> dict[str, float]:
        found = {f"seconds_{phase}": seconds for phase, (seconds, _) in self.phases.items()}
        return found | {f"tokens_per_s_{phase}": tokens / seconds for phase, (seconds, tokens) in self.phases.items()}
