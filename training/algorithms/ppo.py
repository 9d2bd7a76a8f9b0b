"""Proximal policy optimization of a language model against a reward model.

One iteration: K rollouts for each of G prompts; score them and measure how far the policy has moved from the
reference; advantages; a few epochs of clipped updates. The formulas are in `ppo_math.py`, what is carried
from one iteration to the next in `ppo_state.py`. The prompt is encoded once in every pass.
"""

from __future__ import annotations

import logging
import math
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from contracts import snapshots
from contracts.configs import PpoConfig
from contracts.records import PromptRecord
from contracts.run_dir import Cancelled, RunDir, RunSpec
from rewardmodel import chat
from rewardmodel.model import context_of
from training.algorithms import policy, ppo_math, states
from training.algorithms.ppo_experience import Clock, collect, micro_batches
from training.algorithms.ppo_state import Experience, Learner, PpoError, generator, refuse_nonfinite, seed_of

FIXED_PROMPTS = 64  # the first ones of the snapshot, sampled with the same seeds each time
SAMPLES_SHOWN = 3
# What one optimizer step reports, in this order.
STEP_NUMBERS = (
    "policy_loss",
    "value_loss",
    "approx_kl",
    "policy_clip_fraction",
    "value_clip_fraction",
    "policy_gradient_norm",
    "critic_gradient_norm",
)
APPROX_KL = STEP_NUMBERS.index("approx_kl")
log = logging.getLogger(__name__)


def run(run_dir: RunDir, config: PpoConfig, spec: RunSpec) -> None:
    """Train `policy` on `prompts` against `reward_model`, or go on from the newest state."""
    started = time.monotonic()

    def check() -> None:
        if run_dir.cancel_requested():
            raise Cancelled

    # 1. Four models: the policy and its critic learn; the reference and the reward model never change.
    run_dir.set_progress("load", 0, config.updates)
    learner = Learner(run_dir, config)
    prompts, left_out = read_prompts(run_dir, learner)
    resumed = learner.restore(run_dir)
    run_dir.drop_after(learner.update if resumed else -1)
    log.info(
        "%d of %d iterations done; %d prompts, left out: %s", learner.update, config.updates, len(prompts), left_out
    )
    fixed = [ids for ids, _ in prompts[:FIXED_PROMPTS]]
    try:
        # 2. Where the policy stands before its first update.
        if "start" not in learner.measured:
            learner.measured["start"] = measure(learner, fixed, spec.seed, check)
            run_dir.add_metrics(0, **learner.measured["start"])
        for update in range(learner.update + 1, config.updates + 1):
            clock = Clock()
            chosen = [prompts[i] for i in prompt_numbers(len(prompts), config.prompts_per_update, update, spec.seed)]

            # 3. Rollouts, and all that is measured on them before the policy moves.
            if learner.experience is None:
                seed = seed_of(spec.seed, "rollouts", update)
                learner.experience = collect(
                    learner, [ids for ids, _ in chosen], config.rollouts_per_prompt, seed, check, clock
                )

            # 4. Epochs of clipped updates.
            left = learner.set_learning_rates()
            improve(learner, spec.seed, check)
            clock.add("update", int(learner.experience.mask.sum()) * config.epochs)

            # 5. Numbers and samples, beta for the next iteration, and now and then a state to resume from.
            saves = update % config.save_every == 0 or update == config.updates
            numbers = summarize(learner, left) | clock.numbers()
            if saves:
                learner.measured["end"] = measure(learner, fixed, spec.seed, check)
                numbers |= learner.measured["end"]
            run_dir.add_metrics(update, **numbers)
            show(run_dir, learner, [text for _, text in chosen])
            learner.finish_update(numbers["kl"])
            if saves:
                learner.save(run_dir)
            text = f"score {numbers['score']:.2f}, KL {numbers['kl']:.2f} nats"
            run_dir.set_progress("ppo", update, config.updates, text)
    except Cancelled:
        learner.save(run_dir)
        raise

    # 6. The policy, as a plain model directory.
    with run_dir.saving_output(**states.provenance(spec, "policy")) as folder:
        policy.save_policy(learner.policy, learner.tokenizer, folder)
    run_dir.write_report(report(learner, run_dir, len(prompts), left_out, time.monotonic() - started))


def read_prompts(run_dir: RunDir, learner: Learner) -> tuple[list[tuple[list[int], str]], dict[str, int]]:
    """Ids and last message of each training prompt that leaves room for a response; others are counted."""
    records = list(snapshots.read(Path(run_dir.input("prompts")), PromptRecord))
    train = [record for record in records if record.split == "train"]
    contexts = [context_of(model) for model in (learner.policy, learner.reward_model.trunk)]
    room = min(context or sys.maxsize for context in contexts) - learner.config.max_new_tokens
    encoded = [(chat.encode_prompt(learner.tokenizer, one.messages), one.messages[-1].content) for one in train]
    fitting = [pair for pair in encoded if len(pair[0]) <= room]
    left_out = {"heldout": len(records) - len(train), "too_long": len(train) - len(fitting)}
    if not fitting:
        raise PpoError(
            f"none of the {len(records)} prompts can be trained on (held out or too long: {left_out}); "
            f"choose training prompts of at most {room} tokens"
        )
    return fitting, left_out


def prompt_numbers(available: int, count: int, update: int, seed: int) -> list[int]:
    """The prompts of an iteration: the next `count` of an endless row of permutations."""
    first = (update - 1) * count
    return [
        int(torch.randperm(available, generator=generator(seed, "prompts", lap))[place])
        for lap, place in (divmod(position, available) for position in range(first, first + count))
    ]


def improve(learner: Learner, seed: int, check: Callable[[], None]) -> None:
    """epochs x minibatches optimizer steps on `learner.experience`, fewer where the policy moves too far.

    Each epoch goes through the prompts in a fresh order.
    """
    config, experience = learner.config, learner.experience
    assert experience is not None
    update = learner.update + 1
    done = 0
    if beyond_limit(learner):
        return
    for epoch in range(config.epochs):
        order = torch.randperm(len(experience.prompts), generator=generator(seed, "epoch", update, epoch))
        for groups in order.tensor_split(config.minibatches):
            done += 1
            if done <= len(learner.steps):
                continue  # taken before a cancelled attempt ended
            learner.steps.append(step(learner, experience, groups.tolist(), check))
            if beyond_limit(learner):
                return
    assert len(learner.steps) == config.epochs * config.minibatches


def beyond_limit(learner: Learner) -> bool:
    """Whether the newest minibatch found the policy too far from the old one, so that its step was not taken."""
    return bool(learner.steps) and learner.steps[-1][APPROX_KL] > learner.config.approx_kl_limit


def step(learner: Learner, experience: Experience, groups: Sequence[int], check: Callable[[], None]) -> list[float]:
    """One optimizer step on a minibatch of whole prompts, unless the policy has moved too far; its `STEP_NUMBERS`."""
    totals = accumulate(learner, experience, groups, check)
    gradients = {
        name: {key: weight.grad for key, weight in model.named_parameters() if weight.grad is not None}
        for name, model in learner.learning.items()
    }
    norms = {name: get_total_norm(list(found.values())) for name, found in gradients.items()}
    numbers = torch.stack([*totals, *norms.values()]).tolist()
    if not all(map(math.isfinite, numbers)):
        refuse_nonfinite(learner, dict(zip(STEP_NUMBERS, totals, strict=False)))
        for name, found in gradients.items():
            refuse_nonfinite(learner, {f"the {name}'s gradient of {key}": gradient for key, gradient in found.items()})
    within_limit = numbers[APPROX_KL] <= learner.config.approx_kl_limit
    for name, optimizer in learner.optimizers.items():
        if within_limit and gradients[name]:
            clip_grads_with_norm_(learner.learning[name].parameters(), learner.config.gradient_clip, norms[name])
            optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return numbers


def accumulate(
    learner: Learner, experience: Experience, groups: Sequence[int], check: Callable[[], None]
) -> list[Tensor]:
    """Gradients of a minibatch, and the first five of its `STEP_NUMBERS`, however it is cut into micro-batches."""
    config = learner.config
    learns_policy = learner.update >= config.critic_warmup_updates
    value_weight = config.value_coefficient if config.critic == "shared" else 1.0
    k = len(experience.responses[0])
    tokens = experience.mask[[g * k + i for g in groups for i in range(k)]].sum()
    totals = torch.zeros(5, device=learner.device)
    for batch, rows in micro_batches(experience.prompts, experience.responses, groups, learner):
        check()
        mask, R = batch.response_mask, batch.response_ids.shape[1]
        old, advantages = experience.logprobs[rows, :R], experience.advantages[rows, :R]
        old_values, returns = experience.values[rows, :R], experience.returns[rows, :R]
        logprobs, _, values = learner.forward(batch, with_policy=learns_policy)
        if not learns_policy:
            logprobs = old
        policy_loss = ppo_math.policy_loss(logprobs, old, advantages, mask, clip=config.ratio_clip, tokens=tokens)
        value_loss = ppo_math.value_loss(values, old_values, returns, mask, clip=config.value_clip, tokens=tokens)
        (policy_loss.loss + value_weight * value_loss.loss).backward()
        moved = ppo_math.approximate_kl(logprobs.detach(), old, mask, tokens=tokens)
        numbers = policy_loss.loss, value_loss.loss, moved, policy_loss.clipped, value_loss.clipped
        totals += torch.stack([number.detach() for number in numbers])
    return list(totals)


def measure(learner: Learner, prompts: list[list[int]], seed: int, check: Callable[[], None]) -> dict[str, float]:
    """One rollout for each of the fixed prompts, with the same seeds whenever this is called."""
    found = collect(learner, prompts, 1, seed_of(seed, "fixed"), check, Clock()).measures
    return {f"fixed_{name}": found[name] for name in ("score", "kl", "entropy", "length", "eos_rate")}


def summarize(learner: Learner, learning_rate_left: float) -> dict[str, float]:
    """The metrics of the iteration: its rollouts', and the mean over its optimizer steps."""
    assert learner.experience is not None
    numbers = dict(learner.experience.measures)
    columns = zip(*learner.steps, strict=True)
    numbers |= {name: sum(column) / len(column) for name, column in zip(STEP_NUMBERS, columns, strict=True)}
    numbers["steps"] = len(learner.steps)
    numbers["beta"] = learner.beta
    numbers["learning_rate"] = learner.config.learning_rate * learning_rate_left
    return numbers


def show(run_dir: RunDir, learner: Learner, texts: Sequence[str]) -> None:
    assert learner.experience is not None
    for text, answers in list(zip(texts, learner.experience.responses, strict=True))[:SAMPLES_SHOWN]:
        run_dir.add_sample(learner.update + 1, prompt=text, text=chat.decode_reply(learner.tokenizer, answers[0]))


def report(
    learner: Learner, run_dir: RunDir, prompts: int, left_out: dict[str, int], seconds: float
) -> dict[str, object]:
    """What a person should know; scores and KL are those of the fixed prompts, at the start and at the end."""
    start, end = learner.measured["start"], learner.measured["end"]
    rows, _ = run_dir.tail("metrics.jsonl", limit=-1)
    return {
        "updates": learner.update,
        "prompts": prompts,
        "left_out": left_out,
        "rollouts": learner.update * learner.config.prompts_per_update * learner.config.rollouts_per_prompt,
        "score_start": start["fixed_score"],
        "score_end": end["fixed_score"],
        "kl": end["fixed_kl"],
        "entropy": end["fixed_entropy"],
        "length": end["fixed_length"],
        "eos_rate": end["fixed_eos_rate"],
        "beta": learner.beta,
        "last_update": rows[-1]["values"] if rows else {},
        "seconds": seconds,
    }
