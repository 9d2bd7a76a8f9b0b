"""A reward model as a plain sequence classifier, for people who have transformers and not this project.

The directory loads with `AutoModelForSequenceClassification.from_pretrained`. The normalizer goes into the
head; where the architecture's head has no bias, as for most decoders, its offset is `config.score_offset`.
`run` is the run kind "export"; `python -m rewardmodel.export` does the same from the command line.
"""

from __future__ import annotations

import argparse
import copy
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from contracts.configs import ExportConfig
from contracts.run_dir import RunDir, RunSpec, read_json, replacing_folder, write_json, write_manifest
from rewardmodel import ensemble
from rewardmodel.card import card
from rewardmodel.errors import RewardModelError
from rewardmodel.model import REPORT, RewardModel

KIND = "classifier"
CARD = "README.md"


class ExportError(RewardModelError):
    """A reward model has no form as one plain classifier. Says what was found, expected, and the remedy."""


def run(run_dir: RunDir, config: ExportConfig, spec: RunSpec) -> None:
    """The run kind "export": one input, `reward_model`; the output is the classifier's directory."""
    source = Path(run_dir.input("reward_model"))
    run_dir.set_progress("export", 0, 2, "loading")
    model = choose(RewardModel.load(source), member=config.member, average=config.average)
    run_dir.set_progress("export", 1, 2, "writing")
    with run_dir.saving_output(kind=KIND, run_id=spec.run_id, config=spec.config) as folder:
        write(model, folder, source=source)
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    offset = float(read_json(run_dir.output / "config.json").get("score_offset", 0.0))
    run_dir.write_report({"bytes": size, "score_offset": offset, "files": len(list(run_dir.output.iterdir()))})
    run_dir.set_progress("export", 2, 2, f"{size / 1e6:.1f} MB")


def choose(model: RewardModel, *, member: int = -1, average: bool = False) -> RewardModel:
    """The one model of an ensemble that is exported. Raises `ExportError` where the choice is not one."""
    members = [model, *model.members]
    if average and len(members) > 1:
        return model.averaged()
    if member >= len(members) or (member < 0 and len(members) > 1):
        raise ExportError(
            f"found an ensemble of {len(members)}, expected one model to make a classifier of; "
            f"choose average, or a member from 0 to {len(members) - 1}"
        )
    chosen = members[max(member, 0)]
    model.members = nn.ModuleList()
    return chosen  # type: ignore[return-value]


@torch.no_grad()
def classifier(model: RewardModel) -> Any:
    """The same trunk and head as the architecture's own sequence classifier with one label."""
    from transformers import AutoModelForSequenceClassification

    config = copy.deepcopy(model.trunk.config)
    config.num_labels = 1
    config.id2label, config.label2id = {0: "score"}, {"score": 0}
    config.problem_type = "regression"
    config.get_text_config(decoder=True).pad_token_id = config.pad_token_id = model.pad_id
    try:
        made = AutoModelForSequenceClassification.from_config(config, dtype=torch.float32)
    except ValueError as error:
        raise ExportError(
            f"found a {config.model_type} trunk, for which transformers has no sequence classifier, expected one "
            "that has; keep to the folder of this project, which rewardmodel.score reads"
        ) from error
    trunk = getattr(made, made.base_model_prefix)
    heads = {name: part for name, part in made.named_children() if isinstance(part, nn.Linear)}
    if len(heads) != 1 or trunk.state_dict().keys() != model.trunk.state_dict().keys():
        raise ExportError(
            f"found a {config.model_type} classifier that is not this trunk and one linear head, expected one that "
            "is; keep to the folder of this project, which rewardmodel.score reads"
        )
    (head,) = heads.values()
    trunk.load_state_dict(model.trunk.state_dict())
    weight, bias = ensemble.folded_head(model)
    head.weight.copy_(weight)
    if head.bias is None:
        made.config.score_offset = float(bias)
    else:
        head.bias.copy_(bias)
        made.config.score_offset = 0.0
    return made.eval()


def write(model: RewardModel, folder: Path, *, source: Path) -> None:
    """Classifier, tokenizer and model card into an existing folder. `source` is the reward model's own folder."""
    made = classifier(model)
    made.save_pretrained(folder)
    model.tokenizer.save_pretrained(folder)
    manifest, report = read_json(source / "manifest.json") or {}, read_json(source / REPORT) or {}
    if report:
        write_json(folder / REPORT, report)
    text = card(manifest=manifest, report=report, offset=made.config.score_offset, stop=model.stop_token)
    (folder / CARD).write_text(text, encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m rewardmodel.export",
        description=(
            "Write a reward model as a plain Hugging Face sequence classifier: config, weights, tokenizer and a "
            "model card. Others load it with transformers alone, in two lines that the card shows."
        ),
    )
    parser.add_argument("--model", required=True, type=Path, help="folder of the reward model (a run's output)")
    parser.add_argument("--output", required=True, type=Path, metavar="DIR", help="folder to make; must not exist")
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--member", type=int, default=-1, help="of an ensemble: this member, from 0")
    choice.add_argument("--average", action="store_true", help="of an ensemble: the mean of its members' weights")
    options = parser.parse_args(arguments)

    from rewardmodel.commands import Bar, named_errors, quiet_transformers

    quiet_transformers()
    with named_errors(parser):
        if options.output.exists():
            raise ExportError(f"found {options.output} there already, expected a new folder; name another or remove it")
        shown = Bar()
        shown.show("export", 0, 2, "loading")
        model = choose(RewardModel.load(options.model), member=options.member, average=options.average)
        shown.show("export", 1, 2, "writing")
        with replacing_folder(options.output.absolute()) as folder:
            write(model, folder, source=options.model)
            write_manifest(folder, {"kind": KIND})
        shown.show("export", 2, 2)
        sys.stdout.write(f"written to {options.output}; {options.output / CARD} says how to load it\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
