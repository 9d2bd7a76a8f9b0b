"""DeepSpeed configs: what they ask of the loop, and what they may not contradict."""

import json

import pytest

from contracts.configs import PpoConfig
from training.algorithms import ppo_deepspeed
from training.algorithms.ppo_deepspeed import DeepSpeedConfigError, asked, check, problems, stage

pytestmark = pytest.mark.torch

# 32 prompts * 4 rollouts / 2 minibatches: 64 rollouts an optimizer step.
CONFIG = PpoConfig(prompts_per_update=32, rollouts_per_prompt=4, minibatches=2, gradient_clip=1.0, learning_rate=3e-4)
# As transformers' documentation has it, with everything left to the trainer.
AUTO = {
    "bf16": {"enabled": "auto"},
    "optimizer": {"type": "AdamW", "params": {name: "auto" for name in ("lr", "betas", "eps", "weight_decay")}},
    "zero_optimization": {
        "stage": 2,
        "overlap_comm": True,
        "offload_optimizer": {"device": "none"},
        "reduce_bucket_size": 2e8,
    },
    "gradient_accumulation_steps": "auto",
    "gradient_clipping": "auto",
    "train_batch_size": "auto",
    "train_micro_batch_size_per_gpu": "auto",
    "steps_per_print": 2_000,
}


def test_a_config_that_leaves_everything_to_the_run_contradicts_nothing():
    assert list(problems(AUTO, CONFIG, 8)) == []
    assert list(problems({}, CONFIG, 8)) == []
    assert stage(AUTO) == 2
    assert stage({}) == stage(None) == 0


def test_numbers_that_agree_with_the_run_are_accepted():
    agreeing = {
        "train_batch_size": 64,
        "train_micro_batch_size_per_gpu": 4,
        "gradient_accumulation_steps": 2,
        "gradient_clipping": 1.0,
        "bf16": {"enabled": False},
        "fp16": {"enabled": False},
        "optimizer": {"type": "AdamW", "params": {"lr": 3e-4, "betas": [0.9, 0.999]}},
    }
    assert list(problems(agreeing, CONFIG, 8)) == []
    # Eight rollouts of each process, once: the product alone has to be the step's.
    assert list(problems({"train_micro_batch_size_per_gpu": 8, "gradient_accumulation_steps": 1}, CONFIG, 8)) == []


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"zero_optimization": {"stage": 4}}, "found ZeRO stage 4, expected 0, 1, 2 or 3"),
        ({"zero_optimization": {"offload_optimizer": {"device": "cpu"}}}, "found offload_optimizer to cpu"),
        ({"zero_optimization": {"offload_param": {"device": "nvme"}}}, "found offload_param to nvme"),
        ({"fp16": {"enabled": True}}, "found fp16, expected bf16"),
        ({"bf16": {"enabled": True}}, "found bf16.enabled True, expected bf16 False"),
        ({"gradient_clipping": 0.5}, "found gradient_clipping 0.5, expected gradient_clip 1.0"),
        ({"train_batch_size": 32}, "found train_batch_size 32, expected the 64 rollouts"),
        (
            {"train_micro_batch_size_per_gpu": 4, "gradient_accumulation_steps": 1},
            "train_batch_size 32, expected the 64",
        ),
        (
            {"train_batch_size": 64, "train_micro_batch_size_per_gpu": 4, "gradient_accumulation_steps": 4},
            "found train_batch_size 64, expected 4 * 4 * 8 processes",
        ),
        ({"optimizer": {"type": "Lamb"}}, "found the optimizer Lamb, expected AdamW"),
        ({"optimizer": {"params": {"lr": 1e-6}}}, "found optimizer.lr 1e-06, expected AdamW's 0.0003"),
        ({"scheduler": {"type": "WarmupLR"}}, "found scheduler, expected none"),
    ],
)
def test_what_contradicts_the_run_is_named_with_what_was_expected(entry, said):
    (found,) = problems(entry, CONFIG, 8)
    assert said in found


def test_adapters_and_zero_stages_exclude_each_other():
    config = PpoConfig(lora_rank=8)
    assert "found ZeRO stage 3 and lora_rank 8" in "".join(problems({"zero_optimization": {"stage": 3}}, config, 2))
    assert list(problems({"zero_optimization": {"stage": 0}}, config, 2)) == []


def test_the_launchers_options_and_its_file_are_read(tmp_path):
    assert asked({"ACCELERATE_DEEPSPEED_ZERO_STAGE": "3"}) is None, "not a launch with DeepSpeed"
    options = {
        "ACCELERATE_USE_DEEPSPEED": "true",
        "ACCELERATE_DEEPSPEED_ZERO_STAGE": "3",
        "ACCELERATE_GRADIENT_CLIPPING": "0.5",
        "ACCELERATE_DEEPSPEED_OFFLOAD_PARAM_DEVICE": "cpu",
        "ACCELERATE_DEEPSPEED_OFFLOAD_OPTIMIZER_DEVICE": "none",
    }
    assert asked(options) == {
        "zero_optimization": {"stage": 3, "offload_param": {"device": "cpu"}},
        "gradient_clipping": 0.5,
    }
    file = tmp_path / "ds.json"
    file.write_text(json.dumps(AUTO))
    launch = {"ACCELERATE_USE_DEEPSPEED": "true", "ACCELERATE_DEEPSPEED_CONFIG_FILE": str(file)}
    assert asked(launch) == AUTO
    file.write_text("stage: 2")
    with pytest.raises(DeepSpeedConfigError, match=r"ds\.json cannot be read .* name a JSON file"):
        asked(launch)


def test_a_launch_that_contradicts_its_run_is_refused_with_every_reason(monkeypatch):
    monkeypatch.setenv("ACCELERATE_USE_DEEPSPEED", "true")
    monkeypatch.setenv("ACCELERATE_DEEPSPEED_ZERO_STAGE", "2")
    check(CONFIG, 8)
    monkeypatch.setenv("ACCELERATE_GRADIENT_CLIPPING", "0.5")
    monkeypatch.setenv("ACCELERATE_DEEPSPEED_OFFLOAD_OPTIMIZER_DEVICE", "cpu")
    with pytest.raises(DeepSpeedConfigError, match=r"offload_optimizer to cpu.*gradient_clipping 0\.5"):
        check(CONFIG, 8)
    monkeypatch.delenv("ACCELERATE_USE_DEEPSPEED")
    check(CONFIG, 8)
    assert ppo_deepspeed.asked() is None
