"""Direct preference optimization on rankings: TRL's DPOTrainer on pairs of our own serialization (arXiv 2305.18290).

A pair is a prompt with a better and a worse response of one ranking, in the ids that the reward model sees too, so
TRL neither tokenizes, truncates nor drops anything. The reference is the starting policy; with LoRA it is the base
with its adapters off.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from trl import DPOConfig as TrlConfig
from trl import DPOTrainer

from contracts.configs import DpoConfig
from contracts.run_dir import RunDir, RunSpec
from rewardmodel import groups as rankings
from rewardmodel import prefix
from rewardmodel.batches import by_tokens
from rewardmodel.groups import Group
from training.algorithms import policy, states
from training.algorithms.trainers import Relay, arguments, lora, train

PASS_TOKENS = 16_384
# TRL's names of what it reports, and ours.
NAMES = {
    "rewards/chosen": "reward_better",
    "rewards/rejected": "reward_worse",
    "rewards/accuracies": "pair_accuracy",
    "rewards/margins": "margin",
    "logps/chosen": "logprob_better",
    "logps/rejected": "logprob_worse",
}


class DpoError(ValueError):
    """The rankings cannot be learned from."""


class PairTrainer(DPOTrainer):
    """TRL's trainer, told that its rows are ready: the one thing it has no option for."""

    def _prepare_dataset(self, dataset: Any, *_: Any) -> Any:
        return dataset


def run(run_dir: RunDir, config: DpoConfig, spec: RunSpec) -> None:
    started = time.monotonic()
    if config.bf16 and not torch.cuda.is_available():
        raise DpoError("bf16 is set and there is no GPU; set bf16 to false")
    run_dir.set_progress("load", 0, 0)
    states.seed_everything(spec.seed)
    model, tokenizer = policy.load_policy(run_dir.input("policy"))
    reference, _ = policy.load_policy(run_dir.input("policy"))
    reference.requires_grad_(False)
    everyone, counts = rankings.read(run_dir.input("rankings"), tokenizer, max_length=config.max_length)
    learned = [group for group in everyone if group.split == "train"]
    heldout = [group for group in everyone if group.split == "heldout"]
    pairs = [row for group in learned for row in rows(group, config.pairs)]
    if not pairs:
        raise DpoError(f"none of {len(everyone)} rankings is for training; give rankings of training prompts")
    relay = Relay(run_dir, NAMES)
    trainer = PairTrainer(
        model=model,
        ref_model=None if config.lora_rank else reference,
        args=trainer_config(run_dir.state, config, spec.seed),
        train_dataset=Dataset.from_list(pairs),
        processing_class=tokenizer,
        peft_config=lora(config.lora_rank),
    )
    trained = train(trainer, run_dir, relay)
    with run_dir.saving_output(**states.provenance(spec, "policy")) as folder:
        policy.save_policy(trained, tokenizer, folder)
    measured = {
        f"{name}_{key}": value
        for name, part in (("train", learned), ("heldout", heldout))
        for key, value in measure(trained, reference, tokenizer, part, config).items()
    }
    run_dir.write_report(
        {
            "rankings": len(learned),
            "pairs": len(pairs),
            "heldout_rankings": len(heldout),
            "refused": dict(counts.refused),
            "truncated": counts.truncated,
            "steps": trainer.state.global_step,
            "loss": relay.loss,
            **measured,
            "seconds": time.monotonic() - started,
        }
    )


def rows(group: Group, which: str) -> list[dict[str, list[int]]]:
    """The pairs of a ranking in TRL's columns: all decided ones, or the one furthest apart in rank."""
    chosen = group.pairs
    if which == "furthest":
        ranks = [rank if rank is not None else len(group.responses) + 1 for rank in group.ranks]
        chosen = (max(group.pairs, key=lambda pair: ranks[pair[1]] - ranks[pair[0]]),)
    return [
        {
            "prompt_ids": list(group.prompt),
            "chosen_ids": list(group.responses[better]),
            "rejected_ids": list(group.responses[worse]),
        }
        for better, worse in chosen
    ]


def trainer_config(folder: Path, config: DpoConfig, seed: int) -> TrlConfig:
    return TrlConfig(
        **arguments(folder, config, seed),
        weight_decay=0.0,
        beta=config.beta,
        loss_type=[config.loss],
        label_smoothing=config.label_smoothing,
        disable_dropout=True,
    )


@torch.no_grad()
def measure(
    trained: Any, reference: Any, tokenizer: Any, part: Sequence[Group], config: DpoConfig
) -> dict[str, float | None]:
    """Share of decided pairs that the implicit reward beta · (log p - log p_ref) orders as people did, and the mean
    margin, over rankings of equal weight; None where there is none."""
    if not part:
        return {"pair_accuracy": None, "margin": None}
    right = margin = 0.0
    for chosen in by_tokens([group.shape for group in part], PASS_TOKENS):
        batch = prefix.batch(
            [part[i].prompt for i in chosen],
            [part[i].responses for i in chosen],
            pad_id=tokenizer.pad_token_id,
            device=trained.device,
        )
        moved = [policy.response_logprobs(model, batch)[0].double().sum(1) for model in (trained, reference)]
        rewards = (config.beta * (moved[0] - moved[1])).tolist()
        for i in chosen:
            own, rewards = rewards[: len(part[i].responses)], rewards[len(part[i].responses) :]
            gaps = [own[better] - own[worse] for better, worse in part[i].pairs]
            right += sum((gap > 0) + 0.5 * (gap == 0) for gap in gaps) / len(gaps)
            margin += sum(gaps) / len(gaps)
    return {"pair_accuracy": right / len(part), "margin": margin / len(part)}
