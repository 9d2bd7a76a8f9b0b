"""One PPO iteration of TRL's last trainer, and of ours: the same policy, reward model, prompts, K, lengths and steps.

One JSON line for each pair of lengths P and R (tokens of prompt and response, at most) and each of our critics; TRL has
the separate one only, and its one figure stands beside both of ours. Each side trains in a process of its own with
the same threads and precision; seconds are the median of the timed iterations, from the end of one to the end of the
next. TRL 1.12.0, the last release that has PPO, is installed without its dependencies into a folder that is thrown
away (TRL=FOLDER takes one that is there). LENGTHS="128x64 256x64", ITERATIONS=3 and THREADS change the runs, and
CRITICS=shared names one critic only.
"""

import itertools
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import _trl

PROMPTS, K, EPOCHS, MINIBATCHES = 8, 5, 4, 2
SIZES = {"hidden_size": 128, "num_hidden_layers": 4, "num_attention_heads": 4, "intermediate_size": 344}
VOCABULARY = 512
# What both sides are told, so that they do the same work.
KL, RATIO_CLIP, VALUE_CLIP, VALUE_WEIGHT, LAMBDA, RATE = 0.05, 0.2, 0.2, 0.1, 0.95, 1e-4


def main() -> None:
    threads = os.environ.get("THREADS") or str(cores())
    critics = os.environ.get("CRITICS", "separate shared").split()
    with tempfile.TemporaryDirectory() as scratch:
        trl_folder = _trl.install(Path(scratch) / "trl")
        for lengths in os.environ.get("LENGTHS", "128x64 256x64").split():
            folder = Path(scratch) / lengths
            child(folder, "base", lengths, threads, "")
            trl = child(folder, "trl", lengths, threads, trl_folder)
            for critic in critics:
                ours = child(folder, critic, lengths, threads, "")
                print(json.dumps(row(lengths, critic, int(threads), ours, trl)), flush=True)


def row(lengths: str, critic: str, threads: int, ours: dict[str, Any], trl: dict[str, Any]) -> dict[str, Any]:
    P, R = map(int, lengths.split("x"))
    return {
        "P": P,
        "R": R,
        "K": K,
        "prompts": PROMPTS,
        "epochs": EPOCHS,
        "minibatches": MINIBATCHES,
        "critic": critic,
        "threads": threads,
        "ours_s_per_iteration": round(ours["seconds"], 3),
        "trl_s_per_iteration": round(trl["seconds"], 3),
        "ratio": round(trl["seconds"] / ours["seconds"], 2),
        "ours_cpu_s": round(ours["cpu_seconds"], 3),
        "trl_cpu_s": round(trl["cpu_seconds"], 3),
        "phase_shares": ours["shares"],
        "tokens_per_s": ours["tokens_per_s"],
        "length_ours": round(ours["length"], 1),
        "length_trl": round(trl["length"], 1),
        "peak_rss_ours": ours["peak_rss"],
        "peak_rss_trl": trl["peak_rss"],
    }


def child(folder: Path, side: str, lengths: str, threads: str, python_path: str) -> dict[str, Any]:
    folder.mkdir(exist_ok=True)
    # The spin count is what our run processes set for themselves; both sides get it.
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "GOMP_SPINCOUNT": os.environ.get("GOMP_SPINCOUNT", "3000"),
        **_trl.QUIET,
        "PYTHONPATH": _trl.python_path(python_path),
    }
    command = [sys.executable, "-m", "benchmarks.ppo", side, str(folder), lengths]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.stderr.write(done.stderr)
        raise SystemExit(f"{side} at {lengths} failed")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def cores() -> int:
    import psutil  # type: ignore[import-untyped]

    return max(1, min(psutil.cpu_count(logical=False) or 1, len(psutil.Process().cpu_affinity() or [0])))


def write_base(folder: Path, lengths: str) -> dict[str, Any]:
    """An untrained Llama, a byte-level tokenizer, a reward model on that base, and prompts of exactly P tokens."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    from contracts import snapshots
    from contracts.records import Message, PromptRecord
    from rewardmodel import chat
    from rewardmodel.model import RewardModel
    from training.algorithms import policy

    special = [chat.PAD, chat.IM_START, chat.IM_END]
    tokens = [*special, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    made = Tokenizer(models.BPE(vocab={token: number for number, token in enumerate(tokens)}, merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens(special)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token=chat.PAD, eos_token=chat.IM_END, chat_template=chat.CHAT_TEMPLATE
    )
    torch.manual_seed(0)
    config = LlamaConfig(**SIZES, vocab_size=VOCABULARY, max_position_embeddings=1024)
    policy.save_policy(LlamaForCausalLM(config), tokenizer, folder / "policy")
    RewardModel.from_base(folder / "policy", seed=1).save(folder / "reward_model")

    P = int(lengths.split("x")[0])
    around = len(chat.encode_prompt(tokenizer, [Message(role="user", content="")]))
    source = random.Random(0)
    texts = ["".join(source.choice("abcdefgh ijkl") for _ in range(P - around)) for _ in range(PROMPTS)]
    records = [
        PromptRecord(id=str(n), messages=(Message(role="user", content=text),), split="train")
        for n, text in enumerate(texts)
    ]
    snapshots.write(folder / "prompts", kind="prompts", records=records, details={})
    ids = [chat.encode_prompt(tokenizer, record.messages) for record in records]
    assert {len(prompt) for prompt in ids} == {P}
    (folder / "ids.json").write_text(json.dumps(ids))
    return {}


def run_ours(folder: Path, critic: str, lengths: str, iterations: int) -> dict[str, Any]:
    from contracts import configs
    from contracts.run_dir import InputRef, RunDir, RunSpec
    from training.algorithms import ppo

    plain = {
        "updates": iterations + 2,  # the first warms up, the last also measures and saves
        "prompts_per_update": PROMPTS,
        "rollouts_per_prompt": K,
        "max_new_tokens": int(lengths.split("x")[1]),
        "epochs": EPOCHS,
        "minibatches": MINIBATCHES,
        "critic": critic,
        "critic_warmup_updates": 0,
        "kl_coefficient": KL,
        "ratio_clip": RATIO_CLIP,
        "value_clip": VALUE_CLIP,
        "value_coefficient": VALUE_WEIGHT,
        "gae_lambda": LAMBDA,
        "learning_rate": RATE,
        "critic_learning_rate": RATE,
        "approx_kl_limit": 1e9,
        "save_every": 1_000_000,
    }
    inputs = {name: InputRef(path=str(folder / name)) for name in ("policy", "reward_model", "prompts")}
    spec = RunSpec(run_id="1", kind="ppo", config=plain, seed=0, inputs=inputs)
    laps = Laps()

    class Timed(RunDir):
        def add_metrics(self, step: int, **values: float) -> None:
            super().add_metrics(step, **values)
            laps.end()

    run_dir = Timed(folder / critic)
    run_dir.create(spec)
    config = configs.parse("ppo", plain)
    assert isinstance(config, configs.PpoConfig)
    ppo.run(run_dir, config, spec)
    rows = run_dir.tail("metrics.jsonl", limit=-1)[0]
    values = [one["values"] for one in rows[2:-1]]
    assert len(values) == iterations
    assert all(one["steps"] == EPOCHS * MINIBATCHES for one in values)
    phases = [name.removeprefix("seconds_") for name in values[0] if name.startswith("seconds_")]
    times = laps.medians(slice(1, -1))
    return {
        **times,
        "shares": {
            phase: round(statistics.median(one[f"seconds_{phase}"] for one in values) / times["seconds"], 3)
            for phase in phases
        },
        "tokens_per_s": {
            phase: round(statistics.median(one[f"tokens_per_s_{phase}"] for one in values)) for phase in phases
        },
        "length": statistics.fmean(one["length"] for one in values),
        "peak_rss": peak_rss(),
    }


def run_trl(folder: Path, lengths: str, iterations: int) -> dict[str, Any]:
    from transformers import TrainerCallback

    laps = Laps()
    ids = json.loads((folder / "ids.json").read_text())
    tokens: list[float] = []

    class Clock(TrainerCallback):
        def on_step_end(self, *_: Any, **__: Any) -> None:
            laps.end()

    trainer = _trl.trainer(
        folder / "policy",
        folder / "reward_model",
        [[prompt for prompt in ids for _ in range(K)]] * (iterations + 1),
        [Clock()],
        output_dir=str(folder / "trl-out"),
        num_mini_batches=MINIBATCHES,
        num_ppo_epochs=EPOCHS,
        response_length=int(lengths.split("x")[1]),
        temperature=1.0,
        kl_coef=KL,
        cliprange=RATIO_CLIP,
        cliprange_value=VALUE_CLIP,
        vf_coef=VALUE_WEIGHT,
        lam=LAMBDA,
        learning_rate=RATE,
        logging_strategy="no",
    )
    policy = trainer.policy_model
    generate = policy.generate

    def counted(*positional: Any, **named: Any) -> Any:
        output = generate(*positional, **named)
        answers = output.sequences[:, named["input_ids"].shape[1] :]
        tokens.append(float((answers != policy.config.pad_token_id).sum()) / len(answers))
        return output

    policy.generate = counted
    trainer.train()
    return {**laps.medians(slice(0, None)), "length": statistics.fmean(tokens), "peak_rss": peak_rss()}


class Laps:
    """Wall and processor seconds from the end of one iteration to the end of the next."""

    def __init__(self) -> None:
        self.ends: list[tuple[float, float]] = []

    def end(self) -> None:
        self.ends.append((time.perf_counter(), time.process_time()))

    def medians(self, which: slice) -> dict[str, float]:
        laps = [(b[0] - a[0], b[1] - a[1]) for a, b in itertools.pairwise(self.ends)][which]
        return {
            "seconds": statistics.median(wall for wall, _ in laps),
            "cpu_seconds": statistics.median(processor for _, processor in laps),
        }


def peak_rss() -> int:
    """Bytes, of this process, since its start."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    if len(sys.argv) == 1:
        main()
    else:
        side, folder, lengths = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
        iterations = int(os.environ.get("ITERATIONS", "3"))
        if side == "base":
            result = write_base(folder, lengths)
        elif side == "trl":
            result = run_trl(folder, lengths, iterations)
        else:
            result = run_ours(folder, side, lengths, iterations)
        print(json.dumps(result))
