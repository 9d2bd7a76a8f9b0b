"""What the rollout browser shows: rollout sets of ours, with their scores and what people said of them."""

from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet

from labeling.models.projects import Project
from labeling.models.prompts import Response, RolloutSet, Source
from labeling.selectors import agreement, ranked

# Each order with what a set must have to stand in it; an index each, and one more for one policy.
ORDERS: dict[str, tuple[tuple[str, ...], str]] = {
    "newest": (("-id",), "run_id"),
    "best": (("-best_score", "-id"), "best_score"),
    "worst": (("worst_score", "-id"), "worst_score"),
    "disagreement": (("-disagreement", "-id"), "disagreement"),
}


def sets(*, project: Project, order: str, policy: Source | None) -> QuerySet[RolloutSet]:
    """Sets that stand in this order, of one policy or of all; in no order yet."""
    rows = RolloutSet.objects.filter(project=project, **{f"{ORDERS[order][1]}__isnull": False})
    if policy is not None:
        rows = rows.filter(source=policy)
    return rows.select_related("prompt", "source")


def policies(*, project: Project) -> QuerySet[Source]:
    """The checkpoints of ours whose rollouts the project has, newest first."""
    return Source.objects.filter(project=project, kind=Source.Kind.CHECKPOINT).order_by("-id")


def describe(rows: Sequence[RolloutSet]) -> list[dict[str, Any]]:
    keys = [row.pk for row in rows]
    responses: dict[int, list[Response]] = {key: [] for key in keys}
    written = Response.objects.filter(rollout_set__in=keys).defer("token_ids", "token_logprobs")
    for response in written.select_related("source").order_by("rollout_set", "index"):
        responses[response.rollout_set_id].append(response)
    given = ranked.of_responses(one.pk for written in responses.values() for one in written)
    return [_describe(row, responses[row.pk], given.get(row.pk, [])) for row in rows]


def _describe(row: RolloutSet, responses: list[Response], rankings: list[dict[int, int]]) -> dict[str, Any]:
    return {
        "id": row.uuid,
        "prompt": {"id": row.prompt.uuid, "messages": row.prompt.messages},
        "run": row.run_id,
        "policy": describe_policy(row.source) if row.source else None,
        "created_at": row.created_at,
        "rankings": len(rankings),
        "disagreement": agreement.against_scores(
            rankings, {one.pk: one.score for one in responses if one.score is not None}
        ),
        "responses": [
            {
                "id": one.uuid,
                "text": one.text,
                "tokens": one.tokens,
                "finish_reason": one.finish_reason,
                "score": one.score,
                "policy": one.source.name,
                "mean_place": agreement.mean([_place(ranking, one.pk) for ranking in rankings]),
            }
            for one in responses
        ],
    }


def describe_policy(source: Source) -> dict[str, Any]:
    return {"id": source.uuid, "name": source.name, "checkpoint": source.reference}


def _place(ranking: dict[int, int], response: int) -> float | None:
    """1 for the best of those ranked, tied ones sharing a place; None: not ranked."""
    own = ranking.get(response)
    return None if own is None else 1.0 + sum(place < own for place in ranking.values())
