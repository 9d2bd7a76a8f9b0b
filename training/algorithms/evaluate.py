"""One policy on held-out prompts, or two side by side with the same seeds: KL, form, and the reward model's view.

KL is of the policy to the reference, in nats a sequence, by the plain estimator k1 on the policy's own
rollouts: the mean sum of log p - log q over tokens. Intervals are bootstraps over prompts.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from contracts.configs import EvaluateConfig
from contracts.records import PromptRecord, Rollout, RolloutSetRecord
from contracts.run_dir import Cancelled, RunDir, RunSpec
from contracts.scores import ScoreRecord
from contracts.snapshots import canonical_json
from rewardmodel import chat, prefix
from rewardmodel.batches import by_tokens
from rewardmodel.statistics import Bootstrap
from training.algorithms import policy, sampling
from training.algorithms.scoring import Scorer

PASS_TOKENS = 16_384
SAMPLES_SHOWN = 16


class EvaluateError(ValueError):
    """The policies and the reward model cannot be compared."""


def run(run_dir: RunDir, config: EvaluateConfig, spec: RunSpec) -> None:
    started = time.monotonic()
    run_dir.drop_after(-1)
    run_dir.set_progress("load", 0, 0)
    model, tokenizer = policy.load_policy(run_dir.input("policy"))
    prompts, refused = sampling.encode_prompts(run_dir, tokenizer, model, config.max_prompts, spec.seed)
    sides = {"policy": _draw(run_dir, config, spec.seed, model, tokenizer, prompts, "policy")}
    report: dict[str, Any] = {"prompts": len(prompts), "refused": refused}
    made: list[ScoreRecord] = []
    if run_dir.has_input("reference"):
        reference, reference_tokenizer = policy.load_policy(run_dir.input("reference"))
        _check_tokenizers(tokenizer, reference_tokenizer)
        sides["reference"] = _draw(run_dir, config, spec.seed, reference, tokenizer, prompts, "reference")
        run_dir.set_progress("kl", 0, 0)
        report |= divergence(reference, tokenizer, list(prompts.values()), sides["policy"], config.temperature)
    if run_dir.has_input("reward_model"):
        run_dir.set_progress("score", 0, 0)
        scorer = Scorer(run_dir, tokenizer)
        sides = {name: scorer.score([ids for _, ids in prompts.values()], sets) for name, sets in sides.items()}
        made = list(scorer.made.values())
    for name, sets in sides.items():
        report[name] = form(sets)
    report["eos_rate"] = report["policy"]["eos_rate"]
    report["lengths"] = {name: report[name]["mean_length"] for name in sides}
    report |= preference(sides)
    records = [record for group in zip(*sides.values(), strict=True) for record in group]
    sampling.write_rollouts(run_dir, spec, [canonical_json(record.to_json()) for record in records], scores=made)
    for (prompt, _), group in list(zip(prompts.values(), zip(*sides.values(), strict=True), strict=True))[
        :SAMPLES_SHOWN
    ]:
        for name, record in zip(sides, group, strict=True):
            text = f"{name}: {record.rollouts[0].text}"
            run_dir.add_sample(0, prompt=prompt.messages[-1].content, text=text)
    run_dir.add_metrics(0, **{name: value for name, value in report.items() if isinstance(value, int | float)})
    run_dir.write_report({**report, "seconds": time.monotonic() - started})


def divergence(
    reference: Any,
    tokenizer: Any,
    prompts: Sequence[tuple[PromptRecord, list[int]]],
    sets: Sequence[RolloutSetRecord],
    temperature: float,
) -> dict[str, Any]:
    """Mean sequence KL, its interval, and the mean KL of a token; 0 for a policy that is its own reference."""
    responses = [[list(rollout.token_ids) for rollout in record.rollouts] for record in sets]
    ids = [prompt for _, prompt in prompts]
    sums: list[list[float]] = [[] for _ in sets]
    shapes = [(len(p), max(map(len, rs)), len(rs)) for p, rs in zip(ids, responses, strict=True)]
    for chosen in by_tokens(shapes, PASS_TOKENS):
        batch = prefix.batch(
            [ids[i] for i in chosen],
            [responses[i] for i in chosen],
            pad_id=tokenizer.pad_token_id,
            device=reference.device,
        )
        with torch.no_grad():
            totals = policy.response_logprobs(reference, batch, temperature)[0].double().sum(1).tolist()
        for i in chosen:
            own = [sum(rollout.token_logprobs) for rollout in sets[i].rollouts]
            theirs, totals = totals[: len(own)], totals[len(own) :]
            sums[i] = [p - q for p, q in zip(own, theirs, strict=True)]
    tokens = sum(len(response) for group in responses for response in group)
    total = sum(map(sum, sums))
    mean, interval = mean_interval(sums)
    return {"kl": mean, "kl_ci": interval, "kl_per_token": total / tokens}


def form(sets: Sequence[RolloutSetRecord]) -> dict[str, Any]:
    """What the responses of one policy look like, without judging what they say."""
    rollouts = [rollout for record in sets for rollout in record.rollouts]
    length, length_ci = mean_interval([[len(rollout.token_ids) for rollout in record.rollouts] for record in sets])
    return {
        **sampling.summary(rollouts),
        "mean_length": length,
        "mean_length_ci": length_ci,
        "distinct_1": distinct(rollouts, 1),
        "distinct_2": distinct(rollouts, 2),
        "distinct_3": distinct(rollouts, 3),
        "repeated_4grams": float(np.mean([repeated(rollout.token_ids, 4) for rollout in rollouts])),
    }


def distinct(rollouts: Sequence[Rollout], n: int) -> float | None:
    """Share of different n-grams of tokens among all n-grams of all responses; None where there is none."""
    grams = [gram for rollout in rollouts for gram in _grams(rollout.token_ids, n)]
    return len(set(grams)) / len(grams) if grams else None


def repeated(ids: Sequence[int], n: int) -> float:
    """Share of a response's n-grams that occurred in it before; 0 for one too short to have any."""
    grams = _grams(ids, n)
    return (len(grams) - len(set(grams))) / len(grams) if grams else 0.0


def preference(sides: dict[str, list[RolloutSetRecord]]) -> dict[str, Any]:
    """Mean scores, and how often the policy's rollout beats the reference's of the same seed; ties count half."""
    report: dict[str, Any] = {}
    scored = {name: [list(record.scores) for record in sets] for name, sets in sides.items() if sets[0].scores}
    for name, scores in scored.items():
        report[f"score_{name}"], report[f"score_{name}_ci"] = mean_interval(scores)
    if len(scored) == 2:
        wins = [
            [float(a > b) + 0.5 * float(a == b) for a, b in zip(ours, theirs, strict=True)]
            for ours, theirs in zip(scored["policy"], scored["reference"], strict=True)
        ]
        report["reward_win_rate"], report["reward_win_rate_ci"] = mean_interval(wins)
    return report


def mean_interval(groups: Sequence[Sequence[float]]) -> tuple[float, list[float] | None]:
    """Mean over all values and its 95 % bootstrap interval, resampling whole groups (prompts)."""
    values = np.array([value for group in groups for value in group], dtype=np.float64)
    cluster = np.repeat(np.arange(len(groups)), [len(group) for group in groups])
    return float(values.mean()), Bootstrap(len(groups)).interval(values, cluster)


def _draw(
    run_dir: RunDir,
    config: EvaluateConfig,
    seed: int,
    model: Any,
    tokenizer: Any,
    prompts: dict[int, tuple[PromptRecord, list[int]]],
    name: str,
) -> list[RolloutSetRecord]:
    """The same seed for every policy: rollout r of prompt i draws from the same uniform numbers."""

    def progress(done: int, total: int) -> None:
        if run_dir.cancel_requested():
            raise Cancelled
        run_dir.set_progress(f"sample {name}", done, total)

    drawn = sampling.sample(
        model,
        [ids for _, ids in prompts.values()],
        k=config.rollouts_per_prompt,
        max_new_tokens=config.max_new_tokens,
        stop_id=chat.stop_token_id(tokenizer),
        pad_id=tokenizer.pad_token_id,
        seed=seed,
        temperature=config.temperature,
        batch_size=config.batch_size,
        indices=list(prompts),
        on_progress=progress,
    )
    return [
        sampling.rollout_set(tokenizer, record.id, responses, policy=name)
        for (record, _), responses in zip(prompts.values(), drawn, strict=True)
    ]


def _check_tokenizers(tokenizer: Any, other: Any) -> None:
    if chat.tokenizer_identity(tokenizer) != chat.tokenizer_identity(other):
        raise EvaluateError(
            "policy and reference have different tokenizers, so their probabilities of a response do not compare; "
            "choose a reference from the same base"
        )


def _grams(ids: Sequence[int], n: int) -> list[tuple[int, ...]]:
    return [tuple(ids[i : i + n]) for i in range(len(ids) - n + 1)]
