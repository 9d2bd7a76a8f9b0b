"""Loads packages by `datasets.load_dataset` and takes one step of each of TRL's trainers on them. Run as a program."""

import json
import os
import sys
import tempfile
from pathlib import Path

os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": "", "WANDB_DISABLED": "true"}
os.environ["HF_HOME"] = tempfile.mkdtemp(prefix="rankloop-hf-")

import torch
from datasets import load_dataset
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    LlamaForSequenceClassification,
    PreTrainedTokenizerFast,
)
from trl import DPOConfig, DPOTrainer, RewardConfig, RewardTrainer, SFTConfig, SFTTrainer

TEMPLATE = (
    "{% for m in messages %}<|{{ m['role'] }}|>{% generation %}{{ m['content'] }}{% endgeneration %}<eos>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def tokenizer() -> PreTrainedTokenizerFast:
    bytes_only = Tokenizer(models.BPE())
    bytes_only.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bytes_only.decoder = decoders.ByteLevel()
    special = ["<pad>", "<eos>"]
    bytes_only.train_from_iterator(
        [], trainers.BpeTrainer(special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    )
    found = PreTrainedTokenizerFast(tokenizer_object=bytes_only, pad_token="<pad>", eos_token="<eos>")
    found.chat_template = TEMPLATE
    return found


def main(folder: Path) -> dict[str, int]:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    words = tokenizer()
    size = LlamaConfig(
        vocab_size=len(words), hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
        max_position_embeddings=512, pad_token_id=0, eos_token_id=1, num_labels=1,
    )  # fmt: skip
    sets = {path.name: load_dataset(str(path)) for path in sorted(folder.iterdir())}
    assert all("train" in one for one in sets.values())
    common = {"max_steps": 1, "per_device_train_batch_size": 2, "report_to": [], "use_cpu": True, "bf16": False,
              "save_strategy": "no", "disable_tqdm": True, "output_dir": os.environ["HF_HOME"]}  # fmt: skip
    counts = {"loaded": len(sets), "sft": 0, "reward": 0, "dpo": 0}
    for name in ("demonstrations-trl", "demonstrations-openai"):
        step(SFTTrainer, LlamaForCausalLM(size), SFTConfig(**common), sets[name]["train"], words)
        counts["sft"] += 1
    for name in ("rankings-trl", "rankings-trl-implicit"):
        model = LlamaForSequenceClassification(size)
        step(RewardTrainer, model, RewardConfig(**common), sets[name]["train"], words)
        counts["reward"] += 1
    for name in ("rankings-trl", "rankings-trl-implicit", "rankings-trl-standard"):
        model, reference = LlamaForCausalLM(size), LlamaForCausalLM(size)
        step(DPOTrainer, model, DPOConfig(**common), sets[name]["train"], words, ref_model=reference)
        counts["dpo"] += 1
    return counts


def step(trainer, model, config, rows, words, **more) -> None:
    done = trainer(model=model, args=config, train_dataset=rows, processing_class=words, **more).train()
    assert done.global_step == 1
    assert done.training_loss == done.training_loss


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(Path(sys.argv[1]))) + "\n")
