"""What a reviewer sees: the queue, and all there is to know of one item in it."""

from collections.abc import Hashable, Mapping, Sequence
from itertools import combinations
from typing import Any, TypeVar

from django.db.models import Prefetch, QuerySet

from labeling.models.answers import Answer, RankedResponse
from labeling.models.projects import Project
from labeling.models.quality import ReviewCase
from labeling.models.work import LabelingTask, Purpose, Skip
from labeling.selectors import agreement, answers, merging, scoring, work

T = TypeVar("T", bound=Hashable)

Rankings = list[dict[str, int]]

# Answers to one item that are independent of each other.
INDEPENDENT = (Purpose.ORDINARY, Purpose.ANCHOR, Purpose.GOLD)


def queue(*, project: Project) -> QuerySet[ReviewCase]:
    """Cases as `describe` needs them."""
    return ReviewCase.objects.filter(project=project).select_related("task__prompt", "closed_by", "settlement")


def describe(case: ReviewCase) -> dict[str, Any]:
    task = case.task
    return {
        "id": case.uuid,
        "why": case.why,
        "state": case.state,
        "agreement": case.agreement,
        "task": {
            "id": task.uuid,
            "kind": task.kind,
            "purpose": task.purpose,
            "state": task.state,
            "prompt": {"id": task.prompt.uuid, "last_message": task.prompt.messages[-1]["content"][:200]},
        },
        "opened_at": case.opened_at,
        "closed_at": case.closed_at,
        "closed_by": case.closed_by.username if case.closed_by else None,
        "reason": case.reason,
        "settlement": case.settlement.uuid if case.settlement else None,
    }


def detail(case: ReviewCase) -> dict[str, Any]:
    """The item with everybody's answers and skips, and what merging makes of the rankings."""
    task = case.task
    given = answers.detailed(independent(task).order_by("id"))
    rankings = rankings_of(task)
    found = merged(task=task)
    skips = Skip.objects.filter(task=task).select_related("labeler").order_by("id")
    return {
        **describe(case),
        "agreement": agreement_of(rankings),
        "cycle": merging.has_cycle(rankings) if rankings else False,
        "merged": {"ranks": found[0], "unacceptable": sorted(found[1])} if found else None,
        "messages": task.prompt.messages,
        "responses": _responses(task),
        "answers": [answers.describe(answer) for answer in given],
        "skips": [
            {
                "labeler": skip.labeler.username,
                "reason": skip.reason,
                "comment": skip.comment,
                "created_at": skip.created_at,
            }
            for skip in skips
        ],
        "settings": work.rules(case.project),
    }


def independent(task: LabelingTask) -> QuerySet[Answer]:
    """Each labeler's newest revision; neither repeats nor settlements."""
    return Answer.objects.filter(task=task, purpose__in=INDEPENDENT, replaced_by=None)


def rankings_of(task: LabelingTask) -> Rankings:
    """{response id: place} of each independent answer; what a partial ranking leaves out is not in it."""
    ranked = RankedResponse.objects.select_related("response").only("answer", "rank", "unacceptable", "response__uuid")
    rows = independent(task).order_by("id").prefetch_related(Prefetch("ranked", queryset=ranked))
    found = []
    for answer in rows:
        places = {
            str(one.response.uuid): scoring.place(one.rank, unacceptable=one.unacceptable)
            for one in answer.ranked.all()
        }
        found.append({id: place for id, place in places.items() if place != scoring.LEFT_OUT})
    return [ranking for ranking in found if ranking]


def merged(*, task: LabelingTask) -> tuple[dict[str, int], set[str]] | None:
    """(places from 1 of what is acceptable, what most call unacceptable); None where nobody ranked anything."""
    rankings = rankings_of(task)
    if not rankings:
        return None
    order = merging.merge(rankings)
    against = {id: sum(ranking.get(id, 0) >= agreement.UNACCEPTABLE for ranking in rankings) for id in order}
    unacceptable = {id for id, votes in against.items() if 2 * votes > len(rankings)}
    kept = {id: place for id, place in order.items() if id not in unacceptable}
    levels = sorted(set(kept.values()))
    return {id: levels.index(place) + 1 for id, place in kept.items()}, unacceptable


def agreement_of(rankings: Sequence[Mapping[T, int]]) -> float | None:
    """The share of decided pairs that two labelers order the same way, over all twos of them; None: no such pair."""
    agreeing = decided = 0
    for first, second in combinations(rankings, 2):
        one, both = agreement.pair_agreement(first, second)
        agreeing, decided = agreeing + one, decided + both
    return agreeing / decided if decided else None


def _responses(task: LabelingTask) -> list[dict[str, Any]]:
    if task.rollout_set is None:
        return []
    rows = task.rollout_set.responses.order_by("index").select_related("source")
    return [{"id": row.uuid, "text": row.text, "tokens": row.tokens, "source": row.source.name} for row in rows]
