"""Measures a project: agreement, the reliability of its labelers, statistics. Takes seconds to minutes.

Loads NumPy and SciPy, so neither the web process nor a worker imports it: `manage.py measure` runs it.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations
from typing import Any

from labeling.models.measurements import LabelerMeasure, SetMeasure
from labeling.models.projects import Project
from labeling.models.work import Purpose
from labeling.reliability import accuracy
from labeling.selectors import agreement, checks, ranked, statistics
from labeling.selectors.agreement import ItemAgreement
from labeling.selectors.checks import Counts
from labeling.selectors.ranked import Ranked, Who
from labeling.services import measurements, measuring_reliability, measuring_scores
from labeling.services.measuring_agreement import Agreement

# The columns of an item's row.
COLUMNS = ("rankings", "agreeing_pairs", "decided_pairs", "pairwise_agreement", "kendall_tau_b", "krippendorff_alpha",
           "ambiguous")  # fmt: skip


@dataclass(frozen=True)
class Measured:
    """What `measurements.finish` stores."""

    report: dict[str, Any]
    labelers: list[LabelerMeasure]
    answers_through: int | None
    sha256: str


def measure(*, project: Project, now: datetime, seed: int = 0) -> Measured:
    """Measure all answers of a project; each item's own agreement, and with its scores, is stored at once."""
    through = measurements.newest_answer(project=project)
    several, single = ranked.items_by_count(project=project)
    whole, mine = _agreements(project, several)
    measuring_scores.store(project=project, ranked_sets=sorted([*several, *single]))
    fitted = measuring_reliability.fitted(project=project, several=several, single=single, seed=seed)
    silent = checks.silent(project=project)
    days = statistics.throughput(project=project, now=now)
    report = {
        "agreement": whole.report(seed=seed),
        "reliability": fitted.report(),
        "gold": shares(_summed(silent, Purpose.GOLD), seed=seed),
        "self_consistency": shares(_summed(silent, Purpose.REPEAT), seed=seed),
        "anchors": [
            {
                "run": str(row.run),
                "first_answer_at": row.first_at.isoformat(),
                "items": len(row.items),
                "answers": row.answers,
                "own": shares(row.own, seed=seed),
                "others": shares(row.others, seed=seed),
            }
            for row in checks.anchors(project=project)
        ],
        "statistics": {
            "days": statistics.by(days, "day", hourly_rate=project.hourly_rate),
            "labelers": statistics.by(days, "labeler", hourly_rate=project.hourly_rate),
            "total": statistics.total(days, hourly_rate=project.hourly_rate),
            "queue": statistics.queue(project=project, now=now),
            "staleness": statistics.staleness(project=project, now=now),
        },
    }
    checked = {(labeler, "") for labeler, _ in silent}
    people = sorted((set(mine) | set(fitted.labelers) | checked), key=lambda who: (who[0] or 0, who[1]))
    labelers = [
        LabelerMeasure(
            labeler_id=who[0],
            origin=who[1],
            weight=fitted.weight(who),
            numbers={
                "agreement": mine.get(who, Agreement()).report(seed=seed),
                "reliability": fitted.of(who),
                "gold": shares(silent.get((who[0] or 0, Purpose.GOLD), Counter()), seed=seed),
                "self_consistency": shares(silent.get((who[0] or 0, Purpose.REPEAT), Counter()), seed=seed),
            },
        )
        for who in people
    ]
    return Measured(report, labelers, through, fitted.sha256())


def shares(counts: Counts, *, seed: int) -> dict[str, Any]:
    """The share of decided pairs that agree, with its 95 % bootstrap interval over answers; null where undefined."""
    agreeing, decided = (sum(pair[part] * number for pair, number in counts.items()) for part in (0, 1))
    return {
        "answers": counts.total(),
        "agreeing_pairs": agreeing,
        "decided_pairs": decided,
        "share": agreeing / decided if decided else None,
        "interval": accuracy.bootstrap(counts, seed=seed),
    }


def _summed(silent: dict[tuple[int, str], Counts], purpose: str) -> Counts:
    return sum((counts for (_, its), counts in silent.items() if its == purpose), Counter())


def _agreements(project: Project, rollout_sets: Sequence[int]) -> tuple[Agreement, dict[Who, Agreement]]:
    """Of the project and of each labeler with the others; stores each item's own."""
    whole = Agreement()
    mine: dict[Who, Agreement] = {}
    answers = ranked.independent(project=project)
    for start in range(0, len(rollout_sets), ranked.CHUNK):
        keys = rollout_sets[start : start + ranked.CHUNK]
        items = {key: _add_item(whole, mine, found) for key, found in ranked.rankings(answers, rollout_sets=keys)}
        _store(project, items)
    gone = set(SetMeasure.objects.filter(project=project).values_list("rollout_set", flat=True)) - set(rollout_sets)
    SetMeasure.objects.filter(rollout_set__in=gone).delete()
    return whole, mine


def _add_item(whole: Agreement, mine: dict[Who, Agreement], rankings: Sequence[Ranked]) -> ItemAgreement:
    places = [one.places for one in rankings]
    agreeing: Counter[Who] = Counter()
    decided: Counter[Who] = Counter()
    taus: dict[Who, list[float | None]] = {one.who: [] for one in rankings}
    units: dict[Who, list[list[int]]] = {one.who: [] for one in rankings}
    for first, second in combinations(rankings, 2):
        same, both = agreement.pair_agreement(first.places, second.places)
        tau = agreement.tau_b(first.places, second.places)
        compared = agreement.units([first.places, second.places])
        for who in {first.who, second.who}:
            agreeing[who] += same
            decided[who] += both
            taus[who].append(tau)
            units[who] += compared
    for who in taus:
        mine.setdefault(who, Agreement()).add(agreeing[who], decided[who], taus[who], units[who])
    item = agreement.of_item(places)
    pairs = [agreement.tau_b(first, second) for first, second in combinations(places, 2)]
    whole.add(item.agreeing_pairs, item.decided_pairs, pairs, agreement.units(places))
    return item


def _store(project: Project, items: dict[int, ItemAgreement]) -> None:
    """Write the rows of items that are new or changed."""
    names = ("rollout_set", *COLUMNS)
    known = {row[0]: row[1:] for row in SetMeasure.objects.filter(rollout_set__in=items).values_list(*names)}
    changed = [
        SetMeasure(rollout_set_id=key, project=project, **{name: getattr(item, name) for name in COLUMNS})
        for key, item in items.items()
        if known.get(key) != tuple(getattr(item, name) for name in COLUMNS)
    ]
    SetMeasure.objects.bulk_create(changed, update_conflicts=True, unique_fields=["rollout_set"], update_fields=COLUMNS)
