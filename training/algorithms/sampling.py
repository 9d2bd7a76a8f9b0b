"""Rollouts: K sampled responses per prompt, and the kind of run that draws them.

Each prompt is encoded once, finished rows leave the batch, and a row's randomness is its own: its uniform
numbers come from its seed alone, so its response does not depend on which rows are beside it (up to the
rounding of matrix products). Tokens are drawn by inverting the exact distribution at the temperature.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from contracts import snapshots
from contracts.configs import SampleConfig
from contracts.records import PromptRecord, Rollout, RolloutSetRecord
from contracts.run_dir import Cancelled, RunDir, RunSpec
from contracts.scores import MADE, ScoreRecord
from contracts.snapshots import canonical_json
from rewardmodel import chat
from training.algorithms import decoding, policy, scoring, states
from training.algorithms.decoding import Row, SampledResponse, decode, row_seed
from training.algorithms.server_engine import ServerEngine

SAMPLES_SHOWN = 2  # prompts of each call
CALL_ROWS = 4  # times batch_size: rows drawn between two resumable states
log = logging.getLogger(__name__)


class SamplingError(ValueError):
    """A prompt cannot be sampled for."""


def sample(
    model: Any,
    prompts: Sequence[Sequence[int]],
    *,
    k: int,
    max_new_tokens: int,
    stop_id: int,
    pad_id: int,
    seed: int,
    temperature: float = 1.0,
    batch_size: int = 64,
    indices: Sequence[int] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[list[SampledResponse]]:
    """Draw k responses for each prompt, in the order of the prompts.

    `indices` number the prompts for their seeds (0, 1, … by default), so that a part of a list draws what
    the whole would. `batch_size` rows are decoded side by side. A response ends after the stop token, at
    `max_new_tokens` or at the end of the model's context. `on_progress` gets rollouts done and in all.
    """
    numbers = range(len(prompts)) if indices is None else indices
    context = context_length(model)
    for ids in prompts:
        if not 0 < len(ids) < context:
            raise SamplingError(
                f"a prompt has {len(ids)} tokens and the model's context {context}; leave room for a response"
            )
    rows = [
        Row(prompt=i, seed=row_seed(seed, numbers[i], rollout), limit=min(max_new_tokens, context - len(prompts[i])))
        for i in sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
        for rollout in range(k)
    ]
    results: list[list[SampledResponse]] = [[] for _ in prompts]
    if rows:
        drawn = decode(
            model,
            prompts,
            rows,
            slots=batch_size,
            stop_id=stop_id,
            pad_id=pad_id,
            temperature=temperature,
            on_finished=lambda done: on_progress(done, len(rows)) if on_progress else None,
        )
        for row, response in zip(rows, drawn, strict=True):
            results[row.prompt].append(response)
    return results


def stream(
    model: Any,
    prompt: Sequence[int],
    *,
    max_new_tokens: int,
    stop_id: int,
    pad_id: int,
    seed: int,
    temperature: float = 1.0,
) -> Iterator[tuple[int, float, Any]]:
    """The tokens of `sample(model, [prompt], k=1, seed=seed)`, each as it is drawn: id, log-probability, and the
    log-probabilities of the whole vocabulary that it was drawn from."""
    context = context_length(model)
    if not 0 < len(prompt) < context:
        raise SamplingError(f"the conversation has {len(prompt)} tokens and the model's context {context}; shorten it")
    row = Row(prompt=0, seed=row_seed(seed, 0, 0), limit=min(max_new_tokens, context - len(prompt)))
    return decoding.stream(model, prompt, row, stop_id=stop_id, pad_id=pad_id, temperature=temperature)


def context_length(model: Any) -> int:
    """Most tokens that the model's positions reach."""
    return int(getattr(model.config, "max_position_embeddings", None) or 1 << 30)


class Engine(Protocol):
    """Where rollouts come from: a policy here, or a server (`server_engine.py`)."""

    def encode(self, records: Sequence[PromptRecord]) -> tuple[list[list[int]], list[int]]:
        """Ids of each prompt, empty where the engine has none, and the numbers of those that it can take."""

    def draw(
        self, numbered: Sequence[tuple[int, PromptRecord, list[int]]], seed: int, check: Callable[..., None]
    ) -> list[RolloutSetRecord]:
        """K rollouts for each (number, prompt, ids). `check` is called often and may raise."""


class PolicyEngine:
    """Draws from a checkpoint in this process."""

    def __init__(self, run_dir: RunDir, config: SampleConfig) -> None:
        self.config = config
        self.model, self.tokenizer = policy.load_policy(run_dir.input("policy"))

    def encode(self, records: Sequence[PromptRecord]) -> tuple[list[list[int]], list[int]]:
        encoded = [chat.encode_prompt(self.tokenizer, record.messages) for record in records]
        limit = context_length(self.model)
        fitting = [i for i, ids in enumerate(encoded) if len(ids) < limit]
        if not fitting:
            raise SamplingError(
                f"none of the {len(encoded)} prompts leaves room in the model's context of {limit} tokens; "
                "choose a snapshot with prompts that do"
            )
        return encoded, fitting

    def draw(
        self, numbered: Sequence[tuple[int, PromptRecord, list[int]]], seed: int, check: Callable[..., None]
    ) -> list[RolloutSetRecord]:
        config = self.config
        drawn = sample(
            self.model,
            [ids for _, _, ids in numbered],
            k=config.rollouts_per_prompt,
            max_new_tokens=config.max_new_tokens,
            stop_id=chat.stop_token_id(self.tokenizer),
            pad_id=self.tokenizer.pad_token_id,
            seed=seed,
            temperature=config.temperature,
            batch_size=config.batch_size,
            indices=[number for number, _, _ in numbered],
            on_progress=check,
        )
        return [
            rollout_set(self.tokenizer, record.id, row) for (_, record, _), row in zip(numbered, drawn, strict=True)
        ]


def run(run_dir: RunDir, config: SampleConfig, spec: RunSpec) -> None:
    started = time.monotonic()
    run_dir.set_progress("load", 0, 0)
    engine: Engine = ServerEngine(config) if config.server else PolicyEngine(run_dir, config)
    scorer = _scorer(run_dir, engine) if run_dir.has_input("reward_model") else None
    records = list(snapshots.read(Path(run_dir.input("prompts")), PromptRecord))
    chosen = choose(len(records), config.max_prompts, spec.seed)
    encoded, fitting = engine.encode([records[i] for i in chosen])
    prompts = {chosen[i]: (records[chosen[i]], encoded[i]) for i in fitting}
    order = sorted(prompts, key=lambda i: len(prompts[i][1]))
    size = max(1, CALL_ROWS * config.batch_size // config.rollouts_per_prompt)
    done = _Partial(run_dir)
    run_dir.drop_after(len(done.lines) or -1)
    if done.lines:
        log.info("resumed after %d prompts", len(done.lines))
    run_dir.set_progress("sample", len(done.lines), len(prompts))

    def check(*_: int) -> None:
        if run_dir.cancel_requested():
            raise Cancelled

    check()
    for part in (order[start : start + size] for start in range(0, len(order), size)):
        if all(i in done.lines for i in part):
            continue
        clock = time.monotonic()
        drawn = engine.draw([(i, *prompts[i]) for i in part], spec.seed, check)
        facts = summary([rollout for record in drawn for rollout in record.rollouts])
        step = len(done.lines.keys() | set(part))
        run_dir.add_metrics(
            step,
            tokens_per_s=facts["tokens"] / max(time.monotonic() - clock, 1e-9),
            length=facts["mean_length"],
            eos_rate=facts["eos_rate"],
        )
        for i, record in list(zip(part, drawn, strict=True))[:SAMPLES_SHOWN]:
            for rollout in record.rollouts:
                run_dir.add_sample(step, prompt=prompts[i][0].messages[-1].content, text=rollout.text)
        done.add(dict(zip(part, drawn, strict=True)))
        run_dir.set_progress("sample", len(done.lines), len(prompts))
    sets = [RolloutSetRecord.from_json(json.loads(done.lines[i])) for i in prompts]
    whole = summary([rollout for record in sets for rollout in record.rollouts])
    made: list[ScoreRecord] = []
    if scorer:
        run_dir.set_progress("score", 0, len(sets))
        sets = scorer.score([prompts[i][1] for i in prompts], sets)
        made = list(scorer.made.values())
        whole["score"] = float(np.mean([score for record in sets for score in record.scores]))
        run_dir.set_progress("score", len(sets), len(sets))
    write_rollouts(run_dir, spec, [canonical_json(record.to_json()) for record in sets], scores=made)
    seconds = time.monotonic() - started
    refused = len(chosen) - len(prompts)
    run_dir.write_report({"prompts": len(prompts), "refused": refused, "seconds": seconds, **whole})


def _scorer(run_dir: RunDir, engine: Engine) -> scoring.Scorer:
    """The run's reward model, once it is clear that it reads the policy's token ids."""
    if not isinstance(engine, PolicyEngine):
        raise SamplingError(
            "found a server and a reward model, expected a policy of ours: a server's tokens are not known to be the "
            "reward model's; leave the reward model out, and score the texts with rewardmodel.score"
        )
    return scoring.Scorer(run_dir, engine.tokenizer)


def choose(available: int, most: int, seed: int) -> list[int]:
    """Row numbers in order: all, or `most` of them by the seed; 0 means all."""
    if 0 < most < available:
        return sorted(np.random.default_rng(seed).permutation(available)[:most].tolist())
    return list(range(available))


def encode_prompts(
    run_dir: RunDir, tokenizer: Any, model: Any, max_prompts: int, seed: int
) -> tuple[dict[int, tuple[PromptRecord, list[int]]], int]:
    """The run's prompts and their ids by row number, and how many were refused for filling the context."""
    records = list(snapshots.read(Path(run_dir.input("prompts")), PromptRecord))
    chosen = choose(len(records), max_prompts, seed)
    encoded = {i: (records[i], chat.encode_prompt(tokenizer, records[i].messages)) for i in chosen}
    limit = context_length(model)
    fitting = {i: pair for i, pair in encoded.items() if len(pair[1]) < limit}
    if not fitting:
        raise SamplingError(
            f"none of the {len(encoded)} prompts leaves room in the model's context of {limit} tokens; "
            "choose a snapshot with prompts that do"
        )
    return fitting, len(encoded) - len(fitting)


def rollout_set(
    tokenizer: Any,
    prompt_id: str,
    responses: Sequence[SampledResponse],
    *,
    policy: str = "policy",
    scores: Sequence[float] = (),
) -> RolloutSetRecord:
    rollouts = tuple(
        Rollout(
            index=index,
            text=chat.decode_reply(tokenizer, response.ids),
            token_ids=tuple(response.ids),
            token_logprobs=tuple(round(value, 6) for value in response.logprobs),
            finish_reason=response.finish_reason,
            seed=response.seed,
        )
        for index, response in enumerate(responses)
    )
    return RolloutSetRecord(prompt_id=prompt_id, rollouts=rollouts, policy=policy, scores=tuple(scores))


def summary(rollouts: Sequence[Rollout]) -> dict[str, float]:
    """Lengths in tokens, the stop token included, and the share of responses that ended by themselves.

    A server that gives neither ids nor log-probabilities leaves lengths of 0.
    """
    lengths = [len(rollout.token_ids) or len(rollout.token_logprobs) for rollout in rollouts]
    return {
        "rollouts": len(rollouts),
        "tokens": sum(lengths),
        "mean_length": float(np.mean(lengths)),
        "eos_rate": float(np.mean([rollout.finish_reason == "stop" for rollout in rollouts])),
    }


def write_rollouts(run_dir: RunDir, spec: RunSpec, lines: Iterable[str], *, scores: Sequence[ScoreRecord] = ()) -> None:
    """The run's output: rollout sets, and the scores that a reward model gave to rollouts nobody had scored."""
    with run_dir.saving_output(**states.provenance(spec, "rollouts")) as folder:
        (folder / "rollouts.jsonl").write_text("".join(line + "\n" for line in lines), encoding="utf-8", newline="\n")
        if scores:
            text = "".join(canonical_json(score.to_json()) + "\n" for score in scores)
            (folder / MADE).write_text(text, encoding="utf-8", newline="\n")


class _Partial:
    """Finished rollout sets by row number, appended to a file of the state; a torn last line is dropped."""

    def __init__(self, run_dir: RunDir) -> None:
        run_dir.state.mkdir(exist_ok=True)
        self.path = run_dir.state / "rollouts.jsonl"
        self.lines: dict[int, str] = {}
        whole = b""
        if self.path.exists():
            content = self.path.read_bytes()
            whole = content[: content.rfind(b"\n") + 1]
            for line in whole.decode().split("\n")[:-1]:
                index, _, record = line.partition("\t")
                self.lines[int(index)] = record
        self.path.write_bytes(whole)

    def add(self, sets: dict[int, RolloutSetRecord]) -> None:
        fresh = {i: canonical_json(record.to_json()) for i, record in sets.items()}
        with self.path.open("a", encoding="utf-8", newline="\n") as stream:
            stream.write("".join(f"{i}\t{line}\n" for i, line in fresh.items()))
        self.lines.update(fresh)
