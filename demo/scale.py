"""How large a round is: numbers of prompts and documents, and the config of each run.

`FULL` is what `make run` plays: about four minutes on two cores. `SMALL` is the same round for tests.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Configs = dict[str, dict[str, Any]]

MAX_NEW_TOKENS = 40


@dataclass(frozen=True)
class Scale:
    """Sizes of one round. `overlap` is how many labelers rank the same rollout set."""

    train_prompts: int
    heldout_prompts: int
    documents: int
    overlap: int
    configs: Configs = field(default_factory=dict)


FULL = Scale(
    train_prompts=480,
    heldout_prompts=120,
    documents=18_000,
    overlap=2,
    configs={
        "pretrain": {
            "vocab_size": 768,
            "hidden_size": 128,
            "layers": 4,
            "heads": 4,
            "context": 128,
            "sequence_length": 128,
            "batch_size": 8,
            "steps": 1_400,
            "learning_rate": 4e-3,
            "save_every": 350,
        },
        "sft": {"epochs": 3.0, "batch_size": 16, "learning_rate": 5e-4, "max_length": 128},
        "sample": {"rollouts_per_prompt": 5, "max_new_tokens": MAX_NEW_TOKENS, "batch_size": 320},
        "reward_model": {"epochs": 1, "batch_groups": 8, "learning_rate": 5e-4},
        "ppo": {
            "updates": 28,
            "prompts_per_update": 32,
            "rollouts_per_prompt": 4,
            "max_new_tokens": MAX_NEW_TOKENS,
            "learning_rate": 5e-4,
            "kl_coefficient": 0.3,
        },
        "evaluate": {"rollouts_per_prompt": 4, "max_new_tokens": MAX_NEW_TOKENS, "batch_size": 320},
    },
)

SMALL = Scale(
    train_prompts=40,
    heldout_prompts=12,
    documents=600,
    overlap=2,
    configs={
        "pretrain": {
            "vocab_size": 512,
            "hidden_size": 32,
            "layers": 2,
            "heads": 2,
            "context": 128,
            "sequence_length": 64,
            "batch_size": 8,
            "steps": 60,
            "save_every": 20,
        },
        "sft": {"epochs": 1.0, "batch_size": 8, "max_length": 128, "save_every": 2},
        "sample": {"rollouts_per_prompt": 5, "max_new_tokens": 16, "batch_size": 64},
        "reward_model": {"epochs": 1, "batch_groups": 8, "save_every": 2},
        "ppo": {
            "updates": 3,
            "prompts_per_update": 8,
            "rollouts_per_prompt": 2,
            "max_new_tokens": 16,
            "critic_warmup_updates": 1,
            "save_every": 1,
        },
        "evaluate": {"rollouts_per_prompt": 2, "max_new_tokens": 16, "batch_size": 64},
    },
)
