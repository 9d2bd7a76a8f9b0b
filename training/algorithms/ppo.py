"""Proximal policy optimization of a language model against a reward model or verifiers.

One iteration: K rollouts for each of G prompts; score them and measure how far the policy has moved from the
reference; advantages; a few epochs of clipped updates. The formulas are in `ppo_math.py`, what is carried
from one iteration to the next in `ppo_state.py`, who computes with which weights in `ppo_models.py`. The
prompt is encoded once in every pass.
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
from torch.distributed.tensor import DTensor

from contracts import snapshots
from contracts.configs import PpoConfig
from contracts.records import PromptRecord
from contracts.run_dir import Cancelled, RunDir, RunSpec
from rewardmodel import chat, parallel
from rewardmodel.model import context_of
from training.algorithms import ppo_deepspeed, ppo_math, ppo_shards, states
from training.algorithms.ppo_experience import Clock, collect, in_step, micro_batches
from training.algorithms.ppo_memory import within_memory
from training.algorithms.ppo_state import (
    Experience,
    Learner,
    PpoError,
    Question,
    generator,
    refuse_nonfinite,
    seed_of,
)

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
    """Train `policy` on `prompts` against its rewards, or go on from the newest state.

    Several processes share each iteration's prompts and each minibatch's; their steps are those of one.
    """
    with parallel.group(shards=True):
        ppo_deepspeed.check(config, parallel.size())
        train(run_dir if parallel.rank() == 0 else states.Follower(run_dir.path), config, spec)


def train(run_dir: RunDir, config: PpoConfig, spec: RunSpec) -> None:
    started = time.monotonic()

    # 1. Four models: the policy and its critic learn; the reference and the reward model never change.
    run_dir.set_progress("load", 0, config.updates)
    learner = Learner(run_dir, config)
    check = stopper(run_dir, learner)
    questions, left_out = read_questions(run_dir, learner)
    resumed = learner.restore(run_dir)
    run_dir.drop_after(learner.update if resumed else -1)
    log.info(
        "%d of %d iterations done; %d prompts, left out: %s", learner.update, config.updates, len(questions), left_out
    )
    fixed = questions[:FIXED_PROMPTS]
    try:
        # 2. Where the policy stands before its first update.
        if "start" not in learner.measured:
            learner.measured["start"] = measure(learner, fixed, spec.seed, check)
            run_dir.add_metrics(0, **learner.measured["start"])
        for update in range(learner.update + 1, config.updates + 1):
            clock = Clock()
            chosen = [
                questions[i] for i in prompt_numbers(len(questions), config.prompts_per_update, update, spec.seed)
            ]

            # 3. Rollouts, and all that is measured on them before the policy moves.
            if learner.experience is None:
                seed = seed_of(spec.seed, "rollouts", update)
                learner.experience = collect(learner, chosen, config.rollouts_per_prompt, seed, check, clock)

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
            show(run_dir, learner, chosen)
            learner.finish_update(numbers["kl"])
            if saves:
                learner.save(run_dir)
            text = f"score {numbers['score']:.2f}, KL {numbers['kl']:.2f} nats"
            run_dir.set_progress("ppo", update, config.updates, text)
    except Cancelled:
        learner.save(run_dir)
        raise

    # 6. The policy, as a plain model directory.
    weights = learner.models.whole_weights()
    if parallel.rank() == 0:
        with run_dir.saving_output(**states.provenance(spec, "policy")) as folder:
            learner.models.save_policy(run_dir, folder, weights)
    run_dir.write_report(report(learner, run_dir, len(questions), left_out, time.monotonic() - started))
    parallel.wait()


def stopper(run_dir: RunDir, learner: Learner) -> Callable[..., None]:
    """A check that raises `Cancelled` where somebody asked for it.

    Several processes stop at the same place: where they check `together`, and the first one decides.
    """

    def check(*, together: bool = False) -> None:
        if together or parallel.size() == 1:
            asked = parallel.rank() == 0 and run_dir.cancel_requested()
            if parallel.first_decides(asked, learner.device):
                raise Cancelled

    return check


def read_questions(run_dir: RunDir, learner: Learner) -> tuple[list[Question], dict[str, int]]:
    """The training prompts that leave room for a response and that can be rewarded; others are counted."""
    records = list(snapshots.read(Path(run_dir.input("prompts")), PromptRecord))
    train = [record for record in records if record.split == "train"]
    trunks = [learner.policy, *([learner.models.reward_model.trunk] if learner.models.reward_model else [])]
    room = min(context_of(trunk) or sys.maxsize for trunk in trunks) - learner.config.max_new_tokens
    encoded = [
        Question(chat.encode_prompt(learner.tokenizer, one.messages), one.messages[-1].content, one.meta)
        for one in train
    ]
    fitting = [question for question in encoded if len(question.ids) <= room]
    problems = [learner.rewards.problem(question.meta) for question in fitting]
    kept = [question for question, problem in zip(fitting, problems, strict=True) if not problem]
    left_out = {"heldout": len(records) - len(train), "too_long": len(train) - len(fitting)}
    if learner.rewards.verifiers:
        left_out["unverifiable"] = len(fitting) - len(kept)
    if not kept:
        reasons = f", or {next(filter(None, problems))}" if any(problems) else ""
        raise PpoError(
            f"none of the {len(records)} prompts can be trained on (left out: {left_out}); choose training prompts "
            f"of at most {room} tokens{reasons}"
        )
    return kept, left_out


def prompt_numbers(available: int, count: int, update: int, seed: int) -> list[int]:
    """The prompts of an iteration: the next `count` of an endless row of permutations."""
    first = (update - 1) * count
    return [
        int(torch.randperm(available, generator=generator(seed, "prompts", lap))[place])
        for lap, place in (divmod(position, available) for position in range(first, first + count))
    ]


def improve(learner: Learner, seed: int, check: Callable[..., None]) -> None:
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


def step(learner: Learner, experience: Experience, groups: Sequence[int], check: Callable[..., None]) -> list[float]:
    """One optimizer step on a minibatch of whole prompts, unless the policy has moved too far; its `STEP_NUMBERS`."""
    check(together=True)
    totals = within_memory(learner, lambda: accumulate(learner, experience, groups, check))
    gradients = {
        name: {key: weight.grad for key, weight in weights.items() if weight.grad is not None}
        for name, weights in learner.learning.items()
    }
    norms = [
        ppo_shards.total_norm(learner.learning[name].values()) if gradients.get(name) else torch.zeros(())
        for name in ("policy", "critic")
    ]
    numbers = torch.stack([*totals, *(norm.to(totals[0]) for norm in norms)]).tolist()
    if not all(map(math.isfinite, numbers)):
        refuse_nonfinite(learner, dict(zip(STEP_NUMBERS, totals, strict=False)))
        for name, found in gradients.items():
            refuse_nonfinite(learner, {f"the {name}'s gradient of {key}": gradient for key, gradient in found.items()})
    within_limit = numbers[APPROX_KL] <= learner.config.approx_kl_limit
    for (name, optimizer), norm in zip(learner.optimizers.items(), norms, strict=False):
        if within_limit and gradients[name]:
            ppo_shards.clip(learner.learning[name].values(), learner.config.gradient_clip, norm)
            optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return numbers


def accumulate(
    learner: Learner, experience: Experience, groups: Sequence[int], check: Callable[..., None]
) -> list[Tensor]:
    """Gradients of a minibatch, and the first five of its `STEP_NUMBERS`, however it is cut into micro-batches.

    Of several processes each takes its share of the prompts; gradients and numbers are then summed over them.
    """
    config, passes = learner.config, learner.passes()
    value_weight = config.value_coefficient if learner.models.critic_reads_policy else 1.0
    k = len(experience.responses[0])
    tokens = experience.mask[[g * k + i for g in groups for i in range(k)]].sum()
    totals = {name: torch.zeros((), device=learner.device) for name in STEP_NUMBERS[:5]}
    mine = groups[parallel.rank() :: parallel.size()]
    with learner.models.recomputing():
        made = micro_batches(experience.prompts, experience.responses, mine, learner)
        for batch, rows in in_step(learner, made):
            check()
            mask, R = batch.response_mask, batch.response_ids.shape[1]
            old, advantages = experience.logprobs[rows, :R], experience.advantages[rows, :R]
            old_values, returns = experience.values[rows, :R], experience.returns[rows, :R]
            for wanted in passes:
                logprobs, _, values = learner.forward(batch, wanted, with_entropy=False)
                loss = torch.zeros((), device=learner.device)
                if "policy" in wanted:
                    found = ppo_math.policy_loss(logprobs, old, advantages, mask, clip=config.ratio_clip, tokens=tokens)
                    loss = loss + found.loss
                    totals["policy_loss"] += found.loss.detach()
                    totals["policy_clip_fraction"] += found.clipped
                    totals["approx_kl"] += ppo_math.approximate_kl(logprobs.detach(), old, mask, tokens=tokens)
                if "critic" in wanted:
                    found = ppo_math.value_loss(
                        values, old_values, returns, mask, clip=config.value_clip, tokens=tokens
                    )
                    loss = loss + value_weight * found.loss
                    totals["value_loss"] += found.loss.detach()
                    totals["value_clip_fraction"] += found.clipped
                loss.backward()
    if parallel.size() > 1:
        names = [name for name in learner.learning if any(name in wanted for wanted in passes)]
        trained = [weight for name in names for weight in learner.learning[name].values()]
        for weight in trained:
            weight.grad = torch.zeros_like(weight) if weight.grad is None else weight.grad
        # Gradients in shards are sums already.
        gradients = [weight.grad for weight in trained if not isinstance(weight, DTensor)]
        parallel.add_up([*gradients, *totals.values()])
    return list(totals.values())


def measure(learner: Learner, questions: Sequence[Question], seed: int, check: Callable[..., None]) -> dict[str, float]:
    """One rollout for each of the fixed prompts, with the same seeds whenever this is called."""
    found = collect(learner, questions, 1, seed_of(seed, "fixed"), check, Clock()).measures
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


def show(run_dir: RunDir, learner: Learner, questions: Sequence[Question]) -> None:
    assert learner.experience is not None
    for question, answers in list(zip(questions, learner.experience.responses, strict=True))[:SAMPLES_SHOWN]:
        run_dir.add_sample(
            learner.update + 1, prompt=question.text, text=chat.decode_reply(learner.tokenizer, answers[0])
        )


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
