"""Estimates by hand, and the table that the documents print from them."""

from pathlib import Path

import pytest

from training.algorithms import ppo_costs
from training.algorithms.ppo_costs import Device, Size, Work

DOCUMENT = Path(__file__).parents[3] / "docs" / "scale.md"
TINY = Size(trunk=1_000, layers=2, hidden=10, cache_width=5, vocabulary=0)
# Sizes of well-known open models; their names say about how many weights they have.
SIZES = {
    "0.5B": Size(trunk=0.36e9, layers=24, hidden=896, cache_width=128, vocabulary=151_936),
    "1.5B": Size(trunk=1.31e9, layers=28, hidden=1_536, cache_width=256, vocabulary=151_936),
    "7B": Size(trunk=6.5e9, layers=28, hidden=3_584, cache_width=512, vocabulary=152_064),
}
GPU = Device(flops=989e12, bandwidth=3.35e12, memory=80e9, link=450e9)
WORK = {"G": 256, "K": 4, "P": 256, "R": 256, "checkpointing": True}


def test_an_iteration_of_four_epochs_is_32_passes_with_a_shared_critic_and_58_with_its_own():
    for critic, expected in (("shared", 32), ("none", 32), ("separate", 58)):
        work = Work(G=3, K=5, P=100, R=50, epochs=4, critic=critic)
        assert work.tokens == 3 * (100 + 250)
        assert sum(ppo_costs.flops(TINY, work).values()) == pytest.approx(expected * 1_000 * work.tokens)


def test_the_head_works_on_response_tokens_only():
    with_head = Size(trunk=0, layers=2, hidden=10, cache_width=5, vocabulary=7)
    found = ppo_costs.flops(with_head, Work(G=3, K=5, P=100, R=50, epochs=2, critic="shared"))
    one = 2 * 7 * 10 * 750
    assert found == {"rollouts": one, "measure": 2 * one, "update": 6 * one}


def test_memory_of_a_small_case_by_hand():
    found = ppo_costs.memory(TINY, Work(G=2, K=2, P=6, R=4, critic="shared", micro_batch_tokens=64))
    assert found["weights"] == 3 * 4 * 1_000
    assert found["gradients and Adam"] == 12 * 1_000
    assert found["activations"] == 34 * 64 * 10 * 2
    assert found["decoding cache"] == 4 * 10 * (2 * 2 * 2 * 5)
    separate = ppo_costs.memory(TINY, Work(G=2, K=2, P=6, R=4, micro_batch_tokens=64))
    assert separate["weights"] == 4 * 4 * 1_000
    assert separate["gradients and Adam"] == 24 * 1_000


def test_adapters_take_one_base_and_recomputation_keeps_the_layers_inputs():
    small = ppo_costs.memory(SIZES["7B"], Work(**WORK, lora_rank=16))
    whole = ppo_costs.memory(SIZES["7B"], Work(**WORK))
    assert small["weights"] < 0.27 * whole["weights"]
    assert small["gradients and Adam"] < 0.02 * whole["gradients and Adam"]
    plain = ppo_costs.memory(SIZES["7B"], Work(**{**WORK, "checkpointing": False}))
    assert whole["activations"] * 17 == plain["activations"]


def test_few_rows_decode_at_the_speed_of_memory_and_processes_share_the_prompts():
    few = Work(**{**WORK, "G": 8})
    one = ppo_costs.seconds(SIZES["7B"], few, GPU)
    weights = 2 * SIZES["7B"].weights * 256 / (3.35e12 * 0.6)  # read once for each of 256 tokens
    assert weights < one["rollouts"] < 1.2 * weights
    eight = ppo_costs.seconds(SIZES["7B"], few, GPU, processes=8)
    assert eight["update"] == pytest.approx(one["update"] / 8)
    assert eight["rollouts"] > weights  # every device still reads them all
    moved = 16 * 2 * 4 * 2 * SIZES["7B"].weights * 7 / 8  # 16 steps, both trunks, there and back
    assert eight["exchange"] == pytest.approx(moved / 450e9)
    assert "exchange" not in one


def rows() -> list[str]:
    lines = []
    for name, size in SIZES.items():
        for label, options in (
            ("all weights, separate critic", {}),
            ("all weights, shared critic", {"critic": "shared"}),
            ("LoRA 16, separate critic", {"lora_rank": 16}),
        ):
            work = Work(**WORK, **options)
            held = {part: bytes_ / 1e9 for part, bytes_ in ppo_costs.memory(size, work).items()}
            total = sum(held.values())
            one, eight = (sum(ppo_costs.seconds(size, work, GPU, processes=n).values()) for n in (1, 8))
            fits = "yes" if total * 1e9 < 0.9 * GPU.memory else "no"
            parts = " | ".join(f"{value:.0f}" for value in held.values())
            lines.append(f"| {name} | {label} | {parts} | {total:.0f} | {fits} | {one:.0f} | {eight:.0f} |")
    return lines


def test_the_table_of_the_document_is_what_the_formulas_give():
    text = DOCUMENT.read_text()
    for line in rows():
        assert line in text, "\n".join(rows())
