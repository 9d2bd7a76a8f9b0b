"""TRL 1.12.0, the last release that has PPO: where it comes from, and its trainer fed with given prompts.

It is installed without its dependencies into a folder that is thrown away, and comes first on PYTHONPATH.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

TRL = "trl==1.12.0"
QUIET = {"CUDA_VISIBLE_DEVICES": "", "TQDM_DISABLE": "1", "TRL_EXPERIMENTAL_SILENCE": "1", "HF_HUB_OFFLINE": "1"}


def install(folder: Path) -> str:
    """The folder for PYTHONPATH; TRL=FOLDER takes one that is there."""
    if there := os.environ.get("TRL"):
        return there
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(folder), TRL]
    subprocess.run(command, check=True, stdout=sys.stderr)
    return str(folder)


def python_path(*folders: str) -> str:
    return os.pathsep.join([*folders, os.environ.get("PYTHONPATH", "")]).strip(os.pathsep)


def scorer(policy: Path, reward_model: Path) -> Any:
    """A sequence classifier whose score is our reward model's, normalizer and all; TRL's critic starts from it too."""
    import torch
    from transformers import AutoModelForSequenceClassification

    from rewardmodel.model import RewardModel

    ours = RewardModel.load(reward_model)
    model = AutoModelForSequenceClassification.from_pretrained(policy, num_labels=1, dtype=torch.float32)
    model.base_model.load_state_dict(ours.trunk.state_dict())
    model.score = torch.nn.Linear(ours.head.in_features, 1)
    with torch.no_grad():
        model.score.weight.copy_(ours.head.weight / ours.std)
        model.score.bias.copy_((ours.head.bias - ours.mean) / ours.std)
    return model


def trainer(
    policy: Path, reward_model: Path, batches: Sequence[Sequence[list[int]]], callbacks: Sequence[Any], **arguments: Any
) -> Any:
    """A PPOTrainer whose iteration n answers the prompts `batches[n]`, one response to each row."""
    import torch
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl.experimental.ppo import PPOConfig, PPOTrainer

    rows = len(batches[0])
    config = PPOConfig(
        per_device_train_batch_size=rows,
        gradient_accumulation_steps=1,
        total_episodes=rows * len(batches),
        stop_token="eos",
        num_sample_generations=0,
        gradient_checkpointing=False,
        bf16=False,
        use_cpu=True,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        **arguments,
    )
    tokenizer = AutoTokenizer.from_pretrained(policy, padding_side="left")
    learning, reference = (AutoModelForCausalLM.from_pretrained(policy, dtype=torch.float32) for _ in range(2))
    made = PPOTrainer(
        args=config,
        processing_class=tokenizer,
        model=learning,
        ref_model=reference,
        reward_model=scorer(policy, reward_model),
        value_model=scorer(policy, reward_model),
        train_dataset=Dataset.from_dict({"input_ids": [ids for batch in batches for ids in batch]}),
        eval_dataset=Dataset.from_dict({"input_ids": list(batches[0])}),
        callbacks=list(callbacks),
    )
    made.dataloader = [tokenizer.pad({"input_ids": list(batch)}, return_tensors="pt") for batch in batches]
    return made
