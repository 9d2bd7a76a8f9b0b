"""Agreement added up over items, of a project and of each labeler with the others. Loads NumPy: see `measuring`."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from labeling.reliability import accuracy
from labeling.selectors.alpha import Alpha


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
