"""How good a reward model is: its scores against held-out rankings, beside baselines and the human ceiling.

`python -m rewardmodel.evaluate --model DIR --rankings FILE` prints the report as JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from contracts.reports import REPORT_FORMAT, Ceiling, Ensemble, RewardModelReport
from rewardmodel import slices, statistics
from rewardmodel.commands import add_combination, add_rankings
from rewardmodel.ensemble import COMBINATIONS, WEIGHTS
from rewardmodel.groups import Counts, Group
from rewardmodel.statistics import Bootstrap, Floats, Integers
from rewardmodel.tables import PairTable, clusters, pair_table, response_table

OnProgress = Callable[[int, int], None]


def score_groups(
    model: Any, groups: Sequence[Group], *, micro_batch_tokens: int = 16_384, on_progress: OnProgress | None = None
) -> list[list[float]]:
    """Normalized scores of every group's responses. Rankings of the same responses are scored once."""
    keys = _distinct(groups)
    prompts, responses = [prompt for prompt, _ in keys], [responses for _, responses in keys]
    found = model.score_responses(prompts, responses, micro_batch_tokens=micro_batch_tokens, on_progress=on_progress)
    known = dict(zip(keys, found, strict=True))
    return [known[group.prompt, group.responses] for group in groups]


def judge(
    model: Any,
    groups: Sequence[Group],
    *,
    averaged: Any = None,
    micro_batch_tokens: int = 16_384,
    on_progress: OnProgress | None = None,
) -> tuple[list[list[float]], Ensemble | None]:
    """The scores of `score_groups`, and what the members are worth together where the model has several.

    `averaged` is the normalized model of their mean weights, to be compared, or to score if the model's
    `combine` says so.
    """
    if not model.members:
        return score_groups(model, groups, micro_batch_tokens=micro_batch_tokens, on_progress=on_progress), None
    keys = _distinct(groups)
    prompts, responses = [prompt for prompt, _ in keys], [responses for _, responses in keys]
    found = model.member_scores_of(prompts, responses, micro_batch_tokens=micro_batch_tokens, on_progress=on_progress)
    members = dict(zip(keys, found, strict=True))
    of_groups = [members[group.prompt, group.responses] for group in groups]
    combined = {
        name: [combine(one, model.penalty).tolist() for one in of_groups] for name, combine in COMBINATIONS.items()
    }
    if averaged is not None:
        combined[WEIGHTS] = score_groups(averaged, groups, micro_batch_tokens=micro_batch_tokens)
    worth = slices.ensemble(
        groups,
        [one.double().numpy() for one in of_groups],
        combined,
        combine=model.combine,
        penalty=model.penalty,
    )
    return combined[model.combine], worth


def _distinct(groups: Sequence[Group]) -> list[tuple[Any, Any]]:
    return list(dict.fromkeys((group.prompt, group.responses) for group in groups))


def report(
    groups: Sequence[Group],
    scores: Sequence[Sequence[float]],
    *,
    train: Sequence[Group] = (),
    everyone: Sequence[Group] = (),
    scale: float = 1.0,
    ensemble: Ensemble | None = None,
) -> RewardModelReport:
    """Every measure of the report, with 95 % intervals by bootstrap over prompts.

    `train` decides whether the length-only baseline prefers long or short. `everyone` are all rankings at
    hand; those of the same responses by two labelers give the human ceiling. `scale` is the normalizer's
    std: log loss and temperature are those of scores that the objective saw. `ensemble` is passed through.
    """
    table = pair_table(groups, [[scale * score for score in found] for found in scores])
    bootstrap = Bootstrap(len(clusters(groups)))
    right = statistics.accuracy_of(table.delta)
    loss = statistics.log_loss_of(table.delta)
    temperatures = statistics.cross_fitted_temperatures(table.delta, table.cluster)
    ece, bins = slices.calibration(table, temperatures, bootstrap)
    sign = length_sign(train or groups)
    by_length = statistics.accuracy_of(sign * table.longer)
    gain = bootstrap.means(right, table.cluster) - bootstrap.means(by_length, table.cluster)
    adjacent, won, lost = table.adjacent == 1, table.longer > 0, table.longer < 0
    top, top_cluster = _per_group(table, [_top1(g, s) for g, s in zip(groups, scores, strict=True)])
    tau, tau_cluster = _per_group(table, [_tau(g, s) for g, s in zip(groups, scores, strict=True)])
    rho, rho_cluster = _per_group(table, [_length_rho(g, s) for g, s in zip(groups, scores, strict=True)])
    pairs_of = [(group, i, j) for group in groups for i, j in group.pairs]
    return RewardModelReport(
        format=REPORT_FORMAT,
        groups=len(groups),
        prompts=len(clusters(groups)),
        pairs=len(right),
        accuracy=statistics.mean(right),
        accuracy_ci=bootstrap.interval(right, table.cluster),
        adjacent_accuracy=statistics.mean(right[adjacent]),
        adjacent_accuracy_ci=bootstrap.interval(right[adjacent], table.cluster[adjacent]),
        top1=statistics.mean(top),
        top1_ci=bootstrap.interval(top, top_cluster),
        kendall_tau=statistics.mean(tau),
        kendall_tau_ci=bootstrap.interval(tau, tau_cluster),
        log_loss=statistics.mean(loss),
        log_loss_ci=bootstrap.interval(loss, table.cluster),
        temperature=statistics.fitted_temperature(table.delta),
        ece=ece,
        ece_ci=bootstrap.calibration_interval(table.delta, temperatures, table.cluster),
        calibration=bins,
        accuracy_longer_won=statistics.mean(right[won]),
        accuracy_longer_won_ci=bootstrap.interval(right[won], table.cluster[won]),
        accuracy_longer_lost=statistics.mean(right[lost]),
        accuracy_longer_lost_ci=bootstrap.interval(right[lost], table.cluster[lost]),
        reward_length_spearman=statistics.mean(rho),
        reward_length_spearman_ci=bootstrap.interval(rho, rho_cluster),
        length_bias=slices.length_bias(response_table(groups, scores), bootstrap),
        best_of_n=slices.best_of(groups, scores, bootstrap),
        length_baseline=statistics.mean(by_length),
        length_baseline_ci=bootstrap.interval(by_length, table.cluster),
        length_prefers="longer" if sign > 0 else "shorter",
        gain_over_length=statistics.mean(right - by_length),
        gain_over_length_ci=statistics.quantiles(gain),
        ceiling=human_ceiling(everyone or groups),
        per_labeler=slices.by_name(table, right, [{group.labeler} for group, _, _ in pairs_of], bootstrap),
        per_source=slices.by_name(table, right, [{g.sources[i], g.sources[j]} for g, i, j in pairs_of], bootstrap),
        per_guideline=slices.by_name(
            table, right, [{str(g.guideline_version or "")} for g, _, _ in pairs_of], bootstrap
        ),
        per_flag=slices.by_name(table, right, [{*g.flags[i], *g.flags[j]} for g, i, j in pairs_of], bootstrap),
        most_disagreed=slices.most_disagreed(groups, scores, table, loss),
        ensemble=ensemble,
    )


def with_counts(made: RewardModelReport, counts: Counts) -> RewardModelReport:
    """The report and what happened to rows on their way in."""
    return RewardModelReport(
        **made,
        rankings=counts.rankings,
        refused=sum(counts.refused.values()),
        refused_reasons=dict(counts.refused),
        truncated=counts.truncated,
        prompts_cut=counts.prompts_cut,
        retokenized=counts.retokenized,
        unknown_tokens=counts.unknown_tokens,
    )


def length_sign(groups: Sequence[Group]) -> int:
    """+1 where the longer response wins more often than it loses, else -1."""
    balance = sum(
        int(np.sign(len(group.responses[i]) - len(group.responses[j]))) for group in groups for i, j in group.pairs
    )
    return 1 if balance >= 0 else -1


def human_ceiling(groups: Sequence[Group]) -> Ceiling | None:
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
    return Ceiling(agreement=statistics.mean(values), ci=interval, pairs=len(agree))


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


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m rewardmodel.evaluate",
        description="Measure a reward model against rankings it has not seen. Prints the report as JSON.",
    )
    parser.add_argument("--model", required=True, type=Path, help="folder of the reward model (a run's output)")
    add_rankings(parser)
    add_combination(parser)
    parser.add_argument("--split", choices=("all", "train", "heldout"), default="all", help="which rows (default all)")
    parser.add_argument(
        "--max-length", type=int, default=1024, help="longest prompt and response, tokens (default 1024)"
    )
    parser.add_argument("--output", type=Path, help="write the report here instead of to standard output")
    options = parser.parse_args(arguments)

    from rewardmodel import groups as reader
    from rewardmodel.commands import Bar, named_errors, quiet_transformers, rankings, write_or_print
    from rewardmodel.model import RewardModel, default_device

    quiet_transformers()
    with named_errors(parser):
        model = RewardModel.load(
            options.model, combine=options.combine, penalty=options.penalty, device=default_device()
        )
        length = min(options.max_length, model.context or options.max_length)
        with tempfile.TemporaryDirectory() as folder:
            rows = rankings(options.rankings, options.format, Path(folder))
            everyone, counts = reader.read(rows, model.tokenizer, max_length=length)
        chosen = [group for group in everyone if options.split in ("all", group.split)]
        if not chosen:
            raise reader.GroupError(
                f"found no ranking of split {options.split}, expected one or more; choose --split all"
            )
        scores, worth = judge(model, chosen, on_progress=partial(Bar().show, "scoring"))
        made = report(chosen, scores, everyone=everyone, scale=model.std, ensemble=worth)
        write_or_print(json.dumps(with_counts(made, counts), indent=1), options.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
