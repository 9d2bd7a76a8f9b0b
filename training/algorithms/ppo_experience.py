"""Rollouts of one iteration and what is measured on them before the policy moves.

The loop that learns from them is `ppo.py`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from rewardmodel import chat, parallel, prefix
from rewardmodel.batches import by_tokens
from training.algorithms import ppo_math, sampling
from training.algorithms.decoding import SampledResponse
from training.algorithms.ppo_memory import within_memory
from training.algorithms.ppo_state import Experience, Learner, Question, refuse_nonfinite


@dataclass
class Measured:
    """Responses to some prompts, K each in their order, and what was measured on them, (n, R) each.

    `terms` (T, n) are the terms of the reward, the reward model's first.
    """

    responses: list[list[SampledResponse]]
    logprobs: Tensor
    entropy: Tensor
    values: Tensor
    reference: Tensor
    terms: Tensor


@torch.no_grad()
def collect(
    learner: Learner,
    questions: Sequence[Question],
    k: int,
    seed: int,
    check: Callable[..., None],
    clock: Clock,
) -> Experience:
    """Sample k responses for each prompt and measure, score and credit them.

    The old log-probabilities come from the same forward pass that is trained, so the first ratio is 1. Of several
    processes each takes its share of the prompts, and all end with the same whole.
    """
    # 1. Rollouts, and their numbers by the four models and the verifiers.
    check(together=True)
    mine = range(parallel.rank(), len(questions), parallel.size())
    drawn = within_memory(learner, lambda: rollouts(learner, questions, mine, k, seed, check))
    clock.add("rollouts", sum(len(response.ids) for group in drawn for response in group))
    share = within_memory(learner, lambda: measured(learner, [questions[i] for i in mine], drawn, check))
    whole = joined(parallel.gather(share), learner.device)
    answers = [response for group in whole.responses for response in group]
    lengths = torch.tensor([len(response.ids) for response in answers], device=learner.device)
    mask = torch.arange(whole.logprobs.shape[1], device=learner.device) < lengths[:, None]

    # 2. What they earn, token by token, and who is credited for it.
    config = learner.config
    ended = torch.tensor([response.finish_reason == "stop" for response in answers], device=learner.device)
    raw_scores = learner.rewards.total(whole.terms)
    scores = torch.where(ended, raw_scores.clamp(-config.score_clip, config.score_clip), config.truncated_score)
    kl = torch.where(mask, whole.logprobs - whole.reference, 0.0)
    rewards = ppo_math.token_rewards(kl, scores, mask, beta=learner.beta)
    if config.advantages == "gae":
        found = ppo_math.gae(rewards, whole.values, mask, discount=config.discount, lam=config.gae_lambda)
        advantages, returns = ppo_math.whiten(found, mask), found + whole.values
    else:
        by_prompt = {"rloo": ppo_math.rloo, "grpo": ppo_math.grpo}[config.advantages]
        advantages = torch.where(mask, by_prompt(rewards.sum(1).view(-1, k)).view(-1, 1), 0.0)
        returns = torch.zeros_like(advantages)

    # 3. Metrics, all over actions only.
    sampled = torch.zeros_like(whole.logprobs)
    sampled[mask] = torch.tensor([x for response in answers for x in response.logprobs], device=learner.device)
    measures = {
        "score": scores.mean(),
        "raw_score": raw_scores.mean(),
        "reward": rewards.sum(1).mean(),
        "kl": kl.sum(1).mean(),
        "kl_per_token": ppo_math.masked_mean(kl, mask),
        "entropy": ppo_math.masked_mean(whole.entropy, mask),
        "eos_rate": ended.float().mean(),
        "length": lengths.float().mean(),
        "sampling_gap": ppo_math.masked_mean((whole.logprobs - sampled).abs(), mask),
    }
    if learner.models.critic is not None:
        measures |= {
            "value": ppo_math.masked_mean(whole.values, mask),
            "return": ppo_math.masked_mean(returns, mask),
            "explained_variance": ppo_math.explained_variance(whole.values, returns, mask),
        }
    if len(learner.rewards.names) > 1:
        means = zip(learner.rewards.names, whole.terms.mean(1), strict=True)
        measures |= {f"reward_{name.replace('.', '_')}": mean for name, mean in means}
    numbers = dict(zip(measures, torch.stack(list(measures.values())).tolist(), strict=True))
    refuse_nonfinite(
        learner,
        {
            "log-probabilities": whole.logprobs,
            "reference log-probabilities": whole.reference,
            "values": whole.values,
            "scores": raw_scores,
        },
    )
    clock.add("measure", int(lengths.sum()))
    prompts = [question.ids for question in questions]
    responses = [[response.ids for response in group] for group in whole.responses]
    return Experience(prompts, responses, mask, whole.logprobs, whole.values, advantages, returns, numbers)


def measured(
    learner: Learner, questions: Sequence[Question], drawn: list[list[SampledResponse]], check: Callable[..., None]
) -> Measured:
    """Every number of these rollouts that comes from a model or a verifier."""
    answers = [response for group in drawn for response in group]
    R, device = max((len(response.ids) for response in answers), default=0), learner.device
    logprobs, entropy, values, reference = (torch.zeros(len(answers), R, device=device) for _ in range(4))
    of_model = torch.zeros(len(learner.rewards.of_model), len(answers), device=device)
    prompts = [question.ids for question in questions]
    responses = [[response.ids for response in group] for group in drawn]
    for batch, rows in in_step(learner, micro_batches(prompts, responses, range(len(prompts)), learner)):
        check()
        width = batch.response_ids.shape[1]
        logprobs[rows, :width], entropy[rows, :width], values[rows, :width] = learner.forward(batch)
        reference[rows, :width], of_model[:, rows] = learner.judge(batch)
    texts = [
        (question.text, chat.decode_reply(learner.tokenizer, response.ids), question.meta)
        for question, group in zip(questions, drawn, strict=True)
        for response in group
    ]
    terms = torch.cat([of_model, learner.rewards.from_verifiers(texts).to(device)])
    return Measured(drawn, logprobs, entropy, values, reference, terms)


def joined(shares: list[Measured], device: torch.device) -> Measured:
    """The shares of all processes in one, prompts in their order: process r has prompts r, r + size, …"""
    if len(shares) == 1:
        return shares[0]
    count, R = sum(len(one.responses) for one in shares), max(one.logprobs.shape[1] for one in shares)
    owner = [(rank, place) for place in range(len(shares[0].responses)) for rank in range(len(shares))][:count]
    k = len(shares[0].responses[0])

    def rows(name: str) -> Tensor:
        groups = [
            F.pad(tensor, (0, R - tensor.shape[1])).view(len(tensor) // k, k, R)
            for tensor in (getattr(one, name).to(device) for one in shares)
        ]
        return torch.cat([groups[rank][place] for rank, place in owner])

    terms = [one.terms.to(device).view(len(one.terms), one.terms.shape[1] // k, k) for one in shares]
    return Measured(
        responses=[shares[rank].responses[place] for rank, place in owner],
        logprobs=rows("logprobs"),
        entropy=rows("entropy"),
        values=rows("values"),
        reference=rows("reference"),
        terms=torch.cat([terms[rank][:, place] for rank, place in owner], 1),
    )


def rollouts(
    learner: Learner,
    questions: Sequence[Question],
    which: Sequence[int],
    k: int,
    seed: int,
    check: Callable[..., None],
) -> list[list[SampledResponse]]:
    """k responses to each of the questions numbered `which`; a number draws the same whichever process has it."""
    config = learner.config
    prompts = [questions[i].ids for i in which]
    longest = max(map(len, prompts), default=0) + config.max_new_tokens
    with learner.autocast(), learner.models.decoding() as model:
        return sampling.sample(
            model,
            prompts,
            k=k,
            max_new_tokens=config.max_new_tokens,
            temperature=config.temperature,
            stop_id=chat.stop_token_id(learner.tokenizer),
            pad_id=learner.tokenizer.pad_token_id,
            seed=seed,
            # Decoding keeps no activations: four times the tokens of a training pass fit.
            batch_size=max(k, 4 * learner.micro_batch_tokens // longest),
            indices=which,
            on_progress=lambda *_: check(),
        )


def micro_batches(
    prompts: list[list[int]], responses: list[list[list[int]]], groups: Sequence[int], learner: Learner
) -> Iterator[tuple[prefix.PrefixBatch, Tensor]]:
    """Batches of at most `micro_batch_tokens` padded tokens, and the row numbers of their responses.

    A prompt's responses stay together, and groups of like length come together; only a group that is too
    large by itself is split.
    """
    if not responses:
        return
    budget = learner.micro_batch_tokens
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


def in_step(
    learner: Learner, made: Iterator[tuple[prefix.PrefixBatch, Tensor]]
) -> Iterator[tuple[prefix.PrefixBatch, Tensor]]:
    """The batches; of models in shards as many on every process, the missing ones for no row, which adds nothing."""
    if not learner.models.sharded:
        yield from made
        return
    mine = list(made)
    filler = prefix.batch([[0]], [[[0]]], pad_id=learner.tokenizer.pad_token_id, device=learner.device)
    yield from mine
    for _ in range(max(parallel.gather(len(mine))) - len(mine)):
        yield filler, torch.zeros(0, dtype=torch.long, device=learner.device)


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
