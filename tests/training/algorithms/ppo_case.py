"""A case small enough to learn in seconds: a dozen words, a random Llama, a random reward model."""

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from contracts import configs, snapshots
from contracts.records import Message, PromptRecord
from contracts.run_dir import InputRef, RunDir, RunSpec
from rewardmodel import chat
from rewardmodel.model import RewardModel
from training.algorithms import policy

WORDS = ["[UNK]", chat.IM_START, chat.IM_END, chat.PAD, "user", "assistant", *"abcdef"]


def tokenizer() -> PreTrainedTokenizerFast:
    words = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    made = PreTrainedTokenizerFast(
        tokenizer_object=words,
        unk_token="[UNK]",
        eos_token=chat.IM_END,
        pad_token=chat.PAD,
        extra_special_tokens=[chat.IM_START],
    )
    made.chat_template = chat.CHAT_TEMPLATE
    return made


def prompt(number: int, *, split: str = "train", words: int = 0) -> PromptRecord:
    text = " ".join("abcdef"[(number + i * i) % 6] for i in range(words or 1 + number % 4))
    return PromptRecord(id=str(number), messages=(Message(role="user", content=text),), split=split)


class Case:
    """Inputs on disk, and runs on them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        torch.manual_seed(0)
        model = LlamaForCausalLM(
            LlamaConfig(
                vocab_size=len(WORDS),
                hidden_size=32,
                intermediate_size=64,
                num_hidden_layers=2,
                num_attention_heads=2,
                max_position_embeddings=64,
                initializer_range=0.1,
                attention_dropout=0.5,
            )
        )
        policy.save_policy(model, tokenizer(), root / "policy")
        reward_model = RewardModel.from_base(root / "policy", seed=1)
        reward_model.mean, reward_model.std = 0.3, 0.7
        reward_model.save(root / "reward_model")
        records = [*map(prompt, range(11)), prompt(90, split="heldout"), prompt(91, words=60)]
        snapshots.write(root / "prompts", kind="prompts", records=records, details={})

    def start(self, name: str, *, seed: int = 5, **options: Any) -> tuple[RunDir, configs.PpoConfig, RunSpec]:
        plain = {
            "updates": 3,
            "prompts_per_update": 8,
            "rollouts_per_prompt": 3,
            "max_new_tokens": 12,
            "learning_rate": 3e-3,
            "critic_learning_rate": 3e-3,
            "critic_warmup_updates": 0,
            "save_every": 2,
            **options,
        }
        inputs = {name: InputRef(path=str(self.root / name)) for name in ("policy", "reward_model", "prompts")}
        spec = RunSpec(run_id="1", kind="ppo", config=plain, seed=seed, inputs=inputs)
        run_dir = RunDir(self.root / name)
        run_dir.create(spec)
        config = configs.parse("ppo", plain)
        assert isinstance(config, configs.PpoConfig)
        return run_dir, config, spec
