"""Supervised fine-tuning on demonstrations: TRL's SFTTrainer on rows of our own serialization.

Rows come ready from `rewardmodel.chat.encode_conversation`, with labels on the assistant turns of the
demonstration only, so TRL neither tokenizes, truncates nor drops anything.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from trl import SFTConfig as TrlConfig
from trl import SFTTrainer

from contracts import snapshots
from contracts.configs import SftConfig
from contracts.records import DemonstrationRecord
from contracts.run_dir import RunDir, RunSpec
from rewardmodel import chat
from training.algorithms import policy, states
from training.algorithms.trainers import Relay, arguments, lora, train

IGNORED = -100  # the label that cross entropy leaves out


class SftError(ValueError):
    """The demonstrations cannot be trained on, or training broke down."""


@dataclass
class Rows:
    """Pre-tokenized conversations by split, and how many demonstrations were left out and why."""

    train: list[dict[str, list[int]]] = field(default_factory=list)
    heldout: list[dict[str, list[int]]] = field(default_factory=list)
    too_long: int = 0
    weightless: int = 0


def run(run_dir: RunDir, config: SftConfig, spec: RunSpec) -> None:
    if config.bf16 and not torch.cuda.is_available():
        raise SftError("bf16 is set and there is no GPU; set bf16 to false")
    run_dir.set_progress("load", 0, 0)
    states.seed_everything(spec.seed)
    model, tokenizer = policy.load_policy(run_dir.input("base"))
    records = snapshots.read(Path(run_dir.input("demonstrations")), DemonstrationRecord)
    rows = encode(tokenizer, records, config.max_length)
    if not rows.train:
        raise SftError(
            f"no demonstration to train on: {rows.too_long} longer than max_length {config.max_length}, "
            f"{rows.weightless} of weight 0, {len(rows.heldout)} held out; collect more or raise max_length"
        )
    before = mean_loss(model, rows.heldout, config.batch_size)
    relay = Relay(run_dir)
    trainer = SFTTrainer(
        model=model,
        args=trainer_config(run_dir.state, config, spec.seed),
        train_dataset=Dataset.from_list(rows.train),
        processing_class=tokenizer,
        peft_config=lora(config.lora_rank),
    )
    trained = train(trainer, run_dir, relay)
    with run_dir.saving_output(**states.provenance(spec, "policy")) as folder:
        policy.save_policy(trained, tokenizer, folder)
    run_dir.write_report(
        {
            "demonstrations": len(rows.train),
            "refused_too_long": rows.too_long,
            "refused_weightless": rows.weightless,
            "steps": trainer.state.global_step,
            "tokens": sum(len(row["input_ids"]) for row in rows.train),
            "learned_tokens": sum(label != IGNORED for row in rows.train for label in row["labels"]),
            "loss": relay.loss,
            "heldout_demonstrations": len(rows.heldout),
            "heldout_loss_before": before,
            "heldout_loss": mean_loss(trained, rows.heldout, config.batch_size),
        }
    )


def encode(tokenizer: Any, records: Iterable[DemonstrationRecord], max_length: int) -> Rows:
    rows = Rows()
    for record in records:
        if record.weight <= 0:
            rows.weightless += 1
            continue
        ids, learned = chat.encode_conversation(
            tokenizer, [*record.prompt, *record.reply], learn_from=len(record.prompt)
        )
        if len(ids) > max_length:
            rows.too_long += 1
            continue
        labels = [token if counts else IGNORED for token, counts in zip(ids, learned, strict=True)]
        target = rows.train if record.split == "train" else rows.heldout
        target.append({"input_ids": ids, "labels": labels})
    return rows


def trainer_config(folder: Path, config: SftConfig, seed: int) -> TrlConfig:
    return TrlConfig(
        **arguments(folder, config, seed),
        weight_decay=config.weight_decay,
        packing=False,
        dataset_kwargs={"skip_prepare_dataset": True},
    )


@torch.no_grad()
def mean_loss(model: Any, rows: list[dict[str, list[int]]], batch_size: int) -> float | None:
    """Mean loss over the learned tokens of rows, nats a token; None where there is no row."""
    total, count = 0.0, 0
    for start in range(0, len(rows), batch_size):
        chosen = rows[start : start + batch_size]
        longest = max(len(row["input_ids"]) for row in chosen)
        ids = torch.tensor([row["input_ids"] + [0] * (longest - len(row["input_ids"])) for row in chosen])
        labels = torch.tensor([row["labels"] + [IGNORED] * (longest - len(row["labels"])) for row in chosen])
        ids, labels = ids.to(model.device), labels.to(model.device)[:, 1:]
        hidden = model.base_model(input_ids=ids).last_hidden_state[:, :-1]  # right padding, causal: no mask needed
        mask = labels != IGNORED
        logprobs, _ = policy.token_logprobs(model.get_output_embeddings(), hidden[mask], labels[mask], 1.0)
        total -= float(logprobs.sum())
        count += int(mask.sum())
    return total / count if count else None
