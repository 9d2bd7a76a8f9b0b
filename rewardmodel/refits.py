"""Further fits of a run, on parts of its rankings: the learning curve, and the fit without one labeler.

Each is one member with the first member's seeds, so what differs is the rankings alone. A fit leaves its raw
scores of the held-out rankings and nothing else.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from contracts.configs import RewardModelConfig
from contracts.reports import Change, CurvePoint, LeftOut
from rewardmodel import slices, statistics
from rewardmodel.groups import Group, GroupError
from rewardmodel.statistics import Bootstrap
from rewardmodel.tables import PairTable, clusters, pair_table

FEWEST = 4  # rankings that a point of the curve is fitted on

Scores = Sequence[Sequence[float]]


@dataclass(frozen=True)
class Refit:
    """A part of the training rankings to fit on. `without` names the labeler left out, "" for the curve."""

    stage: str
    train: list[Group]
    without: str = ""


def plan(config: RewardModelConfig, train: Sequence[Group], seed: int) -> list[Refit]:
    """What the config asks for, shortest first. Raises `GroupError` for a labeler who ranked nothing here."""
    curve = _nested(train, config.curve_points, seed)
    refits = [
        Refit(f"learning curve {number} of {len(curve)}", part) for number, part in enumerate(reversed(curve), start=1)
    ]
    for labeler in config.left_out:
        kept = [group for group in train if group.labeler != labeler]
        if len(kept) == len(train) or not kept:
            named = sorted({group.labeler for group in train} - {""})
            raise GroupError(
                f"leave_out: found {len(train) - len(kept)} of {len(train)} training rankings by {labeler!r}, expected "
                f"some and not all; name one of {', '.join(named[:20]) or 'nobody: no ranking names its labeler'}"
            )
        refits.append(Refit(f"without {labeler}", kept, labeler))
    return refits


def _nested(train: Sequence[Group], points: int, seed: int) -> list[list[Group]]:
    """The rankings of 1/2, 1/4, ... of the prompts, each part within the one before."""
    order = sorted(clusters(train))
    random.Random(f"curve {seed}").shuffle(order)
    parts = []
    for halvings in range(1, points + 1):
        kept = set(order[: max(1, len(order) >> halvings)])
        part = [group for group in train if group.conversation in kept]
        if len(part) >= FEWEST:
            parts.append(part)
    return parts


def curve(
    refits: Sequence[Refit], scores: Sequence[Scores], *, heldout: Sequence[Group], train: Sequence[Group], full: Scores
) -> list[CurvePoint]:
    """One point for each part, and the whole; `full` are the raw scores of the first member."""
    bootstrap = Bootstrap(len(clusters(heldout)))
    points = [(refit.train, found) for refit, found in zip(refits, scores, strict=True) if not refit.without]
    made = []
    for part, found in [*points, (train, full)]:
        table = pair_table(heldout, found)
        right, loss = statistics.accuracy_of(table.delta), statistics.log_loss_of(table.delta)
        made.append(
            CurvePoint(
                rankings=len(part),
                prompts=len(clusters(part)),
                accuracy=float(right.mean()),
                accuracy_ci=bootstrap.interval(right, table.cluster),
                log_loss=float(loss.mean()),
                log_loss_ci=bootstrap.interval(loss, table.cluster),
            )
        )
    return made


def left_out(
    refits: Sequence[Refit], scores: Sequence[Scores], *, heldout: Sequence[Group], train: Sequence[Group], full: Scores
) -> list[LeftOut]:
    """For each labeler left out, both fits on the same held-out pairs: all, the others' and their own."""
    bootstrap = Bootstrap(len(clusters(heldout)))
    whole = pair_table(heldout, full)
    made = []
    for refit, found in zip(refits, scores, strict=True):
        if refit.without:
            other = pair_table(heldout, found)
            own = np.array([heldout[at].labeler == refit.without for at in whole.group.tolist()])
            made.append(
                LeftOut(
                    labeler=refit.without,
                    rankings=len(train) - len(refit.train),
                    kept=len(refit.train),
                    all=_change(whole, other, np.ones_like(own), bootstrap),
                    others=_change(whole, other, ~own, bootstrap),
                    own=_change(whole, other, own, bootstrap),
                )
            )
    return made


def _change(full: PairTable, without: PairTable, rows: np.ndarray, bootstrap: Bootstrap) -> Change:
    right, other = statistics.accuracy_of(full.delta[rows]), statistics.accuracy_of(without.delta[rows])
    return slices.change(right, other, full.cluster[rows], bootstrap)
