"""What gold items, blind repeats and anchors showed, by labeler and by run: pairs of responses."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.db.models import Count

from labeling.models.projects import Project
from labeling.models.quality import QualityCheck
from labeling.models.work import Purpose
from labeling.selectors import agreement, ranked

Counts = Counter[tuple[int, int]]  # (agreeing, decided) pairs -> answers


def silent(*, project: Project) -> dict[tuple[int, str], Counts]:
    """By labeler and purpose, gold or repeat."""
    rows = QualityCheck.objects.filter(project=project, answer__replaced_by=None)
    found: dict[tuple[int, str], Counts] = {}
    names = ("labeler", "purpose", "agreeing", "decided")
    for labeler, purpose, agreeing, decided, number in rows.values_list(*names).annotate(n=Count("pk")).order_by():
        found.setdefault((labeler, purpose), Counter())[agreeing, decided] += number
    return found


@dataclass
class Anchored:
    """Anchors that accompanied one run's rollouts, against the answers that the same items had before.

    Where people change, they agree less with their own earlier answers than blind repeats do; where only the policy
    changes, they do not, for an anchor's responses stay what they were.
    """

    run: UUID
    first_at: datetime
    items: set[int] = field(default_factory=set)
    answers: int = 0
    own: Counts = field(default_factory=Counter)
    others: Counts = field(default_factory=Counter)


def anchors(*, project: Project) -> list[Anchored]:
    """One per run, the earliest first."""
    again = ranked.of_purposes(Purpose.ANCHOR, project=project)
    keys = list(again.order_by("rollout_set").values_list("rollout_set", flat=True).distinct())
    answers = ranked.of_purposes(Purpose.ANCHOR, Purpose.ORDINARY, project=project)
    found: dict[UUID, Anchored] = {}
    for rollout_set, rankings in ranked.rankings(answers, rollout_sets=keys):
        for now, earlier in _compared(rankings):
            assert now.opened_for is not None
            row = found.setdefault(now.opened_for, Anchored(now.opened_for, now.at))
            row.first_at = min(row.first_at, now.at)
            row.items.add(rollout_set)
            row.answers += 1
            for one in earlier:
                counts = row.own if one.who == now.who else row.others
                counts[agreement.pair_agreement(one.places, now.places)] += 1
    return sorted(found.values(), key=lambda row: row.first_at)


def _compared(rankings: list[ranked.Ranked]) -> Iterator[tuple[ranked.Ranked, list[ranked.Ranked]]]:
    """Each anchor's answer, with all earlier answers to the item but those of the same run."""
    for now in rankings:
        if now.opened_for is not None:
            yield now, [one for one in rankings if one.at < now.at and one.opened_for != now.opened_for]
