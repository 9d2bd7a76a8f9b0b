"""The reliability of a project's labelers, fitted and put into words. Loads NumPy: see `measuring`."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from contracts.snapshots import content_hash
from labeling.models.people import User
from labeling.models.projects import Project
from labeling.models.prompts import Response
from labeling.models.quality import GoldItem
from labeling.models.work import Purpose
from labeling.reliability import accuracy
from labeling.reliability.choices import Ranking
from labeling.reliability.fit import STRENGTH_PRIOR, Fit, fit
from labeling.selectors import ranked
from labeling.selectors.ranked import Who

# Items that the reliability fit takes, drawn at random where there are more. Items that one person ranked tell
# about position bias only.
MOST_ITEMS, MOST_SINGLE_ITEMS = 10_000, 1_000
WIDEST = 0.5  # 95 % interval of a pair accuracy with which the fit still says anything of a labeler
GUESSING = 0.65  # pair accuracy, of which 0.5 is chance
GOLD: Who = (None, "gold")  # whoever knows the order of gold items is one more labeler, of a strength to be found


@dataclass
class Fitted:
    """A reliability fit with the names of its labelers."""

    fit: Fit | None
    people: list[Who]
    names: dict[Who, str]
    rankings: Counter[Who]
    items: int  # that the fit could have taken
    seed: int

    @property
    def labelers(self) -> list[Who]:
        return [who for who in self.people if who != GOLD]

    def report(self) -> dict[str, Any]:
        fit = self.fit
        return {
            "items_used": fit.items if fit else 0,
            "items": self.items,
            "rankings_used": fit.rankings if fit else 0,
            "draws": fit.draws if fit else 0,
            "noise": fit.noise if fit else None,
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
        """Pulled toward the others' mean by as much as the answers leave open; None where they say nothing of anybody.

        What they leave open is the variance of the strength over the prior's, where nothing is known at all.
        """
        if self.fit is None or not any(self.is_known(one) for one in self.labelers):
            return None
        sure = np.clip(1 - (self.fit.strength_error / STRENGTH_PRIOR[1]) ** 2, 0.0, 1.0)
        own = np.array([accuracy.weight(float(strength)) for strength in self.fit.strength])
        human = np.array([one != GOLD for one in self.people])
        mean = float((sure * own)[human].sum() / sure[human].sum())
        if who not in self.people:
            return round(mean, 6)
        index = self.people.index(who)
        return round(float(sure[index] * own[index] + (1 - sure[index]) * mean), 6)

    def sha256(self) -> str:
        if self.fit is None:
            return ""
        numbers = {self.names[who]: {**self.of(who), "weight": self.weight(who)} for who in self.people}
        return content_hash({"labelers": numbers, "seed": self.seed, "rankings": self.fit.rankings})


def fitted(*, project: Project, several: Sequence[int], single: Sequence[int], seed: int) -> Fitted:
    """From items that several people ranked, a few that one did, and gold items with their known order."""
    keys = ranked.sample(several, MOST_ITEMS, seed=seed) + ranked.sample(single, MOST_SINGLE_ITEMS, seed=seed)
    gold = dict(GoldItem.objects.filter(project=project).values_list("task__rollout_set", "ranks"))
    answers = ranked.of_purposes(Purpose.ORDINARY, Purpose.GOLD, project=project)
    both = sorted({*keys, *gold})
    rankings: list[tuple[int, Who, dict[int, int], list[int]]] = []
    for item, ones in ranked.rankings(answers, rollout_sets=both):
        rankings += [(item, one.who, one.places, one.shown) for one in ones]
        if item in gold and ones:
            rankings.append((item, GOLD, _known_order(item, gold[item]), []))
    decisive = [one for one in rankings if len(set(one[2].values())) > 1]
    counts = Counter(who for _, who, _, _ in decisive)
    people = sorted(counts, key=lambda who: (who[0] or 0, who[1]))
    number = {who: index for index, who in enumerate(people)}
    usernames = dict(User.objects.filter(pk__in=[who[0] for who in people if who[0]]).values_list("pk", "username"))
    names = {who: usernames[who[0]] if who[0] else f"imported:{who[1]}" for who in people}
    made = [Ranking(item, number[who], places, shown) for item, who, places, shown in decisive]
    result = fit(made, labelers=len(people), seed=seed) if made else None
    return Fitted(result, people, names, counts, len(several) + len(single), seed)


def _known_order(rollout_set: int, ranks: dict[str, int]) -> dict[int, int]:
    keys = Response.objects.filter(rollout_set=rollout_set).values_list("uuid", "pk")
    return {pk: ranks[str(uuid)] for uuid, pk in keys}
