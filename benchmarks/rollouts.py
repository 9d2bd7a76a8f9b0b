"""Tokens a second of our rollouts and of `transformers.generate`: the same model, prompts, K, sampling and threads.

One JSON line for each batch size and kind of response. "ends" has a policy whose responses end by themselves, as the
small world's do; "full" never stops, so that every row is as long as any and only the step itself is compared. Each
side runs in turn, `ROUNDS` times in one process; seconds are the best round's. `generate` gets left-padded prompts in
order of length, K sequences for each, and what it does fastest here: its cache as it is or static. Where there is a
GPU, one line more compares an architecture of 0.5 billion random weights in bf16, and says what the step costs beside
the time that its weights and cache take to be read. BATCHES="64 320", KINDS="ends full", ROUNDS=3,
PROMPTS=120 and THREADS change it.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

K, MAX_NEW_TOKENS, TEMPERATURE = 5, 40, 1.0
# The small world's, as `demo/scale.py` has them.
SIZES = {
    "vocab_size": 768,
    "hidden_size": 128,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "intermediate_size": 344,
}
HALF_BILLION = {
    "vocab_size": 32_768,
    "hidden_size": 1_024,
    "num_hidden_layers": 28,
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
    "intermediate_size": 3_072,
}


def main() -> None:
    import torch

    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    threads = int(os.environ.get("THREADS") or cores())
    torch.set_num_threads(threads)
    batches = [int(word) for word in os.environ.get("BATCHES", "64 320").split()]
    rounds = int(os.environ.get("ROUNDS", "3"))
    prompts = prompt_ids(int(os.environ.get("PROMPTS", "120")))
    for kind in os.environ.get("KINDS", "ends full").split():
        model = build(SIZES, stops=kind == "ends")
        for batch in batches:
            print(json.dumps({"kind": kind, "threads": threads, **compare(model, prompts, batch, rounds)}), flush=True)
    if torch.cuda.is_available():
        print(json.dumps({"kind": "gpu", **on_gpu(rounds)}), flush=True)


def cores() -> int:
    import psutil  # type: ignore[import-untyped]

    return max(1, min(psutil.cpu_count(logical=False) or 1, len(psutil.Process().cpu_affinity() or [0])))


def prompt_ids(count: int) -> list[list[int]]:
    """As long as the small world's prompts are: 14 to 40 tokens."""
    import numpy as np

    rng = np.random.default_rng(0)
    return [rng.integers(10, SIZES["vocab_size"], size=int(n)).tolist() for n in rng.integers(14, 41, size=count)]


STOP, PAD = 2, 0


def build(sizes: dict[str, int], *, stops: bool, device: str = "cpu") -> Any:
    """Random weights; where it stops, each token is the last one with a chance of about 1 in 13, as in the small
    world, whose responses have 13 tokens in the mean."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        **sizes, max_position_embeddings=1_024, tie_word_embeddings=False, pad_token_id=PAD, eos_token_id=STOP
    )
    model = LlamaForCausalLM(config).eval().to(device)
    with torch.no_grad():
        # The last state's first entry is made 1, so that the head's first column is a bias for each token.
        model.model.norm.weight[0] = 0.0
        head = torch.nn.Linear(config.hidden_size, config.vocab_size, bias=True).to(device)
        head.weight.copy_(model.lm_head.weight)
        head.bias.zero_()
        head.bias[STOP] = torch.log(torch.tensor(sizes["vocab_size"] / 12.0)) if stops else -1e9
        model.lm_head = head
    model.generation_config.eos_token_id = STOP
    model.generation_config.pad_token_id = PAD
    return model


def ours(model: Any, prompts: list[list[int]], batch: int, limit: int, k: int) -> int:
    from training.algorithms import sampling

    drawn = sampling.sample(
        model, prompts, k=k, max_new_tokens=limit, stop_id=STOP, pad_id=PAD, seed=1, batch_size=batch
    )
    return sum(len(one.ids) for group in drawn for one in group)


def generate(model: Any, prompts: list[list[int]], batch: int, limit: int, k: int, cache: str | None) -> int:
    import torch

    tokens = 0
    ordered = sorted(prompts, key=len)
    for start in range(0, len(ordered), max(1, batch // k)):
        chosen = ordered[start : start + max(1, batch // k)]
        longest = max(map(len, chosen))
        ids = torch.tensor([[PAD] * (longest - len(p)) + p for p in chosen], device=model.device)
        mask = torch.tensor([[0] * (longest - len(p)) + [1] * len(p) for p in chosen], device=model.device)
        with torch.inference_mode():
            found = model.generate(
                input_ids=ids,
                attention_mask=mask,
                do_sample=True,
                temperature=TEMPERATURE,
                top_k=0,
                top_p=1.0,
                num_return_sequences=k,
                max_new_tokens=limit,
                cache_implementation=cache,
            )
        new = found[:, longest:]
        ends = (new == STOP).int()
        # Up to and with the first stop token.
        tokens += int(((ends.cumsum(1) - ends) == 0).sum())
    return tokens


def timed(work: Callable[[], int]) -> tuple[float, float]:
    """Tokens a second of wall time and of CPU time."""
    wall, cpu = time.perf_counter(), time.process_time()
    tokens = work()
    return tokens / (time.perf_counter() - wall), tokens / (time.process_time() - cpu)


def compare(
    model: Any, prompts: list[list[int]], batch: int, rounds: int, limit: int = MAX_NEW_TOKENS, k: int = K
) -> dict[str, Any]:
    sides: dict[str, Callable[[], int]] = {
        "ours": lambda: ours(model, prompts, batch, limit, k),
        "generate": lambda: generate(model, prompts, batch, limit, k, None),
        "generate_static": lambda: generate(model, prompts, batch, limit, k, "static"),
    }
    best: dict[str, tuple[float, float]] = {}
    for name, side in sides.items():
        try:
            side()
        except (ValueError, RuntimeError, NotImplementedError) as error:
            sys.stderr.write(f"{name}: {error}\n")
            continue
        best[name] = (0.0, 0.0)
    for _ in range(rounds):
        for name in best:
            found = timed(sides[name])
            best[name] = (max(best[name][0], found[0]), max(best[name][1], found[1]))
    theirs = [best[name] for name in best if name != "ours"]
    wall, cpu = max(one[0] for one in theirs), max(one[1] for one in theirs)
    return {
        "batch": batch,
        "prompts": len(prompts),
        "k": k,
        "max_new_tokens": limit,
        **{f"{name}_tokens_per_s": round(one[0]) for name, one in best.items()},
        "ratio": round(best["ours"][0] / wall, 2),
        **{f"{name}_tokens_per_cpu_s": round(one[1]) for name, one in best.items()},
        "ratio_per_cpu_s": round(best["ours"][1] / cpu, 2),
    }


def on_gpu(rounds: int) -> dict[str, Any]:
    """0.5 billion random weights in bf16, 32 prompts of 256 tokens, 5 rollouts of 128."""
    import torch

    prompts, limit = [[10 + i] * 256 for i in range(32)], 128
    model = build(HALF_BILLION, stops=False, device="cuda").to(torch.bfloat16)
    found = compare(model, prompts, 32 * K, rounds, limit=limit)
    rows, config = 32 * K, model.config
    width = 2 * config.num_key_value_heads * config.head_dim * config.num_hidden_layers
    cache = 2 * rows * width * (256 + limit / 2)
    weights = 2 * sum(weight.numel() for weight in model.parameters())
    bytes_per_s = copy_bandwidth()
    least = (weights + cache) / bytes_per_s
    return {**found, "card": torch.cuda.get_device_name(), "limit_tokens_per_s": round(rows / least)}


def copy_bandwidth() -> float:
    """Bytes read a second, measured by copying a GiB: what is read is written too, so half of what moves."""
    import torch

    block = torch.empty(1 << 30, dtype=torch.uint8, device="cuda")
    other = torch.empty_like(block)
    best = 0.0
    for _ in range(10):
        torch.cuda.synchronize()
        started = time.perf_counter()
        other.copy_(block)
        torch.cuda.synchronize()
        best = max(best, 2 * block.numel() / (time.perf_counter() - started))
    return best


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent.parent))
    main()
