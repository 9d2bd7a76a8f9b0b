"""The reward model: a causal language model's trunk and a scalar head read at the last real token.

Its checkpoint is a folder of safetensors and JSON, hashed by a manifest; nothing in it is ever unpickled.
Scores leave normalized: mean 0 and standard deviation 1 over the responses it was trained on.
Where to read next: `prefix.py` for the trunk's pass, `fit.py` for training.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, AutoTokenizer

from contracts.run_dir import RunDirError, read_json, replacing_folder, verify_manifest, write_json, write_manifest
from rewardmodel import chat, prefix
from rewardmodel.batches import by_tokens
from rewardmodel.errors import RewardModelError

FORMAT = 1
KIND = "reward_model"
FACTS = "reward_model.json"
HEAD = "head.safetensors"
NORMALIZER = "normalizer.json"
COMBINATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "mean": lambda scores: scores.mean(0),
    "min": lambda scores: scores.amin(0),  # worst-case optimization (arXiv 2310.02743)
    "uncertainty": lambda scores: scores.mean(0) - scores.var(0, unbiased=False),  # the same paper's UWO, lambda 1
}


class ModelError(RewardModelError):
    """A base or a checkpoint cannot serve as this reward model. Says what was found, expected, and the remedy."""


class RewardModel(nn.Module):
    """`trunk` and `head` of one reward model, and the further `members` of its ensemble, if any.

    The head and everything after it are fp32. Dropout is off in every mode.
    """

    def __init__(self, trunk: Any, tokenizer: Any, *, seed: int) -> None:
        """A fresh head with std 1/sqrt(H+1) and bias 0 (arXiv 2009.01325, 2403.17031), drawn from `seed`."""
        super().__init__()
        self.trunk = trunk
        self.tokenizer = tokenizer
        width = trunk.config.get_text_config(decoder=True).hidden_size
        self.head = nn.utils.skip_init(nn.Linear, width, 1, dtype=torch.float32)
        with torch.no_grad():
            weight = torch.empty(1, width)
            weight.normal_(0, (width + 1) ** -0.5, generator=torch.Generator().manual_seed(seed))
            self.head.weight.copy_(weight)
            self.head.bias.zero_()
        self.mean, self.std = 0.0, 1.0
        self.members = nn.ModuleList()
        self.combine = "mean"
        self.bf16 = False
        turn_dropout_off(self.trunk)

    @property
    def device(self) -> torch.device:
        return self.head.weight.device

    @property
    def pad_id(self) -> int:
        return int(self.tokenizer.pad_token_id)

    @property
    def context(self) -> int | None:
        """Longest prompt and response, tokens; None where the trunk states no limit."""
        return context_of(self.trunk)

    def raw_score(self, batch: prefix.PrefixBatch) -> Tensor:
        """(N,) fp32: this model's head at each response's last real token, not normalized, without members."""
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.bf16):
            states = prefix.encode(self.trunk, batch)
        rows = torch.arange(len(batch.owner), device=states.device)
        with torch.autocast(self.device.type, enabled=False):
            return self.head(states[rows, batch.response_lengths - 1].float()).squeeze(-1)  # type: ignore[no-any-return]

    def score(self, batch: prefix.PrefixBatch) -> Tensor:
        """(N,) fp32: normalized, and combined over the members where there are any."""
        scores = self.member_scores(batch)
        return scores[0] if len(scores) == 1 else COMBINATIONS[self.combine](scores)

    def member_scores(self, batch: prefix.PrefixBatch) -> Tensor:
        """(M, N) fp32: each member's own normalized scores; their spread is the ensemble's doubt."""
        return torch.stack([(one.raw_score(batch) - one.mean) / one.std for one in [self, *self.members]])

    @torch.no_grad()
    def score_responses(
        self,
        prompts: Sequence[Sequence[int]],
        responses: Sequence[Sequence[Sequence[int]]],
        *,
        micro_batch_tokens: int = 16_384,
    ) -> list[list[float]]:
        """Scores of token ids, prompt by prompt, in the order given; short and long rows never share a pass."""
        scores: list[list[float]] = [[] for _ in prompts]
        shapes = [(len(p), max(map(len, rs)), len(rs)) for p, rs in zip(prompts, responses, strict=True)]
        for chosen in by_tokens(shapes, micro_batch_tokens):
            made = prefix.batch(
                [prompts[i] for i in chosen], [responses[i] for i in chosen], pad_id=self.pad_id, device=self.device
            )
            found = self.score(made).tolist()
            for i in chosen:
                scores[i], found = found[: len(responses[i])], found[len(responses[i]) :]
        return scores

    @classmethod
    def from_base(cls, path_or_hub: str | Path, seed: int) -> Self:
        """A reward model to train, from a causal language model's directory or hub name, in fp32."""
        try:
            tokenizer = AutoTokenizer.from_pretrained(path_or_hub)
            config = AutoConfig.from_pretrained(path_or_hub)
            with torch.random.fork_rng(devices=[]):  # weights that the base lacks are drawn from the seed too
                torch.manual_seed(seed)
                trunk = AutoModel.from_pretrained(path_or_hub, config=config, dtype=torch.float32, use_safetensors=True)
        except (OSError, ValueError, KeyError, SafetensorError) as error:
            raise ModelError(
                f"base {path_or_hub}: found nothing that loads as a causal language model ({_first_line(error)}), "
                "expected a Hugging Face directory or hub name with config, tokenizer and safetensors; name another"
            ) from error
        chat.complete_tokenizer(tokenizer)
        _grow_embeddings(trunk, len(tokenizer))
        return cls(trunk.eval(), tokenizer, seed=seed)

    def save(self, folder: Path | str, **details: Any) -> None:
        """Write the checkpoint and its manifest; `folder` is either complete or as it was before."""
        with replacing_folder(Path(folder).absolute()) as temporary:
            self.write(temporary)
            write_manifest(temporary, {"kind": KIND, **details})

    def write(self, folder: Path) -> None:
        """Write the files into an existing folder, without a manifest: the caller completes it."""
        self.trunk.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)
        save_file({name: tensor.detach().cpu() for name, tensor in self.head.state_dict().items()}, folder / HEAD)
        write_json(folder / NORMALIZER, {"mean": self.mean, "std": self.std})
        facts = {
            "format": FORMAT,
            "tokenizer_sha256": chat.tokenizer_identity(self.tokenizer),
            "members": 1 + len(self.members),
            "combine": self.combine,
        }
        write_json(folder / FACTS, facts)
        for number, member in enumerate(self.members, start=1):
            path = folder / "members" / str(number)
            path.mkdir(parents=True)
            member.write(path)

    @classmethod
    def load(cls, folder: Path | str, *, combine: str = "", device: torch.device | str = "cpu") -> Self:
        """Load a checkpoint, ensemble included, in eval mode. `combine` overrides how members are combined.

        Raises `ModelError` where a file is missing, changed, cut off or of another tokenizer.
        """
        path = Path(folder)
        try:
            verify_manifest(path)
        except (RunDirError, OSError, ValueError, KeyError) as error:
            raise ModelError(f"{path} is not a complete reward model: {error}") from error
        model = cls._load_one(path)
        facts = read_json(path / FACTS)
        model.combine = combine or facts["combine"]
        if model.combine not in COMBINATIONS:
            raise ModelError(f"combine: found {model.combine!r}, expected one of {', '.join(COMBINATIONS)}; choose one")
        for number in range(1, facts["members"]):
            model.members.append(cls._load_one(path / "members" / str(number)))
        return model.to(device).eval()

    @classmethod
    def _load_one(cls, path: Path) -> Self:
        facts = read_json(path / FACTS)
        if facts is None or facts.get("format") != FORMAT:
            raise ModelError(
                f"{path}: found no {FACTS} of format {FORMAT}, expected a reward model of this project; "
                "name the output folder of a reward_model run"
            )
        try:
            tokenizer = AutoTokenizer.from_pretrained(path)
            trunk = AutoModel.from_pretrained(path, dtype=torch.float32, use_safetensors=True)
            head = load_file(path / HEAD)
        except (OSError, ValueError, KeyError, SafetensorError) as error:
            raise ModelError(
                f"{path}: found files that do not load ({_first_line(error)}), expected a complete reward model; "
                "restore the folder or fit again"
            ) from error
        found = chat.tokenizer_identity(tokenizer)
        if found != facts["tokenizer_sha256"]:
            raise ModelError(
                f"{path}: found tokenizer {found[:12]}, expected {facts['tokenizer_sha256'][:12]}, with which "
                "the model was fitted; restore the tokenizer files"
            )
        model = cls(trunk, tokenizer, seed=0)
        model.head.load_state_dict(head)
        normalizer = read_json(path / NORMALIZER)
        model.mean, model.std = float(normalizer["mean"]), float(normalizer["std"])
        return model

    def check_same_tokenizer(self, tokenizer: Any) -> None:
        """Raise `ModelError` unless token ids of `tokenizer` mean the same to this model."""
        found, expected = chat.tokenizer_identity(tokenizer), chat.tokenizer_identity(self.tokenizer)
        if found != expected:
            raise ModelError(
                f"found a policy of tokenizer {found[:12]}, expected {expected[:12]}, the reward model's own; "
                "fit the reward model on a base with the policy's tokenizer"
            )


def context_of(trunk: Any) -> int | None:
    config = trunk.config.get_text_config(decoder=True)
    limit = getattr(config, "max_position_embeddings", None) or getattr(config, "n_positions", None)
    return int(limit) if limit else None


def default_device() -> str:
    """The GPU of this process where there is one, else the CPU."""
    return f"cuda:{os.environ.get('LOCAL_RANK', 0)}" if torch.cuda.is_available() else "cpu"


def turn_dropout_off(trunk: Any) -> None:
    """Modules and config alike, since some architectures read the config in their forward pass."""
    for module in trunk.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        for name in ("attention_dropout", "dropout", "dropout_p", "attn_dropout_p"):
            if isinstance(vars(module).get(name), float):
                setattr(module, name, 0.0)
    for config in {id(c): c for c in (trunk.config, trunk.config.get_text_config(decoder=True))}.values():
        for name, value in vars(config).items():
            if isinstance(value, float) and ("dropout" in name or name.endswith("pdrop")):
                setattr(config, name, 0.0)


def _grow_embeddings(trunk: Any, size: int) -> None:
    """Give added tokens the mean embedding, a start that depends on no seed."""
    old = trunk.get_input_embeddings().num_embeddings
    if size > old:
        trunk.resize_token_embeddings(size, mean_resizing=False)
        with torch.no_grad():
            weight = trunk.get_input_embeddings().weight
            weight[old:] = weight[:old].mean(0)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:300]
