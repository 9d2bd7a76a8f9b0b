"""Policies: load and save any causal language model, and the log-probabilities of its responses.

Not here: drawing responses (`sampling.py`) and the shared prompt (`rewardmodel/prefix.py`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint
from transformers import AutoModelForCausalLM, AutoTokenizer

from rewardmodel import chat, prefix

# Logits held at once, in elements: one block of response tokens against the whole vocabulary.
LOGITS_BLOCK = 1 << 26


class PolicyError(ValueError):
    """A model directory or hub name cannot serve as a policy."""


def default_device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def load_policy(path_or_hub: str, *, device: str | None = None) -> tuple[Any, Any]:
    """Return (model, tokenizer) of a Hugging Face directory or hub name, in fp32 and eval mode.

    A pad token and a chat template are added where they are missing, so that pad and stop token differ.
    Raises `PolicyError` for what is not a causal language model or whose logits are more than a linear head.
    """
    try:
        tokenizer = AutoTokenizer.from_pretrained(path_or_hub)
        model = AutoModelForCausalLM.from_pretrained(path_or_hub, dtype=torch.float32)
    except (OSError, ValueError, KeyError) as error:
        raise PolicyError(
            f"{path_or_hub} does not load as a causal language model ({error}); "
            "name a Hugging Face directory or hub model with weights, config and tokenizer"
        ) from error
    chat.complete_tokenizer(tokenizer)
    _grow_embeddings(model, len(tokenizer))
    _name_special_tokens(model, tokenizer)
    model.to(device or default_device()).eval()
    _check_head(model)
    return model, tokenizer


def save_policy(model: Any, tokenizer: Any, folder: Path | str, *, weights: dict[str, Tensor] | None = None) -> None:
    """Write a plain Hugging Face directory: safetensors, config, generation config, tokenizer, chat template.

    `weights` stand in for the model's own, where those are in shards.
    """
    _name_special_tokens(model, tokenizer)
    model.save_pretrained(folder, state_dict=weights)
    tokenizer.save_pretrained(folder)
    for path in Path(folder).iterdir():
        path.chmod(0o644)  # safetensors writes for its owner alone; a worker of another user reads it too


def response_logprobs(
    model: Any, batch: prefix.PrefixBatch, temperature: float = 1.0, *, with_entropy: bool = True
) -> tuple[Tensor, Tensor]:
    """Log-probability of every response token and the entropy it was drawn with, both (N, R), in nats.

    Logits are divided by `temperature`, as in sampling. The LM head sees response positions only. Entries
    where `response_mask` is False are 0. The entropy carries no gradient, and is 0 where it is not wanted.
    """
    states = prefix.encode(model.base_model, batch, with_last_prompt_state=True)[:, :-1]
    return logprobs_from(model, states, batch, temperature, with_entropy=with_entropy)


def logprobs_from(
    model: Any, states: Tensor, batch: prefix.PrefixBatch, temperature: float = 1.0, *, with_entropy: bool = True
) -> tuple[Tensor, Tensor]:
    """`response_logprobs` from the trunk's states before each response token, (N, R, H)."""
    mask = batch.response_mask
    logprobs, entropy = token_logprobs(
        model.get_output_embeddings(), states[mask], batch.response_ids[mask], temperature, with_entropy=with_entropy
    )
    empty = torch.zeros(mask.shape, dtype=torch.float32, device=states.device)
    return empty.masked_scatter(mask, logprobs), empty.masked_scatter(mask, entropy)


def token_logprobs(
    head: torch.nn.Module, states: Tensor, tokens: Tensor, temperature: float, *, with_entropy: bool = True
) -> tuple[Tensor, Tensor]:
    """states (M, H), tokens (M,) -> log-probability and entropy, each (M,) fp32, in blocks of bounded memory."""
    rows = max(1, LOGITS_BLOCK // head.weight.shape[0])
    if len(states) <= rows:
        return _block_logprobs(head, states, tokens, temperature, with_entropy)
    blocks = []
    for block, ids in zip(states.split(rows), tokens.split(rows), strict=True):
        arguments = (head, block, ids, temperature, with_entropy)
        if torch.is_grad_enabled():
            blocks.append(checkpoint(_block_logprobs, *arguments, use_reentrant=False))
        else:
            blocks.append(_block_logprobs(*arguments))
    return torch.cat([logprobs for logprobs, _ in blocks]), torch.cat([entropy for _, entropy in blocks])


def _block_logprobs(
    head: torch.nn.Module, states: Tensor, tokens: Tensor, temperature: float, with_entropy: bool
) -> tuple[Tensor, Tensor]:
    logits = head(states).float()
    if temperature != 1:
        logits = logits / temperature
    total = logits.logsumexp(-1)
    logprobs = logits.gather(-1, tokens[:, None]).squeeze(-1) - total
    if not with_entropy:
        return logprobs, torch.zeros_like(total)
    with torch.no_grad():
        chances = (logits - total[:, None]).exp()
        entropy = total - (chances * logits).sum(-1)
    return logprobs, entropy


def _grow_embeddings(model: Any, size: int) -> None:
    """Give added tokens the mean embedding: a fixed start, where a random one would depend on the seed."""
    embeddings = model.get_input_embeddings().weight
    old = embeddings.shape[0]
    if size <= old:
        return
    model.resize_token_embeddings(size, mean_resizing=False)
    with torch.no_grad():
        for module in (model.get_input_embeddings(), model.get_output_embeddings()):
            module.weight[old:] = module.weight[:old].mean(0)
            if getattr(module, "bias", None) is not None:
                module.bias[old:] = 0


def _name_special_tokens(model: Any, tokenizer: Any) -> None:
    """Other programs stop and pad where we do."""
    stop = chat.stop_token_id(tokenizer)
    model.config.pad_token_id = tokenizer.pad_token_id
    model.config.eos_token_id = stop
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.generation_config.eos_token_id = stop


def _check_head(model: Any) -> None:
    """Log-probabilities here are head(trunk(x)); refuse models that scale or cap their logits after the head."""
    ids = torch.arange(8, device=model.device)[None] % model.config.vocab_size
    with torch.no_grad():
        found = model.get_output_embeddings()(model.base_model(input_ids=ids).last_hidden_state)
        expected = model(input_ids=ids).logits
    if found.shape != expected.shape or not torch.allclose(found, expected, atol=1e-3, rtol=1e-3):
        raise PolicyError(
            f"{type(model).__name__} computes its logits by more than a linear head on its base model; "
            "choose an architecture without logit scaling or capping"
        )
