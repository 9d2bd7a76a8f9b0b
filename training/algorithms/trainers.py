"""What runs on TRL's trainers share: how they are told, resumed, cancelled and listened to."""

from __future__ import annotations

import logging
import math
import shutil
import time
from pathlib import Path
from typing import Any

import torch
from transformers import PrinterCallback, TrainerCallback

from contracts.configs import DpoConfig, SftConfig
from contracts.run_dir import Cancelled, RunDir

COMPLETE = "complete"  # a file that says that a checkpoint was written to its end
log = logging.getLogger(__name__)


class Diverged(ValueError):
    """The loss is not a number any more."""

    code = "diverged"


def arguments(folder: Path, config: SftConfig | DpoConfig, seed: int) -> dict[str, Any]:
    """What every trainer is told alike: rows come ready, the state is saved whole, the metrics go through us."""
    return {
        "output_dir": str(folder),
        "num_train_epochs": config.epochs,
        "per_device_train_batch_size": config.batch_size,
        "gradient_accumulation_steps": config.gradient_accumulation,
        "learning_rate": config.learning_rate,
        "lr_scheduler_type": "cosine",
        "warmup_steps": min(config.warmup_ratio, 0.999),  # below 1 it is a share
        "max_grad_norm": config.gradient_clip,
        "gradient_checkpointing": config.gradient_checkpointing,
        "bf16": config.bf16,
        "seed": seed,
        "data_seed": seed,
        "max_length": None,
        "save_strategy": "steps",
        "save_steps": config.save_every,
        "save_total_limit": 2,  # the one before stays until the new one is whole
        "logging_steps": 1,
        "logging_nan_inf_filter": False,
        "report_to": "none",
        "disable_tqdm": True,
        "dataloader_pin_memory": torch.cuda.is_available(),
    }


def train(trainer: Any, run_dir: RunDir, relay: Relay) -> Any:
    """Train to the end from the newest whole checkpoint; returns the bare model in eval mode, adapters merged."""
    newest = newest_checkpoint(run_dir.state)
    run_dir.drop_after(int(newest.name.rpartition("-")[2]) if newest else -1)
    if newest:
        log.info("resumed from %s", newest.name)
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(relay)
    trainer.train(resume_from_checkpoint=str(newest) if newest else None)
    if relay.cancelled:
        raise Cancelled
    trained = trainer.accelerator.unwrap_model(trainer.model)
    if hasattr(trained, "merge_and_unload"):
        trained = trained.merge_and_unload()
    return trained.eval()


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
            raise Diverged(f"the loss became {self.loss} at step {state.global_step}; lower learning_rate")
        # TRL counts tokens from 0 again after a resume.
        values = {self.names.get(name, name): float(value) for name, value in logs.items() if name != "num_tokens"}
        self.run_dir.add_metrics(state.global_step, **values)

    def on_save(self, args: Any, state: Any, _control: Any, **_: Any) -> None:
        (Path(args.output_dir) / f"checkpoint-{state.global_step}" / COMPLETE).touch()
