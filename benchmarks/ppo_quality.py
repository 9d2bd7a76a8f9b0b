"""Gold reward by update: our PPO and TRL's last PPOTrainer, in the small world.

Both start from one policy and one reward model (fitted on a labeler's rankings who orders a tenth of the pairs
wrongly) and take the same prompts in the same order, K, lengths, epochs, minibatches, learning rates, KL coefficient,
gamma and lambda. Before the first and after every update each policy answers the held-out prompts, with the same seeds
and the same sampler, and the world's gold preference judges the answers. One JSON line for each seed and side
with its curve, then a summary: by which update ours had TRL's final gold. Worlds and reward models are kept in
var/benchmarks. SEEDS="1 2 3", JOBS=2 (processes of one thread) and TRL=FOLDER change the runs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import _trl, _worlds, reward_truth
from benchmarks._worlds import Made
from contracts import configs, snapshots
from demo.gold import gold
from demo.scale import FULL, MAX_NEW_TOKENS

UPDATES, PROMPTS, K, EPOCHS, MINIBATCHES = 24, 32, 4, 2, 2
RATE, KL, RATIO_CLIP, VALUE_CLIP, LAMBDA, TRUNCATED = 3e-4, 0.3, 0.2, 0.2, 0.95, -1.0
NOISE = 0.1  # share of the pairs that the labeler orders wrongly
EACH = 4  # answers to each held-out prompt
LAST = 3  # measurements whose mean is the gold at a place of a curve
SIDES = ("ours", "trl")


def main() -> None:
    seeds = os.environ.get("SEEDS", "1 2 3").split()
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(int(os.environ.get("JOBS", "2"))) as pool:
        trl = _trl.install(Path(scratch) / "trl")
        for world in [pool.submit(child, "world", seed, scratch, "") for seed in seeds]:
            world.result()
        # The slower side first, so that both cores end together.
        order = [(side, seed) for side in reversed(SIDES) for seed in seeds]
        runs = [pool.submit(child, side, seed, scratch, trl if side == "trl" else "") for side, seed in order]
        rows = [run.result() for run in runs]
    rows.sort(key=lambda row: (row["seed"], row["side"]))
    for row in rows:
        print(json.dumps(row), flush=True)
    print(json.dumps(summary(rows)))


def child(side: str, seed: str, scratch: str, trl: str) -> dict[str, Any]:
    environment = {
        **os.environ,
        **_trl.QUIET,
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "PYTHONPATH": _trl.python_path(trl),
    }
    command = [sys.executable, "-m", "benchmarks.ppo_quality", side, seed, scratch]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.stderr.write(done.stderr)
        raise SystemExit(f"{side} with seed {seed} failed")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def reward_model(made: Made, seed: int) -> Path:
    """Fitted once on what a labeler says about the policy's own rollouts."""
    folder = _worlds.KEPT / "ppo-quality" / str(seed)
    if not (folder / "rankings").exists():
        judge = reward_truth.labeler(made, NOISE)
        sets = [*made.train, *made.heldout]
        snapshots.write(
            folder / "rankings", kind="rankings", records=list(reward_truth.rankings(made, sets, judge)), details={}
        )
    inputs = {"base": made.policy, "rankings": folder / "rankings"}
    return _worlds.run(folder / "fit", "reward_model", FULL.configs["reward_model"], seed, inputs).output


class Curve:
    """The gold reward of a policy's answers to the held-out prompts, measurement by measurement."""

    def __init__(self, made: Made, tokenizer: Any) -> None:
        from rewardmodel import chat

        self.world, self.tokenizer = made.world, tokenizer
        self.prompts = [record for record in made.prompts.values() if record.split == "heldout"]
        self.ids = [chat.encode_prompt(tokenizer, record.messages) for record in self.prompts]
        self.gold: list[float] = []
        self.seconds = 0.0

    def measure(self, model: Any) -> None:
        from rewardmodel import chat
        from training.algorithms import sampling

        started = time.process_time()
        drawn = sampling.sample(
            model,
            self.ids,
            k=EACH,
            max_new_tokens=MAX_NEW_TOKENS,
            stop_id=chat.stop_token_id(self.tokenizer),
            pad_id=self.tokenizer.pad_token_id,
            seed=0,
            batch_size=EACH * len(self.ids),
        )
        judged = [
            gold(self.world, record.messages, chat.decode_reply(self.tokenizer, response.ids))
            for record, group in zip(self.prompts, drawn, strict=True)
            for response in group
        ]
        self.gold.append(float(np.mean(judged)))
        self.seconds += time.process_time() - started


def run_ours(made: Made, seed: int, scratch: Path) -> tuple[Curve, list[dict[str, float]]]:
    from contracts.run_dir import InputRef, RunDir, RunSpec
    from training.algorithms import policy, ppo
    from training.algorithms.ppo_state import Learner

    plain = {
        "updates": UPDATES,
        "prompts_per_update": PROMPTS,
        "rollouts_per_prompt": K,
        "max_new_tokens": MAX_NEW_TOKENS,
        "epochs": EPOCHS,
        "minibatches": MINIBATCHES,
        "critic_warmup_updates": 0,
        "kl_coefficient": KL,
        "ratio_clip": RATIO_CLIP,
        "value_clip": VALUE_CLIP,
        "gae_lambda": LAMBDA,
        "learning_rate": RATE,
        "critic_learning_rate": RATE,
        "truncated_score": TRUNCATED,
        "save_every": UPDATES,
    }
    prompts = scratch / f"prompts-{seed}"
    snapshots.write(prompts, kind="prompts", records=list(made.prompts.values()), details={})
    paths = {"policy": made.policy, "reward_model": reward_model(made, seed), "prompts": prompts}
    spec = RunSpec(
        run_id="", kind="ppo", config=plain, seed=seed, inputs={k: InputRef(path=str(v)) for k, v in paths.items()}
    )
    run_dir = RunDir(scratch / f"ours-{seed}")
    run_dir.create(spec)
    start, tokenizer = policy.load_policy(str(made.policy))
    curve = Curve(made, tokenizer)
    curve.measure(start)

    class Watched(Learner):
        def finish_update(self, kl: float) -> None:
            super().finish_update(kl)
            curve.measure(self.policy)

    ppo.Learner = Watched  # type: ignore[attr-defined,misc]
    config = configs.parse("ppo", plain)
    assert isinstance(config, configs.PpoConfig)
    ppo.run(run_dir, config, spec)
    rows, _ = run_dir.tail("metrics.jsonl", limit=-1)
    return curve, [{"kl": row["values"]["kl"], "score": row["values"]["score"]} for row in rows[1:]]


def run_trl(made: Made, seed: int, scratch: Path) -> tuple[Curve, list[dict[str, float]]]:
    from transformers import AutoTokenizer, TrainerCallback

    from rewardmodel import chat
    from training.algorithms import ppo

    tokenizer = AutoTokenizer.from_pretrained(made.policy)
    curve = Curve(made, tokenizer)
    updates: list[dict[str, float]] = []
    train = [record for record in made.prompts.values() if record.split == "train"]
    ids = [chat.encode_prompt(tokenizer, record.messages) for record in train]
    batches = [
        [ids[i] for i in ppo.prompt_numbers(len(ids), PROMPTS, update, seed) for _ in range(K)]
        for update in range(1, UPDATES + 1)
    ]

    class Watch(TrainerCallback):
        def on_log(self, _: Any, __: Any, ___: Any, logs: dict[str, float], **____: Any) -> None:
            updates.append({"kl": logs["objective/kl"], "score": logs["objective/scores"]})

        def on_step_end(self, *_: Any, **__: Any) -> None:
            curve.measure(trainer.policy_model)

    trainer = _trl.trainer(
        made.policy,
        reward_model(made, seed),
        batches,
        [Watch()],
        output_dir=str(scratch / f"trl-{seed}"),
        num_mini_batches=MINIBATCHES,
        num_ppo_epochs=EPOCHS,
        response_length=MAX_NEW_TOKENS,
        temperature=1.0,
        kl_coef=KL,
        cliprange=RATIO_CLIP,
        cliprange_value=VALUE_CLIP,
        lam=LAMBDA,
        missing_eos_penalty=-TRUNCATED,
        learning_rate=RATE,
        adam_epsilon=1e-5,
        logging_steps=1,
        seed=seed,
    )
    curve.measure(trainer.policy_model)
    trainer.train()
    return curve, updates


def place(curve: Sequence[float]) -> list[float]:
    """The mean of each measurement with the ones before it, `LAST` in all; fewer at the start."""
    return [float(np.mean(curve[max(0, end - LAST) : end])) for end in range(1, len(curve) + 1)]


def reached(curve: Sequence[float], level: float) -> int | None:
    """The first update after which the gold is at that level, or None."""
    return next((update for update, value in enumerate(place(curve)) if value >= level), None)


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """By seed and for the mean over seeds: final golds, and the update at which ours had TRL's final one."""
    curves = {side: {row["seed"]: row["gold"] for row in rows if row["side"] == side} for side in SIDES}
    for side in SIDES:
        curves[side]["mean"] = np.mean(list(curves[side].values()), axis=0).tolist()
    finals = {side: {seed: place(curve)[-1] for seed, curve in curves[side].items()} for side in SIDES}
    return {
        "summary": True,
        "updates": UPDATES,
        **{f"final_{side}": {str(seed): round(value, 3) for seed, value in finals[side].items()} for side in SIDES},
        "ours_reaches_trl_final_at": {
            str(seed): reached(curve, finals["trl"][seed]) for seed, curve in curves["ours"].items()
        },
    }


if __name__ == "__main__":
    if len(sys.argv) == 1:
        main()
    else:
        side, seed, scratch = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
        made = _worlds.make(seed)
        row: dict[str, Any] = {"seed": seed, "side": side}
        if side == "world":
            reward_model(made, seed)
        else:
            run: Callable[..., tuple[Curve, list[dict[str, float]]]] = run_ours if side == "ours" else run_trl
            began = time.process_time()
            curve, updates = run(made, seed, scratch)
            row |= {
                "gold": [round(value, 4) for value in curve.gold],
                "kl": [round(one["kl"], 3) for one in updates],
                "score": [round(one["score"], 3) for one in updates],
                "cpu_s": round(time.process_time() - began - curve.seconds, 1),
            }
        print(json.dumps(row))
