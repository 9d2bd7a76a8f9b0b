"""What a launch with a DeepSpeed config asks for, in the terms of this loop.

ZeRO says what is cut over the processes: at stages 1 and 2 gradients and Adam's moments of the models that learn, at 3
the weights of all models too. torch's own shards do that here (`ppo_shards.py`), so the launcher alone needs the
package. What the config says about batches, precision and the optimizer is the run's to say: "auto" takes it from
there, a number has to agree.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from contracts.configs import PpoConfig
from training.algorithms.ppo_math import ADAM_EPSILON

log = logging.getLogger(__name__)
USED = ("ACCELERATE_USE_DEEPSPEED", "ACCELERATE_DEEPSPEED_CONFIG_FILE")
# The launcher's own options, which stand for entries of a config file.
OPTIONS = {
    "ACCELERATE_DEEPSPEED_ZERO_STAGE": ("zero_optimization", "stage"),
    "ACCELERATE_DEEPSPEED_OFFLOAD_OPTIMIZER_DEVICE": ("zero_optimization", "offload_optimizer", "device"),
    "ACCELERATE_DEEPSPEED_OFFLOAD_PARAM_DEVICE": ("zero_optimization", "offload_param", "device"),
    "ACCELERATE_GRADIENT_CLIPPING": ("gradient_clipping",),
    "ACCELERATE_GRADIENT_ACCUMULATION_STEPS": ("gradient_accumulation_steps",),
}
# They cut a model in other ways, or change what is learned.
REFUSED = ("scheduler", "tensor_parallel", "pipeline", "sequence_parallel_size", "compression_training", "amp")
READ = (
    "zero_optimization", "gradient_clipping", "gradient_accumulation_steps", "train_batch_size",
    "train_micro_batch_size_per_gpu", "fp16", "bf16", "optimizer",
)  # fmt: skip


class DeepSpeedConfigError(ValueError):
    """A DeepSpeed config cannot be read, or asks for what the run does not do."""


def asked(environment: Mapping[str, str] = os.environ) -> dict[str, Any] | None:
    """The DeepSpeed config of this launch, as one dictionary; None where it is a launch without one.

    Raises `DeepSpeedConfigError` for a file that cannot be read.
    """
    if environment.get(USED[0], "false").lower() not in ("true", "1"):
        return None
    made: dict[str, Any] = {}
    for name, path in OPTIONS.items():
        if (value := environment.get(name, "none")).lower() != "none":
            _set(made, path, _number(value))
    if (file := environment.get(USED[1], "none")).lower() != "none":
        try:
            made |= json.loads(Path(file).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise DeepSpeedConfigError(
                f"the DeepSpeed config {file} cannot be read ({error}); name a JSON file"
            ) from error
    return made


def stage(found: Mapping[str, Any] | None) -> int:
    """0 to 3; DeepSpeed's own default is 0."""
    return int((found or {}).get("zero_optimization", {}).get("stage", 0))


def check(config: PpoConfig, processes: int) -> None:
    """Raise `DeepSpeedConfigError` where this launch has a DeepSpeed config that contradicts the run's."""
    found = asked()
    if found is None:
        return
    if wrong := list(problems(found, config, processes)):
        raise DeepSpeedConfigError("the DeepSpeed config and the run do not agree: " + "; ".join(wrong))
    unused = sorted(set(found) - set(READ))
    log.info("DeepSpeed config of ZeRO stage %d, by torch's shards; unused: %s", stage(found), unused or "nothing")


def problems(found: Mapping[str, Any], config: PpoConfig, processes: int) -> Iterator[str]:
    """One sentence for each entry that contradicts the run: what was found, what was expected, the remedy."""
    zero = found.get("zero_optimization", {})
    if zero.get("stage", 0) not in (0, 1, 2, 3):
        yield f"found ZeRO stage {zero['stage']!r}, expected 0, 1, 2 or 3"
    elif zero.get("stage", 0) and config.lora_rank:
        yield (
            f"found ZeRO stage {zero['stage']} and lora_rank {config.lora_rank}, expected one of them: adapters share "
            "one base, which fits where shards would be needed; choose stage 0"
        )
    for name in ("offload_optimizer", "offload_param"):
        device = zero.get(name, {}).get("device", "none")
        if device != "none":
            yield f"found {name} to {device}, expected none: nothing is moved out here; use more processes or lora_rank"
    if found.get("fp16", {}).get("enabled", False) not in (False, "auto"):
        yield "found fp16, expected bf16 or neither: losses are not scaled here; set bf16 in the run's config"
    yield from _differs("bf16.enabled", found.get("bf16", {}).get("enabled", "auto"), "bf16", config.bf16)
    yield from _differs(
        "gradient_clipping", found.get("gradient_clipping", "auto"), "gradient_clip", config.gradient_clip
    )
    yield from _batch_problems(found, config, processes)
    optimizer = found.get("optimizer", {})
    if optimizer.get("type", "AdamW") not in ("AdamW", "Adam"):
        yield f"found the optimizer {optimizer['type']}, expected AdamW; leave it out"
    ours = {"lr": config.learning_rate, "eps": ADAM_EPSILON, "weight_decay": 0.0, "betas": [0.9, 0.999]}
    for name, value in optimizer.get("params", {}).items():
        yield from _differs(f"optimizer.{name}", value, "AdamW's", ours.get(name, "auto"))
    for name in REFUSED:
        if found.get(name):
            yield f"found {name}, expected none: it is not done here; leave it out"


def _batch_problems(found: Mapping[str, Any], config: PpoConfig, processes: int) -> Iterator[str]:
    """DeepSpeed's rule is train_batch_size = micro batch * accumulation * processes, in rollouts of one step."""
    total, micro, steps = (
        found.get(name, "auto")
        for name in ("train_batch_size", "train_micro_batch_size_per_gpu", "gradient_accumulation_steps")
    )
    if total == "auto" and "auto" not in (micro, steps):
        total = micro * steps * processes
    elif "auto" not in (total, micro, steps) and total != micro * steps * processes:
        yield (
            f"found train_batch_size {total}, expected {micro} * {steps} * {processes} processes; leave one of the "
            'three "auto"'
        )
        return
    rollouts = config.prompts_per_update * config.rollouts_per_prompt / config.minibatches
    if total not in ("auto", rollouts):
        yield (
            f"found train_batch_size {total}, expected the {rollouts:g} rollouts of an optimizer step "
            "(prompts_per_update * rollouts_per_prompt / minibatches; passes are cut by micro_batch_tokens); set it to "
            '"auto"'
        )


def _differs(name: str, value: Any, ours: str, expected: Any) -> Iterator[str]:
    if value != "auto" and expected != "auto" and value != expected:
        yield f'found {name} {value}, expected {ours} {expected}; set it to "auto"'


def _set(made: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    for name in path[:-1]:
        made = made.setdefault(name, {})
    made[path[-1]] = value


def _number(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
