"""The reward model: a causal language model's trunk and a scalar head read at the last real token.

Its checkpoint is a folder of safetensors and JSON, hashed by a manifest; nothing in it is ever unpickled.
Scores leave normalized: mean 0 and standard deviation 1 over the responses it was trained on.
Where to read next: `prefix.py` for the trunk's pass, `fit.py` for training.
"""

from __future__ import annotations

import math
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
from rewardmodel import chat, ensemble, prefix
from rewardmodel.batches import by_tokens
from rewardmodel.errors import RewardModelError

FORMAT = 1
KIND = "reward_model"
FACTS = "reward_model.json"
HEAD = "head.safetensors"
NORMALIZER = "normalizer.json"
REPORT = "report.json"
OnProgress = Callable[[int, int], None]


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
        self.combine, self.penalty = "mean", 1.0
        self.averaged_normalizer = 0.0, 1.0  # mean and std of the model of the members' mean weights
        self.bf16 = False
        turn_dropout_off(self.trunk)

    @property
    def device(self) -> torch.device:
        return self.head.weight.device

    @property
    def pad_id(self) -> int:
        return int(self.tokenizer.pad_token_id)

    @property
    def stop_token(self) -> str:
        """The token that ends a response."""
        return str(self.tokenizer.convert_ids_to_tokens(chat.stop_token_id(self.tokenizer)))

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
        return ensemble.combine(self.member_scores(batch), self.combine, self.penalty)

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
        on_progress: OnProgress | None = None,
    ) -> list[list[float]]:
        """Scores of token ids, prompt by prompt, in the order given; short and long rows never share a pass."""
        found = self.member_scores_of(
            prompts, responses, micro_batch_tokens=micro_batch_tokens, on_progress=on_progress
        )
        return [ensemble.combine(scores, self.combine, self.penalty).tolist() for scores in found]

    @torch.no_grad()
    def member_scores_of(
        self,
        prompts: Sequence[Sequence[int]],
        responses: Sequence[Sequence[Sequence[int]]],
        *,
        micro_batch_tokens: int = 16_384,
        on_progress: OnProgress | None = None,
    ) -> list[Tensor]:
        """For each prompt (M, K) fp32 on the CPU: every member's normalized score of every response.

        The responses of a prompt share its pass. `on_progress` gets prompts done and in all.
        """
        scores = [torch.empty(0)] * len(prompts)
        done = 0
        shapes = [(len(p), max(map(len, rs)), len(rs)) for p, rs in zip(prompts, responses, strict=True)]
        for chosen in by_tokens(shapes, micro_batch_tokens):
            made = prefix.batch(
                [prompts[i] for i in chosen], [responses[i] for i in chosen], pad_id=self.pad_id, device=self.device
            )
            found = self.member_scores(made).cpu()
            parts = found.split([len(responses[i]) for i in chosen], dim=1)
            for i, part in zip(chosen, parts, strict=True):
                scores[i] = part
            done += len(chosen)
            if on_progress:
                on_progress(done, len(prompts))
        return scores

    def averaged(self) -> Self:
        """One model of the members' mean weights (WARM, arXiv 2401.12187); this one loses its members."""
        members, self.members = list(self.members), nn.ModuleList()
        mean: Self = ensemble.averaged([self, *members])
        mean.mean, mean.std = self.averaged_normalizer
        return mean

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
        _check_finite(trunk, f"base {path_or_hub}")
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
            "penalty": self.penalty,
            "averaged": self.averaged_normalizer,
        }
        write_json(folder / FACTS, facts)
        for number, member in enumerate(self.members, start=1):
            path = folder / "members" / str(number)
            path.mkdir(parents=True)
            member.write(path)

    @classmethod
    def load(
        cls,
        folder: Path | str,
        *,
        combine: str = "",
        penalty: float | None = None,
        device: torch.device | str = "cpu",
    ) -> Self:
        """Load a checkpoint, ensemble included, in eval mode. `combine` and `penalty` override what it says.

        Raises `ModelError` where a file is missing, changed, cut off, not finite or of another tokenizer.
        """
        path = Path(folder)
        try:
            verify_manifest(path)
        except (RunDirError, OSError, ValueError, KeyError) as error:
            raise ModelError(f"{path} is not a complete reward model: {error}") from error
        model = cls._load_one(path)
        facts = read_json(path / FACTS)
        model.combine = combine or facts["combine"]
        model.penalty = facts.get("penalty", 1.0) if penalty is None else penalty
        mean, std = facts.get("averaged", (0.0, 1.0))
        model.averaged_normalizer = float(mean), float(std)
        if model.combine not in ensemble.CHOICES:
            choices = ", ".join(ensemble.CHOICES)
            raise ModelError(f"combine: found {model.combine!r}, expected one of {choices}; choose one")
        for number in range(1, facts["members"]):
            model.members.append(cls._load_one(path / "members" / str(number)))
        if model.combine == ensemble.WEIGHTS:
            model = model.averaged()
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
        _check_finite(model, str(path))
        model.mean, model.std = _normalizer(path / NORMALIZER)
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


def _normalizer(path: Path) -> tuple[float, float]:
    found = read_json(path)
    try:
        mean, std = float(found["mean"]), float(found["std"])
    except (KeyError, TypeError, ValueError):
        mean, std = math.nan, math.nan
    if not math.isfinite(mean) or not 0 < std < math.inf:
        raise ModelError(
            f"{path}: found {str(found)[:80]}, expected a finite mean and a std above 0; fit the model again"
        )
    return mean, std


def _check_finite(module: nn.Module, name: str) -> None:
    """A weight that is not a number would make every score one, without a word."""
    for weight, values in module.named_parameters():
        if not bool(torch.isfinite(values).all()):
            raise ModelError(
                f"{name}: found numbers in {weight} that are not finite, expected finite weights; "
                "use an earlier checkpoint, or fit again with a lower learning rate"
            )


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
