"""Plots of benchmarks, from the JSON lines that they print: `python -m benchmarks._plot NAME FILE.jsonl OUT.svg`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

Rows = list[dict[str, Any]]
COLORS = {"ours": "#0b6e4f", "trl": "#c1440e"}
NAMES = {"ours": "Rankloop, shared prompts", "trl": "TRL RewardTrainer, all pairs"}


def equal_quality(rows: Rows) -> Figure:
    """Held-out accuracy against CPU-seconds: the mean over seeds, thick, and each seed, thin."""
    datasets = list(dict.fromkeys(row["dataset"] for row in rows if not row.get("summary")))
    figure = Figure(figsize=(9, 6.4), layout="constrained")
    for axes, name in zip(figure.subplots(2, 2).flat, datasets, strict=False):
        for side, color in COLORS.items():
            curves = [row["curve"] for row in rows if row["dataset"] == name and row.get("side") == side]
            at = np.array([[point["cpu_s"] for point in curve] for curve in curves])
            accuracy = np.array([[point["accuracy"] for point in curve] for curve in curves])
            for one, found in zip(at, accuracy, strict=True):
                axes.plot(one, found, color=color, alpha=0.25, linewidth=0.9)
            axes.plot(at.mean(0), accuracy.mean(0), "o-", color=color, linewidth=2, markersize=3.5, label=NAMES[side])
        axes.set_title(name, fontsize=11)
        axes.set_xlabel("CPU-seconds of training")
        axes.set_ylabel("held-out pair accuracy")
        axes.grid(alpha=0.25)
    figure.axes[0].legend(fontsize=8, loc="lower right")
    return figure


def truth(rows: Rows) -> Figure:
    """Accuracy against gold by labelers' noise, and what each ensemble gains over one of its members."""
    made = [row for row in rows if row.get("summary")]
    noises = sorted({row["noise"] for row in made})
    most = max(row["members"] for row in made)
    ensembles = [(name, most) for name in dict.fromkeys(row["combine"] for row in made if row["members"] == most)]
    figure = Figure(figsize=(9, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    _intervals(left, made, noises, [("one", 1), *ensembles], "accuracy")
    left.set_title("pair accuracy against the known order", fontsize=10)
    _intervals(right, made, noises, ensembles, "accuracy_gain")
    right.axhline(0, color="gray", linewidth=0.8)
    right.set_title("gained over one member, within a seed", fontsize=10)
    left.legend(fontsize=8)
    return figure


def _intervals(axes: Any, rows: Rows, noises: list[int], kinds: list[tuple[str, int]], measure: str) -> None:
    for place, (name, members) in enumerate(kinds):
        chosen = {row["noise"]: row for row in rows if (row["combine"], row["members"]) == (name, members)}
        at = [number for number, noise in enumerate(noises) if noise in chosen]
        means = np.array([chosen[noises[k]][measure] for k in at])
        spans = np.array([chosen[noises[k]][f"{measure}_ci"] or [mean] * 2 for k, mean in zip(at, means, strict=True)])
        shifted = np.array(at) + (place - (len(kinds) - 1) / 2) * 0.12
        label = "one member" if members == 1 else f"{name} of {members}"
        color = f"C{place + (kinds[0][1] > 1)}"
        axes.errorbar(shifted, means, yerr=np.abs(spans.T - means), fmt="o", color=color, capsize=3, ms=4, label=label)
    axes.set_xticks(range(len(noises)), [f"{noise} %" for noise in noises])
    axes.set_xlabel("pairs that the labelers order wrongly")
    axes.grid(alpha=0.25, axis="y")


def ppo_quality(rows: Rows) -> Figure:
    """Gold reward of held-out answers by update: the mean over seeds, thick, and each seed, thin."""
    names = {"ours": "Rankloop", "trl": "TRL 1.12 PPOTrainer"}
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.subplots()
    for side, color in COLORS.items():
        curves = np.array([row["gold"] for row in rows if row.get("side") == side])
        axes.plot(curves.T, color=color, alpha=0.3, linewidth=0.9)
        axes.plot(curves.mean(0), color=color, linewidth=2.2, label=names[side])
    axes.set_xlabel("updates")
    axes.set_ylabel("gold reward, held-out prompts")
    axes.grid(alpha=0.25)
    axes.legend(fontsize=9, loc="lower right")
    return figure


PLOTS: dict[str, Callable[[Rows], Figure]] = {
    "reward_equal_quality": equal_quality,
    "reward_truth": truth,
    "ppo_quality": ppo_quality,
}


def main(name: str, source: str, target: str) -> None:
    lines = Path(source).read_text(encoding="utf-8").splitlines()
    # The same rows give the same file: no date in it, and ids that do not change.
    mpl.rcParams["svg.hashsalt"] = name
    PLOTS[name]([json.loads(line) for line in lines]).savefig(target, metadata={"Date": None})


if __name__ == "__main__":
    main(*sys.argv[1:])
