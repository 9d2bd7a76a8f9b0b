"""Held-out accuracy against CPU-seconds on public rankings: ours, and TRL's RewardTrainer fed all their pairs.

Both start from the same small base and the same head, with the same tokens, split by prompt, optimizer and schedule;
each takes micro-batches of the size that is fastest for it, TRL pairs sorted by length. TRL goes through its pairs
EPOCHS times, ours through the rankings as often as fits into the same tokens: once at least. A process's CPU-seconds
count everything from the first batch to the last step but the measuring itself. One JSON line for each data set,
seed and side with its curve, then one for each data set with the means over seeds.
DATASETS="hh oasst pandalm alpaca_eval", SEEDS="1 2 3", EPOCHS=1, THREADS=1, JOBS=2 (processes at once) and
DATA=folder change the runs.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks import _rankings, _worlds

if TYPE_CHECKING:
    from rewardmodel.groups import Group

BASE = {
    "vocab_size": 2_048,
    "hidden_size": 128,
    "layers": 2,
    "heads": 4,
    "context": 512,
    "sequence_length": 256,
    "batch_size": 8,
    "steps": 500,
    "save_every": 100,
}
REWARD_MODEL = {
    "batch_groups": 8,
    "learning_rate": 2e-4,
    "max_length": 256,
    "heldout_share": 0.4,
    "micro_batch_tokens": 1_024,  # the fastest for ours, as 16 rows are for TRL
}
TRL_ROWS = int(os.environ.get("TRL_ROWS", "16"))  # rows of a micro-batch
SIDES = ("ours", "trl")
POINTS = 6  # measurements of a curve


def main() -> None:
    _rankings.check()
    base = _base()
    names = os.environ.get("DATASETS", " ".join(_rankings.FILES)).split()
    seeds = os.environ.get("SEEDS", "1 2 3").split()
    rows = []
    with ThreadPoolExecutor(int(os.environ.get("JOBS", "2"))) as pool:
        studies = itertools.product(seeds, names, SIDES)
        children = [pool.submit(_child, side, str(base), name, seed) for seed, name, side in studies]
        for child in children:
            rows.append(child.result())
            print(json.dumps(rows[-1]), flush=True)
    for name in names:
        ours, trl = ([row for row in rows if (row["dataset"], row["side"]) == (name, side)] for side in SIDES)
        print(json.dumps(summary(name, ours, trl)), flush=True)


def _base() -> Path:
    """A base model of half a million parameters on texts without preferences, made once."""
    folder = _worlds.KEPT / "equal-quality"
    corpus = folder / "corpus.txt"
    if not corpus.exists():
        folder.mkdir(parents=True, exist_ok=True)
        corpus.write_text(_rankings.corpus(), encoding="utf-8")
    return _worlds.run(folder / "base", "pretrain", BASE, 0, {"corpus": corpus}, "2").output


def _child(*words: str) -> dict[str, Any]:
    threads = os.environ.get("THREADS", "1")
    environment = {**os.environ, "OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads, "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-m", "benchmarks.reward_equal_quality", *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.stderr.write(done.stderr)
        raise SystemExit(f"{' '.join(words)} failed")
    made: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return made


class Study:
    """One data set, split with one seed, and the clock that stands still while a model is measured."""

    def __init__(self, base: str, name: str, seed: int) -> None:
        from contracts.configs import RewardModelConfig
        from rewardmodel import groups
        from rewardmodel.member import Member

        self.config = RewardModelConfig(**REWARD_MODEL, epochs=int(os.environ.get("EPOCHS", "1")))  # type: ignore[arg-type]
        self.member = Member(base, self.config, seed=seed, device="cpu")
        everyone, self.counts = groups.make(
            _rankings.records(name), self.member.model.tokenizer, max_length=self.config.max_length
        )
        self.train, self.heldout = groups.split(everyone, share=self.config.heldout_share, seed=seed)
        self.base, self.name, self.seed = base, name, seed
        self.curve: list[dict[str, float]] = []
        self._began = self._spent = 0.0

    def start(self) -> None:
        self.measure(0)
        self._began = time.process_time()

    def measure(self, step: int) -> None:
        """Held-out accuracy and loss of the member's present weights; its CPU-seconds are not counted."""
        from rewardmodel import evaluate, statistics, tables

        if step:
            self._spent += time.process_time() - self._began
        scores = evaluate.score_groups(self.member.model, self.heldout)
        delta = tables.pair_table(self.heldout, scores).delta
        right, loss = statistics.accuracy_of(delta), statistics.log_loss_of(delta)
        point = {"step": step, "cpu_s": self._spent, "accuracy": float(right.mean()), "log_loss": float(loss.mean())}
        self.curve.append({key: round(value, 4) for key, value in point.items()})
        self._began = time.process_time()

    def result(self, side: str, steps: int, pairs: int, tokens: int) -> dict[str, Any]:
        return {
            "dataset": self.name,
            "seed": self.seed,
            "side": side,
            "train_rankings": len(self.train),
            "heldout_rankings": len(self.heldout),
            "pairs": pairs,
            "epochs": self.config.epochs,
            "steps": steps,
            "tokens": tokens,
            "truncated": self.counts.truncated,
            "cpu_s": self.curve[-1]["cpu_s"],
            "accuracy": self.curve[-1]["accuracy"],
            "curve": self.curve,
        }


def points(steps: int) -> set[int]:
    return {math.ceil(steps * part / POINTS) for part in range(1, POINTS + 1)}


def run_ours(base: str, name: str, seed: int) -> dict[str, Any]:
    from rewardmodel import fit, groups

    study = Study(base, name, seed)
    weights = groups.normalized_weights(study.train)
    once = sum(study.train[same[0]].tokens for same in groups.together(study.train))
    epochs = max(1, tokens_of_pairs(study.train) // once) * study.config.epochs
    study.config = replace(study.config, epochs=epochs)
    study.start()
    plan = fit.plan_steps(study.train, study.config, seed, 0)
    at = points(len(plan))
    for step, batch in enumerate(plan, start=1):
        study.member.train_step([study.train[i] for i in batch], [weights[i] for i in batch], len(plan))
        if step in at:
            study.measure(step)
    return study.result("ours", len(plan), sum(len(group.pairs) for group in study.train), once * epochs)


def tokens_of_pairs(train: Sequence[Group]) -> int:
    """Tokens of all pairs, each response after its prompt."""
    return sum(
        2 * len(group.prompt) + len(group.responses[i]) + len(group.responses[j])
        for group in train
        for i, j in group.pairs
    )


def run_trl(base: str, name: str, seed: int) -> dict[str, Any]:
    import torch
    from datasets import Dataset
    from transformers import AutoModelForSequenceClassification, TrainerCallback
    from trl import RewardConfig, RewardTrainer

    study = Study(base, name, seed)
    config, ours = study.config, study.member.model
    rows: list[dict[str, Any]] = [
        {side: [*group.prompt, *group.responses[k]] for side, k in (("chosen_ids", i), ("rejected_ids", j))}
        for group in study.train
        for i, j in group.pairs
    ]
    for row in rows:
        row["length"] = max(len(row["chosen_ids"]), len(row["rejected_ids"]))
    # As many steps an epoch as ours, so that each is on the pairs of as many rankings.
    steps = -(-len(study.train) // config.batch_groups)
    each = max(1, min(TRL_ROWS // 2, -(-len(rows) // steps)))
    accumulated = max(1, round(len(rows) / steps / each))

    class Clock(TrainerCallback):
        def on_train_begin(self, _arguments: Any, state: Any, *_: Any, **__: Any) -> None:
            self.points = points(state.max_steps)
            study.start()

        def on_step_end(self, _arguments: Any, state: Any, *_: Any, **__: Any) -> None:
            if state.global_step in self.points:
                study.measure(state.global_step)

    model = AutoModelForSequenceClassification.from_pretrained(base, num_labels=1, dtype=torch.float32)
    with torch.no_grad():
        model.score.weight.copy_(ours.head.weight)
    ours.trunk, ours.head.weight = model.model, model.score.weight
    with tempfile.TemporaryDirectory() as folder:
        arguments = RewardConfig(
            output_dir=folder,
            per_device_train_batch_size=each,
            gradient_accumulation_steps=accumulated,
            num_train_epochs=config.epochs,
            learning_rate=config.learning_rate,
            lr_scheduler_type="linear",
            warmup_steps=config.warmup_ratio,
            adam_epsilon=1e-5,
            max_grad_norm=config.gradient_clip,
            center_rewards_coefficient=config.centering,
            optim="adamw_torch_fused",
            train_sampling_strategy="group_by_length",
            remove_unused_columns=False,  # for the lengths
            gradient_checkpointing=False,
            bf16=False,
            use_cpu=True,
            max_length=None,
            save_strategy="no",
            logging_strategy="no",
            report_to="none",
            disable_tqdm=True,
            seed=seed,
        )
        trainer = RewardTrainer(
            model=model,
            args=arguments,
            train_dataset=Dataset.from_list(rows),
            processing_class=ours.tokenizer,
            callbacks=[Clock()],
        )
        trainer.train()
    tokens = tokens_of_pairs(study.train) * config.epochs
    return study.result("trl", trainer.state.max_steps, len(rows), tokens)


def summary(name: str, ours: Sequence[dict[str, Any]], trl: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Means over seeds. `mean_accuracy` is that over TRL's whole budget, ours standing at its end once it is done;
    `per_cpu_s` is what the last point has learned above chance for each CPU-second."""
    made: dict[str, Any] = {"dataset": name, "summary": True, "seeds": len(ours)}
    budgets = [row["cpu_s"] for row in trl]
    for side, rows in (("ours", ours), ("trl", trl)):
        made[f"{side}_cpu_s"] = _mean(row["cpu_s"] for row in rows)
        made[f"{side}_accuracy"] = _mean(row["accuracy"] for row in rows)
        made[f"{side}_mean_accuracy"] = _mean(
            mean_accuracy(row["curve"], b) for row, b in zip(rows, budgets, strict=True)
        )
        made[f"{side}_per_cpu_s"] = _mean((row["accuracy"] - 0.5) / row["cpu_s"] for row in rows)
    made["cpu_ratio"] = round(made["trl_cpu_s"] / made["ours_cpu_s"], 2)
    made["token_ratio"] = round(sum(row["tokens"] for row in trl) / sum(row["tokens"] for row in ours), 2)
    return made


def mean_accuracy(curve: Sequence[dict[str, float]], budget: float) -> float:
    """Mean over CPU-seconds 0 to `budget` of the accuracy last measured."""
    times = [min(point["cpu_s"], budget) for point in curve] + [budget]
    held = np.diff(times)
    return float(held @ np.array([point["accuracy"] for point in curve]) / budget)


def _mean(values: Iterable[float]) -> float:
    return round(float(np.mean(list(values))), 4)


if __name__ == "__main__":
    if len(sys.argv) == 1:
        main()
    else:
        chosen, (where, dataset, number) = sys.argv[1], sys.argv[2:]
        print(json.dumps((run_ours if chosen == "ours" else run_trl)(where, dataset, int(number))))
