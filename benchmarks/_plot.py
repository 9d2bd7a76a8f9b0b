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
    """Accuracy against gold, and gold of the best of 16, by labelers' noise and by ensemble."""
    made = [row for row in rows if row.get("summary")]
    noises = sorted({row["noise"] for row in made})
    most = max(row["members"] for row in made)
    wanted = [("one", 1), *((name, most) for name in dict.fromkeys(r["combine"] for r in made if r["members"] == most))]
    figure = Figure(figsize=(9, 3.8), layout="constrained")
    for axes, (measure, title) in zip(
        figure.subplots(1, 2),
        (("accuracy", "pair accuracy against the known order"), ("best_of_16", "gold reward of the best of 16")),
        strict=True,
    ):
        for place, (name, members) in enumerate(wanted):
            chosen = {row["noise"]: row for row in made if (row["combine"], row["members"]) == (name, members)}
            means = [chosen[noise][measure] for noise in noises]
            spans = [chosen[noise][f"{measure}_ci"] or [mean, mean] for noise, mean in zip(noises, means, strict=True)]
            errors = np.abs(np.array(spans).T - np.array(means))
            at = np.arange(len(noises)) + (place - (len(wanted) - 1) / 2) * 0.12
            label = "one member" if members == 1 else f"{name} of {members}"
            axes.errorbar(at, means, yerr=errors, fmt="o", capsize=3, markersize=4, label=label)
        axes.set_xticks(range(len(noises)), [f"{noise} %" for noise in noises])
        axes.set_xlabel("pairs that the labelers order wrongly")
        axes.set_title(title, fontsize=10)
        axes.grid(alpha=0.25, axis="y")
    figure.axes[0].legend(fontsize=8)
    return figure


PLOTS: dict[str, Callable[[Rows], Figure]] = {"equal_quality": equal_quality, "truth": truth}


def main(name: str, source: str, target: str) -> None:
    lines = Path(source).read_text(encoding="utf-8").splitlines()
    # The same rows give the same file: no date in it, and ids that do not change.
    mpl.rcParams["svg.hashsalt"] = name
    PLOTS[name]([json.loads(line) for line in lines]).savefig(target, metadata={"Date": None})


if __name__ == "__main__":
    main(*sys.argv[1:])
