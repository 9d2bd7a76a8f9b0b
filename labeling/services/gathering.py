"""Responses that several imports brought for one prompt become one rollout set, and a ranking task."""

from collections.abc import Iterable
from datetime import datetime

from labeling.models.projects import Project
from labeling.models.prompts import Response, RolloutSet
from labeling.models.work import Kind
from labeling.services import preparing, tasks


def open_rankings(*, project: Project, hashes: Iterable[str], now: datetime) -> int:
    """One task for each of the prompts with two or more different imported responses that nobody has ranked.

    Up to `project.k` of them, each source in turn. Gathering the same responses again opens nothing.
    """
    rows = Response.objects.filter(
        rollout_set__project=project, rollout_set__prompt__content_hash__in=list(hashes), rollout_set__run_id=None,
        rollout_set__answers=None, judgments=None,
    )  # fmt: skip
    by_prompt: dict[int, dict[str, Response]] = {}
    for row in rows.select_related("rollout_set").order_by("rollout_set__prompt_id", "id"):
        if "gathered" not in row.rollout_set.sampling:
            by_prompt.setdefault(row.rollout_set.prompt_id, {}).setdefault(row.text, row)
    wanted: dict[str, tuple[int, list[Response]]] = {}
    for prompt, texts in by_prompt.items():
        chosen = _in_turn(list(texts.values()))[: project.k]
        if len(chosen) >= 2:
            key = preparing.key({"gathered": prompt, "responses": [str(one.uuid) for one in chosen]})
            wanted[key] = (prompt, chosen)
    there = set(
        RolloutSet.objects.filter(project=project, content_hash__in=list(wanted)).values_list("content_hash", flat=True)
    )
    made = RolloutSet.objects.bulk_create(
        RolloutSet(
            project=project, prompt_id=prompt, content_hash=key, sampling={"gathered": len(chosen)}, created_at=now
        )
        for key, (prompt, chosen) in wanted.items()
        if key not in there
    )  # fmt: skip
    Response.objects.bulk_create(
        Response(rollout_set=row, index=index, text=one.text, source_id=one.source_id)
        for row in made
        for index, one in enumerate(wanted[row.content_hash][1])
    )
    priority = tasks.freshness(now)
    return len(tasks.open_for_sets(project=project, kind=Kind.RANKING, rollout_sets=made, priority=priority, now=now))


def _in_turn(responses: list[Response]) -> list[Response]:
    """The first of each source, then the second of each, and so on."""
    seen: dict[int, int] = {}
    placed = []
    for order, row in enumerate(responses):
        turn = seen.get(row.source_id, 0)
        seen[row.source_id] = turn + 1
        placed.append((turn, order, row))
    return [row for _, _, row in sorted(placed, key=lambda one: one[:2])]
