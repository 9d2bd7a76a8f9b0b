"""Measures a project: agreement, the reliability of its labelers, statistics. Takes seconds to minutes.

Loads NumPy and SciPy, so neither the web process nor a worker imports it: `manage.py measure` runs it.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import combinations
from typing import Any

from contracts.snapshots import content_hash
from labeling.models.measurements import LabelerMeasure, SetMeasure
from labeling.models.people import User
from labeling.models.projects import Project
from labeling.reliability import accuracy
from labeling.reliability.choices import Ranking
from labeling.reliability.fit import Fit, fit
from labeling.selectors import agreement, ranked, statistics
from labeling.selectors.agreement import ItemAgreement
from labeling.selectors.alpha import Alpha
from labeling.selectors.ranked import Ranked, Who
from labeling.services import measurements

# Items that the reliability fit takes, drawn at random where there are more. Items that one person ranked tell
# about position bias only.
MOST_ITEMS, MOST_SINGLE_ITEMS = 10_000, 1_000
WIDEST = 0.35  # 95 % interval of a pair accuracy with which the fit still says anything of a labeler
GUESSING = 0.65  # pair accuracy, of which 0.5 is chance
BATCH = 500


@dataclass
class Agreement:
    """Added up over items: of a project, or of one labeler with the others."""

    items: int = 0
    counts: Counter[tuple[int, int]] = field(default_factory=Counter)  # (agreeing, decided) pairs -> items
    taus: float = 0.0
    taus_defined: int = 0
    alpha: Alpha = field(default_factory=Alpha)

    def add(self, agreeing: int, decided: int, taus: Sequence[float | None], units: Sequence[Sequence[int]]) -> None:
        self.items += 1
        self.counts[agreeing, decided] += 1
        for tau in taus:
            if tau is not None:
                self.taus += tau
                self.taus_defined += 1
        for unit in units:
            self.alpha.add(unit)

    def report(self, *, seed: int) -> dict[str, Any]:
        """Undefined numbers are null, and `reasons` says why."""
        agreeing = sum(pair[0] * number for pair, number in self.counts.items())
        decided = sum(pair[1] * number for pair, number in self.counts.items())
        found = {
            "items": self.items,
            "agreeing_pairs": agreeing,
            "decided_pairs": decided,
            "pairwise_agreement": agreeing / decided if decided else None,
            "pairwise_agreement_interval": accuracy.bootstrap(self.counts, seed=seed),
            "kendall_tau_b": self.taus / self.taus_defined if self.taus_defined else None,
            "krippendorff_alpha": self.alpha.value(),
        }
        none = "no item was ranked by two people" if not self.items else ""
        why = {
            "pairwise_agreement": "no two people decide the same pair",
            "pairwise_agreement_interval": "an interval needs two items on which two people decide the same pair",
            "kendall_tau_b": "of each two rankings of an item, one ties everything",
            "krippendorff_alpha": "everybody ties everything",
        }
        reasons = {name: none or sentence for name, sentence in why.items() if found[name] is None}
        return {**found, "reasons": reasons}


@dataclass(frozen=True)
class Measured:
    """What `measurements.finish` stores."""

    report: dict[str, Any]
    labelers: list[LabelerMeasure]
    answers_through: int | None
    sha256: str


def measure(*, project: Project, now: datetime, seed: int = 0) -> Measured:
    """Measure all answers of a project; each item's own agreement is stored at once."""
    through = measurements.newest_answer(project=project)
    several, single = ranked.items_by_count(project=project)
    whole, mine = _agreements(project, several)
    fitted = _fit(project, several, single, seed=seed)
    days = statistics.throughput(project=project, now=now)
    report = {
        "agreement": whole.report(seed=seed),
        "reliability": fitted.report(),
        "statistics": {
            "days": statistics.by(days, "day", hourly_rate=project.hourly_rate),
            "labelers": statistics.by(days, "labeler", hourly_rate=project.hourly_rate),
            "total": statistics.total(days, hourly_rate=project.hourly_rate),
            "queue": statistics.queue(project=project, now=now),
            "staleness": statistics.staleness(project=project, now=now),
        },
    }
    people = sorted(set(mine) | set(fitted.people), key=lambda who: (who[0] or 0, who[1]))
    labelers = [
        LabelerMeasure(
            labeler_id=who[0],
            origin=who[1],
            weight=fitted.weight(who),
            numbers={"agreement": mine.get(who, Agreement()).report(seed=seed), "reliability": fitted.of(who)},
        )
        for who in people
    ]
    return Measured(report, labelers, through, fitted.sha256())


def _agreements(project: Project, rollout_sets: Sequence[int]) -> tuple[Agreement, dict[Who, Agreement]]:
    """Of the project and of each labeler with the others; stores each item's own."""
    whole = Agreement()
    mine: dict[Who, Agreement] = {}
    known = {row.rollout_set_id: row for row in SetMeasure.objects.filter(project=project)}
    changed: list[SetMeasure] = []
    for rollout_set, found in ranked.rankings(project=project, rollout_sets=rollout_sets):
        item = _add_item(whole, mine, found)
        row = SetMeasure(rollout_set_id=rollout_set, project=project, **_columns(item))
        if rollout_set not in known or any(
            getattr(known[rollout_set], name) != value for name, value in _columns(item).items()
        ):
            changed.append(row)
        if len(changed) >= BATCH:
            _store(changed)
    _store(changed)
    gone = set(known) - set(rollout_sets)
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


def _columns(item: ItemAgreement) -> dict[str, Any]:
    names = ("rankings", "agreeing_pairs", "decided_pairs", "pairwise_agreement", "kendall_tau_b",
             "krippendorff_alpha", "ambiguous")  # fmt: skip
    return {name: getattr(item, name) for name in names}


def _store(changed: list[SetMeasure]) -> None:
    if changed:
        SetMeasure.objects.bulk_create(
            changed,
            update_conflicts=True,
            unique_fields=["rollout_set"],
            update_fields=["rankings", "agreeing_pairs", "decided_pairs", "pairwise_agreement", "kendall_tau_b",
                           "krippendorff_alpha", "ambiguous"],
        )  # fmt: skip
        changed.clear()


@dataclass
class Fitted:
    """A reliability fit with the names of its labelers."""

    fit: Fit | None
    people: list[Who]
    names: dict[Who, str]
    rankings: Counter[Who]
    items: int  # that the fit could have taken
    seed: int

    def report(self) -> dict[str, Any]:
        fit = self.fit
        return {
            "items_used": fit.items if fit else 0,
            "items": self.items,
            "rankings_used": fit.rankings if fit else 0,
            "draws": fit.draws if fit else 0,
            "effective_draws": fit.effective_draws if fit else None,
            "converged": fit.converged if fit else None,
            "seed": self.seed,
            "sha256": self.sha256() or None,
            "reason": "" if fit else "nobody has ranked anything yet",
        }

    def of(self, who: Who) -> dict[str, Any]:
        """Strength, bias and what they mean; null with the reason where the answers say too little."""
        empty = dict.fromkeys(
            ("strength", "strength_error", "position_bias", "position_bias_error", "pair_accuracy",
             "pair_accuracy_error", "pair_accuracy_interval", "finding")
        )  # fmt: skip
        if self.fit is None or who not in self.people:
            return {"rankings": 0, **empty, "reason": "no ranking of theirs decides a pair"}
        index = self.people.index(who)
        bias, bias_error = float(self.fit.bias[index]), float(self.fit.bias_error[index])
        found = {
            "rankings": self.rankings[who],
            **empty,
            "position_bias": bias,
            "position_bias_error": bias_error,
            "reason": "",
        }
        if not self.is_known(who):
            return {**found, "reason": "too few items that others have ranked too"}
        strength, error = float(self.fit.strength[index]), float(self.fit.strength_error[index])
        share, share_error = accuracy.pair_accuracy(strength), accuracy.pair_accuracy_error(strength, error)
        low, high = accuracy.pair_accuracy_interval(strength, error)
        finding = "reverses" if high < 0.5 else "guesses" if high < GUESSING else "reads" if low > 0.5 else "unsure"
        return {
            **found,
            "strength": strength,
            "strength_error": error,
            "pair_accuracy": share,
            "pair_accuracy_error": share_error,
            "pair_accuracy_interval": [low, high],
            "finding": finding,
        }

    def is_known(self, who: Who) -> bool:
        if self.fit is None or who not in self.people:
            return False
        index = self.people.index(who)
        low, high = accuracy.pair_accuracy_interval(
            float(self.fit.strength[index]), float(self.fit.strength_error[index])
        )
        return high - low < WIDEST

    def weight(self, who: Who) -> float | None:
        """Labelers of whom the fit says nothing take the mean of the others'; None where it says nothing at all."""
        assert self.fit is None or len(self.people) == len(self.fit.strength)
        known = {
            one: accuracy.weight(float(self.fit.strength[index])) if self.fit else 0.0
            for index, one in enumerate(self.people)
            if self.is_known(one)
        }
        if not known:
            return None
        return round(known.get(who, sum(known.values()) / len(known)), 6)

    def sha256(self) -> str:
        if self.fit is None:
            return ""
        numbers = {self.names[who]: {**self.of(who), "weight": self.weight(who)} for who in self.people}
        return content_hash({"labelers": numbers, "seed": self.seed, "rankings": self.fit.rankings})


def _fit(project: Project, several: Sequence[int], single: Sequence[int], *, seed: int) -> Fitted:
    keys = ranked.sample(several, MOST_ITEMS, seed=seed) + ranked.sample(single, MOST_SINGLE_ITEMS, seed=seed)
    found = dict(ranked.rankings(project=project, rollout_sets=keys))
    decisive = [(item, one) for item, ones in found.items() for one in ones if len(set(one.places.values())) > 1]
    rankings = Counter(one.who for _, one in decisive)
    people = sorted(rankings, key=lambda who: (who[0] or 0, who[1]))
    number = {who: index for index, who in enumerate(people)}
    usernames = dict(User.objects.filter(pk__in=[who[0] for who in people if who[0]]).values_list("pk", "username"))
    names = {who: usernames[who[0]] if who[0] else f"imported:{who[1]}" for who in people}
    made = [Ranking(item, number[one.who], one.places, one.shown) for item, one in decisive]
    result = fit(made, labelers=len(people), seed=seed) if made else None
    return Fitted(result, people, names, rankings, len(several) + len(single), seed)
