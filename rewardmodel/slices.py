"""Where a reward model fails: by labeler, policy, flag, length and confidence, and on which rankings.

Pure functions on `tables`; every share comes with its interval by bootstrap over prompts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from contracts.reports import BestOf, CalibrationBin, Change, Disagreement, Ensemble, JudgedResponse, LengthBin, Slice
from rewardmodel import best_of_n, statistics
from rewardmodel.groups import Group
from rewardmodel.statistics import Bootstrap, Floats, Integers
from rewardmodel.tables import PairTable, ResponseTable, clusters, pair_table

MOST_DISAGREED = 20
LENGTH_BINS = 6
UNCERTAINTY_BINS = 4


def by_name(table: PairTable, right: Floats, names: Sequence[set[str]], bootstrap: Bootstrap) -> dict[str, Slice]:
    """Accuracy on the pairs that carry each name; `names` has one set a pair, and "" is no name."""
    rows: dict[str, list[int]] = {}
    for row, carried in enumerate(names):
        for name in carried - {""}:
            rows.setdefault(name, []).append(row)
    return {name: part(table, right, np.array(rows[name]), bootstrap) for name in sorted(rows)}


def part(table: PairTable, right: Floats, rows: Integers, bootstrap: Bootstrap) -> Slice:
    return Slice(
        accuracy=float(right[rows].mean()),
        ci=bootstrap.interval(right[rows], table.cluster[rows]),
        pairs=len(rows),
        rankings=len(np.unique(table.group[rows])),
    )


def calibration(table: PairTable, temperatures: Floats, bootstrap: Bootstrap) -> tuple[float, list[CalibrationBin]]:
    """The calibration error and its bins, each with the interval of what was observed in it."""
    error, bins = statistics.calibration(table.delta, temperatures)
    _, at = statistics.chances(table.delta, temperatures)
    right = statistics.accuracy_of(table.delta)
    for number, found in zip(np.unique(at), bins, strict=True):
        inside = at == number
        found["ci"] = bootstrap.interval(right[inside], table.cluster[inside])
    return error, bins


def best_of(groups: Sequence[Group], scores: Sequence[Sequence[float]], bootstrap: Bootstrap) -> list[BestOf]:
    """What picking the best of n by the model is worth to the labelers, from n = 1 to the longest ranking."""
    prompts = clusters(groups)
    made = []
    for n in range(1, max(len(group.responses) for group in groups) + 1):
        rows = []
        for group, found in zip(groups, scores, strict=True):
            if len(found) >= n:
                shares = best_of_n.win_shares(group.pairs, len(found))
                picks = [best_of_n.expected_gold(by, shares, n) for by in (found, shares)]
                rows.append((*picks, prompts[group.conversation]))
        model, labeler, cluster = np.array(rows).T
        at = cluster.astype(int)
        made.append(
            BestOf(
                n=n,
                kl=best_of_n.kl(n),
                model=float(model.mean()),
                model_ci=bootstrap.interval(model, at),
                labeler=float(labeler.mean()),
                labeler_ci=bootstrap.interval(labeler, at),
                rankings=len(rows),
            )
        )
    return made


def length_bias(table: ResponseTable, bootstrap: Bootstrap) -> list[LengthBin]:
    """Responses in bins of about equal count by length; equal lengths share a bin."""
    edges = np.unique(np.quantile(table.tokens, np.linspace(0, 1, LENGTH_BINS + 1)[1:-1], method="higher"))
    at = np.searchsorted(edges, table.tokens, side="right")
    made = []
    for number in np.unique(at):
        inside = at == number
        cluster = table.cluster[inside]
        made.append(
            LengthBin(
                low=int(table.tokens[inside].min()),
                high=int(table.tokens[inside].max()),
                responses=int(inside.sum()),
                score=float(table.score[inside].mean()),
                score_ci=bootstrap.interval(table.score[inside], cluster),
                human=float(table.human[inside].mean()),
                human_ci=bootstrap.interval(table.human[inside], cluster),
                model=float(table.model[inside].mean()),
                model_ci=bootstrap.interval(table.model[inside], cluster),
            )
        )
    return made


def most_disagreed(
    groups: Sequence[Group], scores: Sequence[Sequence[float]], table: PairTable, loss: Floats
) -> list[Disagreement]:
    """The rankings that the model finds least likely, for a person to look at."""
    pairs = np.bincount(table.group)
    means = np.bincount(table.group, weights=loss) / np.maximum(pairs, 1)
    wrong = np.bincount(table.group, weights=table.delta < 0)
    return [
        Disagreement(
            id=groups[k].id,
            group=groups[k].group,
            prompt_id=groups[k].prompt_id,
            labeler=groups[k].labeler,
            log_loss=float(means[k]),
            wrong=int(wrong[k]),
            pairs=int(pairs[k]),
            responses=_judged(groups[k], scores[k]),
        )
        for k in np.argsort(-means, kind="stable")[:MOST_DISAGREED].tolist()
    ]


def _judged(group: Group, scores: Sequence[float]) -> list[JudgedResponse]:
    ranks = group.ranks or (None,) * len(scores)
    return [
        JudgedResponse(id=name, rank=rank, score=float(score), tokens=len(ids))
        for name, rank, score, ids in zip(group.response_ids, ranks, scores, group.responses, strict=True)
    ]


def change(full: Floats, without: Floats, cluster: Integers, bootstrap: Bootstrap) -> Change:
    """Accuracy of two fits on the same pairs (1 right, 0 wrong, one row a pair), and their paired difference."""
    return Change(
        pairs=len(full),
        full=statistics.mean(full),
        full_ci=bootstrap.interval(full, cluster),
        without=statistics.mean(without),
        without_ci=bootstrap.interval(without, cluster),
        difference=statistics.mean(without - full),
        difference_ci=bootstrap.interval(without - full, cluster),
    )


def ensemble(
    groups: Sequence[Group],
    members: Sequence[Floats],
    combinations: Mapping[str, Sequence[Sequence[float]]],
    *,
    combine: str,
    penalty: float,
) -> Ensemble:
    """What members are worth together and alone. `members` has (M, K) normalized scores for each group.

    `combinations` are the scores of each way to combine them.
    """
    bootstrap = Bootstrap(len(clusters(groups)))
    alone = [pair_table(groups, [found[m].tolist() for found in members]) for m in range(len(members[0]))]
    table = alone[0]
    doubt = np.std([one.delta for one in alone], axis=0)
    everything = np.arange(len(doubt))
    right = {name: statistics.accuracy_of(pair_table(groups, found).delta) for name, found in combinations.items()}
    order = np.argsort(doubt, kind="stable")
    quarters = [rows for rows in np.array_split(order, UNCERTAINTY_BINS) if len(rows)]
    return Ensemble(
        combine=combine,
        penalty=penalty,
        members=[statistics.mean(statistics.accuracy_of(one.delta)) for one in alone],
        combinations={name: part(table, found, everything, bootstrap) for name, found in right.items()},
        uncertainty=float(np.mean([found.std(0).mean() for found in members])),
        by_uncertainty=[part(table, right["mean"], rows, bootstrap) for rows in quarters],
    )
