"""The model card of an exported reward model: what it was made of, what it is worth, how to load it.

A pure function of the checkpoint's manifest and report. It names no labeler: a card travels.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

USAGE = """\
```python
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

model = AutoModelForSequenceClassification.from_pretrained("FOLDER")
tokenizer = AutoTokenizer.from_pretrained("FOLDER")

def score(messages, reply):
    prompt = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    ids = tokenizer(prompt, add_special_tokens=False).input_ids
    ids += tokenizer(reply, add_special_tokens=False).input_ids + [tokenizer.convert_tokens_to_ids(STOP)]
    with torch.no_grad():
        return model(torch.tensor([ids])).logits[0, 0].item() + model.config.score_offset
```
"""


def card(*, manifest: Mapping[str, Any], report: Mapping[str, Any], offset: float, stop: str) -> str:
    """The text of README.md. `offset` is what the head cannot hold, `stop` the token that ends a reply."""
    parts = [
        _front(manifest),
        "# Reward model\n",
        "Scores an assistant's reply to a conversation. Higher is what the labelers preferred; 0 is the mean response "
        "of the training data, 1 is one standard deviation above it. Differences between replies to the *same* prompt "
        "are what it was trained on: sigmoid of the difference times `normalizer.std` of report.json is the chance "
        "that a labeler prefers one.\n",
        "## Load and score\n",
        USAGE.replace("STOP", json.dumps(stop)),
        f"`config.score_offset` ({offset:.6g}) completes the normalization: this architecture's classifier head has no "
        "bias to hold it. Rankings and best-of-n do not need it.\n"
        if offset
        else "The normalization is in the head; `config.score_offset` is 0.\n",
        "## What it was made of\n",
        _table(_lineage(manifest, report)),
    ]
    if report:
        parts += ["## What it is worth\n", "On rankings of prompts that were held out.\n", _table(_worth(report))]
        parts += ["## Limits\n", _limits(report)]
    return "\n".join(parts)


def _front(manifest: Mapping[str, Any]) -> str:
    base = manifest.get("inputs", {}).get("base", {}).get("hub", "")
    named = f"base_model: {json.dumps(base)}\n" if base else ""
    return f"---\nlibrary_name: transformers\npipeline_tag: text-classification\n{named}tags: [reward-model]\n---\n"


def _lineage(manifest: Mapping[str, Any], report: Mapping[str, Any]) -> list[tuple[str, str]]:
    rows = []
    for name, ref in manifest.get("inputs", {}).items():
        hashed = f"sha256 {ref['sha256']}" if ref.get("sha256") else ""
        said = ref.get("hub") or f"{ref.get('id', '')} {hashed}".strip() or "not recorded"
        rows.append((name, said))
    if report:
        rows.append(("rankings read", f"{report.get('rankings', 0)}, of which {report.get('refused', 0)} refused"))
        rows.append(("rankings trained on", str(report.get("train_groups", "not recorded"))))
        rows.append(("labelers in the held-out rankings", str(len(report.get("per_labeler", {})))))
        rows.append(("members", str(len(report.get("members", [])) or 1)))
    rows += [(name, str(manifest[name])) for name in ("run_id", "seed") if manifest.get(name) not in (None, "")]
    rows += [
        (f"option {name}", str(value)) for name, value in sorted(manifest.get("config", {}).items()) if value != ""
    ]
    return [row for row in rows if row[0] != "option leave_out"]


def _worth(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    named = {
        "pair accuracy": "accuracy",
        "pair accuracy, adjacent ranks": "adjacent_accuracy",
        "best response on top": "top1",
        "Kendall tau": "kendall_tau",
        "log loss, nats": "log_loss",
        "calibration error": "ece",
        "accuracy where the longer response won": "accuracy_longer_won",
        "accuracy where the longer response lost": "accuracy_longer_lost",
        "Spearman of score and length": "reward_length_spearman",
        "length alone: pair accuracy": "length_baseline",
    }
    rows = [(text, _estimate(report.get(name), report.get(f"{name}_ci"))) for text, name in named.items()]
    ceiling = report.get("ceiling") or {}
    rows.append(("two labelers agree", _estimate(ceiling.get("agreement"), ceiling.get("ci"))))
    return [("measure", "value and 95 % interval"), *rows]


def _limits(report: Mapping[str, Any]) -> str:
    lines = [
        f"Measured on {report.get('pairs', 0)} pairs of {report.get('prompts', 0)} prompts, which intervals resample.",
        "It has seen responses of the policies that were ranked, and says little about others: measure it again on "
        "rankings of a new policy before optimizing against it.",
    ]
    if report.get("truncated"):
        lines.append(f"{report['truncated']} responses were cut to the longest length and scored as cut off.")
    lost, won = report.get("accuracy_longer_lost"), report.get("accuracy_longer_won")
    if lost is not None and won is not None and won - lost > 0.1:
        lines.append(
            f"It leans to length: accuracy is {won:.2f} where the longer response won, {lost:.2f} where it lost."
        )
    return "".join(f"- {line}\n" for line in lines)


def _estimate(value: Any, interval: Any) -> str:
    if value is None:
        return "not defined by these data"
    return f"{value:.3f}" + (f" [{interval[0]:.3f}, {interval[1]:.3f}]" if interval else "")


def _table(rows: list[tuple[str, str]]) -> str:
    if not rows:
        return "Not recorded.\n"
    head = [("what", "value")] if rows[0][0] != "measure" else [rows.pop(0)]
    lines = [*head, ("---", "---"), *rows]
    return "".join(f"| {a} | {b} |\n" for a, b in ((a.replace("|", "\\|"), b.replace("|", "\\|")) for a, b in lines))
