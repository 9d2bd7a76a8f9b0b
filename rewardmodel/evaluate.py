"""How good a reward model is: its scores against held-out rankings, beside baselines and the human ceiling.

`python -m rewardmodel.evaluate --model DIR --rankings FILE` prints the report as JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from rewardmodel import statistics
from rewardmodel.groups import Counts, Group
from rewardmodel.statistics import Bootstrap, Floats, Integers

MOST_DISAGREED = 20


@dataclass(frozen=True)
class PairTable:
    """One row for each decided pair of the evaluated groups."""

    delta: Floats  # score of the better response minus that of the worse
    longer: Floats  # the same difference in tokens
    adjacent: Integers  # 1 where no other response lies between the two
    group: Integers  # position in the evaluated groups
    cluster: Integers  # prompt, the unit of the bootstrap


def score_groups(model: Any, groups: Sequence[Group], *, micro_batch_tokens: int = 16_384) -> list[list[float]]:
    """Normalized scores of every group's responses. Rankings of the same responses are scored once."""
    distinct = {(group.prompt, group.responses): None for group in groups}
    keys = list(distinct)
    found = model.score_responses(
        [prompt for prompt, _ in keys], [responses for _, responses in keys], micro_batch_tokens=micro_batch_tokens
    )
    known = dict(zip(keys, found, strict=True))
    return [known[group.prompt, group.responses] for group in groups]


def report(
    groups: Sequence[Group],
    scores: Sequence[Sequence[float]],
    *,
    train: Sequence[Group] = (),
    everyone: Sequence[Group] = (),
    scale: float = 1.0,
) -> dict[str, Any]:
    """Every measure of the report, with 95 % intervals by bootstrap over prompts.

    `train` decides whether the length-only baseline prefers long or short. `everyone` are all rankings at
    hand; those of the same responses by two labelers give the human ceiling. `scale` is the normalizer's
    std: log loss and temperature are those of the scores that the objective saw.
    """
    table = pair_table(groups, [[scale * score for score in found] for found in scores])
    bootstrap = Bootstrap(int(table.cluster.max()) + 1)
    right = statistics.accuracy_of(table.delta)
    loss = statistics.log_loss_of(table.delta)
    temperatures = statistics.cross_fitted_temperatures(table.delta, table.cluster)
    ece, bins = statistics.calibration(table.delta, temperatures)
    sign = length_sign(train or groups)
    by_length = statistics.accuracy_of(sign * table.longer)
    gain = bootstrap.means(right, table.cluster) - bootstrap.means(by_length, table.cluster)
    adjacent = table.adjacent == 1
    top, top_cluster = _per_group(table, [_top1(g, s) for g, s in zip(groups, scores, strict=True)])
    tau, tau_cluster = _per_group(table, [_tau(g, s) for g, s in zip(groups, scores, strict=True)])
    rho, rho_cluster = _per_group(table, [_length_rho(g, s) for g, s in zip(groups, scores, strict=True)])
    return {
        "groups": len(groups),
        "prompts": int(table.cluster.max()) + 1,
        "pairs": len(right),
        "accuracy": statistics.mean(right),
        "accuracy_ci": bootstrap.interval(right, table.cluster),
        "adjacent_accuracy": statistics.mean(right[adjacent]),
        "adjacent_accuracy_ci": bootstrap.interval(right[adjacent], table.cluster[adjacent]),
        "top1": statistics.mean(top),
        "top1_ci": bootstrap.interval(top, top_cluster),
        "kendall_tau": statistics.mean(tau),
        "kendall_tau_ci": bootstrap.interval(tau, tau_cluster),
        "log_loss": statistics.mean(loss),
        "log_loss_ci": bootstrap.interval(loss, table.cluster),
        "temperature": statistics.fitted_temperature(table.delta),
        "ece": ece,
        "calibration": bins,
        "accuracy_longer_won": statistics.mean(right[table.longer > 0]),
        "accuracy_longer_lost": statistics.mean(right[table.longer < 0]),
        "reward_length_spearman": statistics.mean(rho),
        "reward_length_spearman_ci": bootstrap.interval(rho, rho_cluster),
        "length_baseline": statistics.mean(by_length),
        "length_baseline_ci": bootstrap.interval(by_length, table.cluster),
        "length_prefers": "longer" if sign > 0 else "shorter",
        "gain_over_length": statistics.mean(right - by_length),
        "gain_over_length_ci": statistics.quantiles(gain),
        "ceiling": human_ceiling(everyone or groups),
        "per_labeler": _split_accuracy(right, [{group.labeler} for group in groups for _ in group.pairs]),
        "per_source": _split_accuracy(right, [{g.sources[i], g.sources[j]} for g in groups for i, j in g.pairs]),
        "per_flag": _split_accuracy(right, [{*g.flags[i], *g.flags[j]} for g in groups for i, j in g.pairs]),
        "most_disagreed": _most_disagreed(groups, table, loss),
    }


def with_counts(made: dict[str, Any], counts: Counts) -> dict[str, Any]:
    """The report and what happened to rows on their way in."""
    return {
        **made,
        "rankings": counts.rankings,
        "refused": sum(counts.refused.values()),
        "refused_reasons": dict(counts.refused),
        "truncated": counts.truncated,
        "prompts_cut": counts.prompts_cut,
        "retokenized": counts.retokenized,
    }


def pair_table(groups: Sequence[Group], scores: Sequence[Sequence[float]]) -> PairTable:
    prompts = {name: number for number, name in enumerate(dict.fromkeys(g.conversation for g in groups))}
    rows = []
    for number, (group, found) in enumerate(zip(groups, scores, strict=True)):
        lengths = [len(response) for response in group.responses]
        beats = set(group.pairs)
        for i, j in group.pairs:
            between = any((i, k) in beats and (k, j) in beats for k in range(len(lengths)))
            rows.append(
                (found[i] - found[j], lengths[i] - lengths[j], not between, number, prompts[group.conversation])
            )
    delta, longer, adjacent, group_at, cluster = np.array(rows, dtype=np.float64).T
    return PairTable(delta, longer, adjacent.astype(int), group_at.astype(int), cluster.astype(int))


def length_sign(groups: Sequence[Group]) -> int:
    """+1 where the longer response wins more often than it loses, else -1."""
    balance = sum(
        int(np.sign(len(group.responses[i]) - len(group.responses[j]))) for group in groups for i, j in group.pairs
    )
    return 1 if balance >= 0 else -1


def human_ceiling(groups: Sequence[Group]) -> dict[str, Any] | None:
    """How often two labelers order a pair alike, where both ranked the same responses and decided it."""
    sets: dict[str, list[Group]] = {}
    for group in groups:
        sets.setdefault(group.group, []).append(group)
    agree, cluster = [], []
    clusters: dict[str, int] = {}
    for rankings in sets.values():
        for a, b in combinations(rankings, 2):
            if a.labeler == b.labeler:
                continue
            first, second = _named_pairs(a), _named_pairs(b)
            for pair in first:
                if pair in second or pair[::-1] in second:
                    agree.append(float(pair in second))
                    cluster.append(clusters.setdefault(a.conversation, len(clusters)))
    if not agree:
        return None
    values, at = np.array(agree), np.array(cluster)
    interval = Bootstrap(len(clusters)).interval(values, at)
    return {"agreement": statistics.mean(values), "ci": interval, "pairs": len(agree)}


def _named_pairs(group: Group) -> set[tuple[str, str]]:
    return {(group.response_ids[i], group.response_ids[j]) for i, j in group.pairs}


def _top1(group: Group, scores: Sequence[float]) -> float | None:
    """Whether the highest score among compared responses is one that nothing beats."""
    compared = {k for pair in group.pairs for k in pair}
    beaten = {j for _, j in group.pairs}
    best = max(scores[k] for k in compared)
    chosen = [k for k in compared if scores[k] == best]
    return sum(k not in beaten for k in chosen) / len(chosen)


def _tau(group: Group, scores: Sequence[float]) -> float | None:
    compared = sorted({k for pair in group.pairs for k in pair})
    at = {k: position for position, k in enumerate(compared)}
    return statistics.kendall_tau_b(
        [scores[k] for k in compared], [(at[i], at[j]) for i, j in group.pairs], len(compared)
    )


def _length_rho(group: Group, scores: Sequence[float]) -> float | None:
    return statistics.spearman(scores, [len(response) for response in group.responses])


def _per_group(table: PairTable, values: Sequence[float | None]) -> tuple[Floats, Integers]:
    """The defined values and their clusters."""
    cluster = dict(zip(table.group.tolist(), table.cluster.tolist(), strict=True))
    kept = [(value, cluster[number]) for number, value in enumerate(values) if value is not None]
    return np.array([v for v, _ in kept], dtype=np.float64), np.array([c for _, c in kept], dtype=np.int64)


def _split_accuracy(right: Floats, names: Sequence[set[str]]) -> dict[str, dict[str, float | int]]:
    """Accuracy on the pairs that carry each name; `names` has one set a pair, and "" is no name."""
    found: dict[str, list[float]] = {}
    for value, carried in zip(right.tolist(), names, strict=True):
        for name in carried - {""}:
            found.setdefault(name, []).append(value)
    return {
        name: {"accuracy": sum(found[name]) / len(found[name]), "pairs": len(found[name])} for name in sorted(found)
    }


def _most_disagreed(groups: Sequence[Group], table: PairTable, loss: Floats) -> list[dict[str, Any]]:
    """The rankings that the model finds least likely, for a person to look at."""
    means = np.bincount(table.group, weights=loss) / np.maximum(np.bincount(table.group), 1)
    order = np.argsort(-means, kind="stable")[:MOST_DISAGREED]
    return [
        {
            "id": groups[k].id,
            "group": groups[k].group,
            "prompt_id": groups[k].prompt_id,
            "labeler": groups[k].labeler,
            "log_loss": float(means[k]),
        }
        for k in order.tolist()
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m rewardmodel.evaluate",
        description="Measure a reward model against rankings it has not seen. Prints the report as JSON.",
    )
    parser.add_argument("--model", required=True, type=Path, help="folder of the reward model (a run's output)")
    parser.add_argument("--rankings", required=True, type=Path, help="rankings: a snapshot folder or a JSONL file")
    parser.add_argument("--split", choices=("all", "train", "heldout"), default="all", help="which rows (default all)")
    parser.add_argument(
        "--max-length", type=int, default=1024, help="longest prompt and response, tokens (default 1024)"
    )
    parser.add_argument("--output", type=Path, help="write the report here instead of to standard output")
    options = parser.parse_args(arguments)

    from rewardmodel import groups as reader
    from rewardmodel.commands import named_errors, quiet_transformers, write_or_print
    from rewardmodel.model import RewardModel, default_device

    quiet_transformers()
    with named_errors(parser):
        model = RewardModel.load(options.model, device=default_device())
        length = min(options.max_length, model.context or options.max_length)
        everyone, counts = reader.read(options.rankings, model.tokenizer, max_length=length)
        chosen = [group for group in everyone if options.split in ("all", group.split)]
        if not chosen:
            raise reader.GroupError(
                f"found no ranking of split {options.split}, expected one or more; choose --split all"
            )
        made = report(chosen, score_groups(model, chosen), everyone=everyone, scale=model.std)
        write_or_print(json.dumps(with_counts(made, counts), indent=1), options.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
