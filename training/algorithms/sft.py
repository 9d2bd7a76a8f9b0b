"""Supervised fine-tuning on demonstrations: TRL's SFTTrainer on rows of our own serialization.

Rows come ready from `rewardmodel.chat.encode_conversation`, with labels on the assistant turns of the
demonstration only, so TRL neither tokenizes, truncates nor drops anything.
"""

from __future__ import annotations

import logging
import math
import shutil
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import PrinterCallback, TrainerCallback
from trl import SFTConfig as TrlConfig
from trl import SFTTrainer

from contracts import snapshots
from contracts.configs import SftConfig
from contracts.records import DemonstrationRecord
from contracts.run_dir import Cancelled, RunDir, RunSpec
from rewardmodel import chat
from training.algorithms import policy, states

IGNORED = -100  # the label that cross entropy leaves out
COMPLETE = "complete"  # a file that says that a checkpoint was written to its end
log = logging.getLogger(__name__)


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
    newest = newest_checkpoint(run_dir.state)
    run_dir.drop_after(int(newest.name.rpartition("-")[2]) if newest else -1)
    if newest:
        log.info("resumed from %s", newest.name)
    relay = Relay(run_dir)
    trainer = SFTTrainer(
        model=model,
        args=trainer_config(run_dir.state, config, spec.seed),
        train_dataset=Dataset.from_list(rows.train),
        processing_class=tokenizer,
        peft_config=lora(config.lora_rank),
        callbacks=[relay],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train(resume_from_checkpoint=str(newest) if newest else None)
    if relay.cancelled:
        raise Cancelled
    trained = trainer.accelerator.unwrap_model(trainer.model)
    if config.lora_rank:
        trained = trained.merge_and_unload()
    trained.eval()
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
        output_dir=str(folder),
        num_train_epochs=config.epochs,
        per_device_train_batch_size=config.batch_size,
        gradient_accumulation_steps=config.gradient_accumulation,
        learning_rate=config.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=min(config.warmup_ratio, 0.999),  # below 1 it is a share
        weight_decay=config.weight_decay,
        max_grad_norm=config.gradient_clip,
        gradient_checkpointing=config.gradient_checkpointing,
        bf16=config.bf16,
        seed=seed,
        data_seed=seed,
        max_length=None,
        packing=False,
        dataset_kwargs={"skip_prepare_dataset": True},
        save_strategy="steps",
        save_steps=config.save_every,
        save_total_limit=2,  # the one before stays until the new one is whole
        logging_steps=1,
        logging_nan_inf_filter=False,
        report_to="none",
        disable_tqdm=True,
        dataloader_pin_memory=torch.cuda.is_available(),
    )


def lora(rank: int) -> Any:
    if not rank:
        return None
    from peft import LoraConfig

    return LoraConfig(r=rank, lora_alpha=2 * rank, lora_dropout=0.0, target_modules="all-linear", task_type="CAUSAL_LM")


def newest_checkpoint(folder: Path) -> Path | None:
    """The newest whole checkpoint; broken ones, which a kill left behind, are removed."""
    found = {int(path.name.rpartition("-")[2]): path for path in folder.glob("checkpoint-*")}
    for step, path in sorted(found.items()):
        if not (path / COMPLETE).exists():
            shutil.rmtree(path)
            del found[step]
    return found[max(found)] if found else None


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


class Relay(TrainerCallback):
    """Carries the trainer's metrics out, under our names, and requests to cancel in."""

    def __init__(self, run_dir: RunDir, names: dict[str, str] | None = None) -> None:
        self.run_dir = run_dir
        self.names = {"grad_norm": "gradient_norm", "mean_token_accuracy": "token_accuracy", **(names or {})}
        self.cancelled = False
        self.loss: float | None = None
        self.shown = 0.0

    def on_step_end(self, _args: Any, state: Any, control: Any, **_: Any) -> None:
        if self.run_dir.cancel_requested():
            self.cancelled = True
            control.should_save = control.should_training_stop = True
        if time.monotonic() - self.shown > 0.3 or state.global_step == state.max_steps:
            self.shown = time.monotonic()
            text = f"loss {self.loss:.3f}" if self.loss is not None else ""
            self.run_dir.set_progress("train", state.global_step, state.max_steps, text)

    def on_log(self, _args: Any, state: Any, _control: Any, logs: dict[str, Any], **_: Any) -> None:
        if "loss" not in logs:
            return
        self.loss = float(logs["loss"])
        if not math.isfinite(self.loss):
            raise SftError(f"the loss became {self.loss} at step {state.global_step}; lower learning_rate")
        # TRL counts tokens from 0 again after a resume.
        values = {self.names.get(name, name): float(value) for name, value in logs.items() if name != "num_tokens"}
        self.run_dir.add_metrics(state.global_step, **values)

    def on_save(self, args: Any, state: Any, _control: Any, **_: Any) -> None:
        (Path(args.output_dir) / f"checkpoint-{state.global_step}" / COMPLETE).touch()
