"""The same rankings of K = 5 through TRL's RewardTrainer, fed all ten pairs, and through ours.

One JSON line for each pair of lengths P and R (tokens of prompt and response). Each side trains in a process of its
own, with the same base, threads, precision, optimizer and groups a step; seconds are the median of the timed steps.
TRL trains without gradient checkpointing, logging or saving, on dense rows, in the faster of two micro-batch sizes.
`grad_max_diff` and `loss_diff` compare one group's step with its ten explicit pairs on unshared rows.
LENGTHS="64x64 256x64 512x64", STEPS=5 and THREADS=1 change the runs.
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

Times = tuple[float, float]
K, VOCABULARY = 5, 512
PAIRS = tuple(itertools.combinations(range(K), 2))
# TRL's step in so many micro-batches, of which the fastest counts.
TRL_PARTS = (1, 4)
# Groups a step, so that TRL's step of 20 rows a group stays within memory.
GROUPS = {"64x64": 4, "256x64": 2, "512x64": 2}


def main() -> None:
    threads = os.environ.get("THREADS", "1")
    for lengths in os.environ.get("LENGTHS", "64x64 256x64 512x64").split():
        P, R = map(int, lengths.split("x"))
        with tempfile.TemporaryDirectory() as folder:
            child(folder, "base", lengths, threads)
            ours = child(folder, "ours", lengths, threads)
            trl = min((child(folder, f"trl/{n}", lengths, threads) for n in TRL_PARTS), key=lambda one: one["cpu_s"])
        limit = K * (K - 1) * (P + R) / (P + K * R)
        ratio = trl["seconds"] / ours["seconds"]
        row = {
            "P": P,
            "R": R,
            "K": K,
            "groups": GROUPS.get(lengths, 2),
            "threads": int(threads),
            "ours_s": round(ours["seconds"], 4),
            "trl_s": round(trl["seconds"], 4),
            "ratio": round(ratio, 2),
            "ours_cpu_s": round(ours["cpu_s"], 4),
            "trl_cpu_s": round(trl["cpu_s"], 4),
            "cpu_ratio": round(trl["cpu_s"] / ours["cpu_s"], 2),
            "token_ratio_limit": round(limit, 2),
            "share_of_limit": round(ratio / limit, 2),
            "grad_max_diff": ours["grad_max_diff"],
            "loss_diff": ours["loss_diff"],
            "peak_rss_ours": ours["peak_rss"],
            "peak_rss_trl": trl["peak_rss"],
            "trl_micro_batches": trl["micro_batches"],
        }
        print(json.dumps(row), flush=True)


def child(folder: str, side: str, lengths: str, threads: str) -> dict[str, Any]:
    environment = {**os.environ, "OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads, "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-m", "benchmarks.reward_model", side, folder, lengths]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.stderr.write(done.stderr)
        raise SystemExit(f"{side} at {lengths} failed")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def write_base(folder: Path) -> dict[str, Any]:
    """An untrained Llama of about 3M parameters and a byte-level tokenizer: nothing is downloaded."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    from rewardmodel import chat

    special = [chat.PAD, chat.IM_START, chat.IM_END]
    tokens = [*special, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    tokenizer = Tokenizer(models.BPE(vocab={token: number for number, token in enumerate(tokens)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(special)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=chat.PAD, eos_token=chat.IM_END, chat_template=chat.CHAT_TEMPLATE
    ).save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        hidden_size=256,
        num_hidden_layers=4,
        num_attention_heads=8,
        intermediate_size=688,
        vocab_size=VOCABULARY,
        max_position_embeddings=1024,
        pad_token_id=0,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return {}


def rows(lengths: str) -> list[tuple[list[int], list[list[int]]]]:
    """One step's groups: a prompt and K responses, best first."""
    P, R = map(int, lengths.split("x"))
    source = random.Random(0)
    draw = lambda n: [source.randrange(3, 250) for _ in range(n)]  # noqa: E731
    return [(draw(P), [draw(R) for _ in range(K)]) for _ in range(GROUPS.get(lengths, 2))]


def run_ours(folder: Path, lengths: str, steps: int) -> dict[str, Any]:
    from contracts.configs import RewardModelConfig
    from rewardmodel.groups import Group
    from rewardmodel.member import Member

    config = RewardModelConfig(centering=0.0, learning_rate=1e-4, warmup_ratio=0.0, micro_batch_tokens=1 << 20)
    member = Member(str(folder), config, seed=0, device="cpu")
    groups = [
        Group(
            id=str(n),
            group=str(n),
            prompt_id=str(n),
            conversation=str(n),
            labeler="",
            weight=1.0,
            split="train",
            prompt=tuple(prompt),
            responses=tuple(map(tuple, responses)),
            response_ids=tuple(map(str, range(K))),
            sources=("",) * K,
            flags=((),) * K,
            pairs=PAIRS,
        )
        for n, (prompt, responses) in enumerate(rows(lengths))
    ]
    differences = compare(member, groups[0])
    seconds: list[Times] = []
    for _ in range(steps + 1):
        began = now()
        member.train_step(groups, [1.0] * len(groups), 1_000)
        seconds.append(since(began))
    return {**medians(seconds[1:]), "peak_rss": peak_rss(), **differences}


def compare(member: Any, group: Any) -> dict[str, float]:
    """One group's loss and gradient, shared and as ten pairs of whole rows."""
    import torch
    from torch.nn import functional as F

    from rewardmodel import losses

    model = member.model
    scores, at = member.scored([group], [1.0])
    shared = losses.total(scores, at, kind="pairs", centering=0.0)
    shared.backward()
    gradients = {name: weight.grad.clone() for name, weight in member.weights.items()}
    model.zero_grad()
    total = 0.0
    for better, worse in PAIRS:
        pair = torch.tensor([[*group.prompt, *group.responses[k]] for k in (better, worse)])
        r = model.head(model.trunk(pair).last_hidden_state[:, -1]).squeeze(-1)
        loss = F.softplus(r[1] - r[0]) / len(PAIRS)
        loss.backward()
        total += loss.item()
    gap = max((member.weights[name].grad - gradient).abs().max().item() for name, gradient in gradients.items())
    model.zero_grad()
    return {"grad_max_diff": gap, "loss_diff": abs(total - shared.item())}


def run_trl(folder: Path, lengths: str, steps: int, accumulated: int) -> dict[str, Any]:
    import torch
    from datasets import Dataset
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, TrainerCallback
    from trl import RewardConfig, RewardTrainer

    class Clock(TrainerCallback):
        seconds: list[Times] = []

        def on_step_begin(self, *_: Any, **__: Any) -> None:
            self.began = now()

        def on_step_end(self, *_: Any, **__: Any) -> None:
            self.seconds.append(since(self.began))

    made = rows(lengths)
    pairs = [(prompt + rs[i], prompt + rs[j]) for prompt, rs in made for i, j in PAIRS]
    data = Dataset.from_dict({"chosen_ids": [c for c, _ in pairs], "rejected_ids": [r for _, r in pairs]})
    arguments = RewardConfig(
        output_dir=str(folder / "trl"),
        per_device_train_batch_size=len(pairs) // accumulated,
        gradient_accumulation_steps=accumulated,
        max_steps=steps + 1,
        learning_rate=1e-4,
        gradient_checkpointing=False,
        bf16=False,
        use_cpu=True,
        max_length=None,
        optim="adamw_torch_fused",
        save_strategy="no",
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )
    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=1, dtype=torch.float32)
    clock = Clock()
    trainer = RewardTrainer(
        model=model,
        args=arguments,
        train_dataset=data,
        processing_class=AutoTokenizer.from_pretrained(folder),
        callbacks=[clock],
    )
    trainer.train()
    return {
        **medians(clock.seconds[1:]),
        "peak_rss": peak_rss(),
        "micro_batches": accumulated,
    }


def now() -> Times:
    """Seconds of the clock, and CPU-seconds of this process, which a busy machine changes less."""
    return time.perf_counter(), time.process_time()


def since(began: Times) -> Times:
    wall, cpu = now()
    return wall - began[0], cpu - began[1]


def medians(times: list[Times]) -> dict[str, float]:
    return {
        "seconds": statistics.median(wall for wall, _ in times),
        "cpu_s": statistics.median(cpu for _, cpu in times),
    }


def peak_rss() -> int:
    """Bytes, of this process, since its start."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    if len(sys.argv) == 1:
        main()
    else:
        (side, _, parts), where, shape = sys.argv[1].partition("/"), Path(sys.argv[2]), sys.argv[3]
        count = int(os.environ.get("STEPS", "5"))
        if side == "base":
            made = write_base(where)
        else:
            made = run_ours(where, shape, count) if side == "ours" else run_trl(where, shape, count, int(parts))
        print(json.dumps(made))
