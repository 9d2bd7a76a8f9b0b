"""Rollout sets: what policies wrote becomes work for labelers, each prompt of a run exactly once."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import Any
from uuid import UUID

from django.db import transaction

from contracts.records import Rollout, RolloutSetRecord
from contracts.snapshots import content_hash
from labeling import errors
from labeling.models.projects import Project
from labeling.models.prompts import Prompt, Response, RolloutSet, Source
from labeling.models.work import Kind, LabelingTask
from labeling.services import anchors, priorities, tasks
from labeling.services.text import storable

BATCH = 200


@transaction.atomic
def publish(
    *,
    project: Project,
    source: Source,
    run_id: UUID,
    sampling: dict[str, Any],
    rows: Iterable[RolloutSetRecord],
    open_tasks: bool,
    now: datetime,
) -> int:
    """Store each row as a rollout set and, if asked, open its ranking task. Returns how many were new.

    A set whose responses all read the same is stored and opens no task.
    Doing so again is harmless: a prompt counts once per run.
    """
    stored = opened = 0
    for batch in _batches(rows):
        groups = {
            content_hash({"run": str(run_id), "prompt": row.prompt_id, "policy": row.policy}): (
                row.prompt_id,
                [(source, rollout, score) for rollout, score in _scored(row)],
            )
            for row in batch
        }
        sets, made = _store(
            project=project, run_id=run_id, sampling=sampling, groups=groups,
            kind=Kind.RANKING if open_tasks else None, now=now,
        )  # fmt: skip
        stored, opened = stored + sets, opened + len(made)
        _inform(project, made, now)
    anchors.accompany(project=project, run_id=run_id, opened=opened, now=now)
    return stored


@transaction.atomic
def publish_comparisons(
    *,
    project: Project,
    sources: dict[str, Source],
    run_id: UUID,
    sampling: dict[str, Any],
    rows: Iterable[RolloutSetRecord],
    now: datetime,
) -> int:
    """Open blind comparisons of two policies: the i-th rollout of one beside the i-th of the other.

    `sources` maps the two policy names in the rows to their sources. Returns how many were new.
    """
    by_prompt: dict[str, dict[str, RolloutSetRecord]] = {}
    for row in rows:
        by_prompt.setdefault(row.prompt_id, {})[row.policy] = row
    first, second = sources
    groups = {}
    for prompt_id, by_policy in by_prompt.items():
        if set(by_policy) != {first, second}:
            raise errors.Invalid(f"Prompt {prompt_id} needs a row of {first} and one of {second}.")
        for index, (one, other) in enumerate(zip(_scored(by_policy[first]), _scored(by_policy[second]), strict=False)):
            key = content_hash({"run": str(run_id), "prompt": prompt_id, "comparison": index})
            groups[key] = (prompt_id, [(sources[first], *one), (sources[second], *other)])
    return _store(project=project, run_id=run_id, sampling=sampling, groups=groups, kind=Kind.COMPARISON, now=now)[0]


def _store(
    *,
    project: Project,
    run_id: UUID,
    sampling: dict[str, Any],
    groups: dict[str, tuple[str, list[tuple[Source, Rollout, float | None]]]],
    kind: Kind | None,
    now: datetime,
) -> tuple[int, list[LabelingTask]]:
    """Store rollout sets by content hash; those that are there are left as they are. How many, and their tasks."""
    there = set(
        RolloutSet.objects.filter(project=project, content_hash__in=list(groups)).values_list("content_hash", flat=True)
    )
    groups = {key: group for key, group in groups.items() if key not in there}
    prompts = _prompts(project, {prompt_id for prompt_id, _ in groups.values()})
    sets = RolloutSet.objects.bulk_create(
        [
            RolloutSet(
                project=project, prompt=prompts[prompt_id], run_id=run_id, content_hash=key, sampling=sampling,
                created_at=now, **_browsed(responses),
            )
            for key, (prompt_id, responses) in groups.items()
        ],
        batch_size=BATCH,
    )  # fmt: skip
    Response.objects.bulk_create(
        [
            Response(
                rollout_set=rollout_set,
                index=index,
                text=storable(rollout.text),
                source=source,
                token_ids=list(rollout.token_ids) or None,
                tokens=len(rollout.token_ids) or len(rollout.token_logprobs),
                token_logprobs=list(rollout.token_logprobs),
                finish_reason=rollout.finish_reason,
                seed=str(rollout.seed),
                score=score,
            )
            for rollout_set in sets
            for index, (source, rollout, score) in enumerate(groups[rollout_set.content_hash][1])
        ],
        batch_size=BATCH,
    )
    opened: list[LabelingTask] = []
    if kind is not None:
        # K times the same text leaves nothing to rank; a comparison of equals is a tie, and counts as one.
        worth = [one for one in sets if kind != Kind.RANKING or _differ(groups[one.content_hash][1])]
        opened = tasks.open_for_sets(
            project=project, kind=kind, rollout_sets=worth, priority=tasks.freshness(now), now=now
        )
    return len(sets), opened


def _browsed(responses: list[tuple[Source, Rollout, float | None]]) -> dict[str, Any]:
    """What the rollout browser orders a set by."""
    scores = [score for _, _, score in responses if score is not None]
    sources = {source.pk: source for source, _, _ in responses}
    return {
        "source": next(iter(sources.values())) if len(sources) == 1 else None,
        "best_score": max(scores, default=None),
        "worst_score": min(scores, default=None),
    }


def _inform(project: Project, opened: list[LabelingTask], now: datetime) -> None:
    """Rank first, of those opened together, what a reward model rates suspiciously high or can hardly tell apart."""
    scores: dict[UUID, list[float]] = {}
    rows = Response.objects.filter(rollout_set__tasks__in=[task.pk for task in opened], score__isnull=False)
    for uuid, score in rows.values_list("rollout_set__tasks__uuid", "score"):
        scores.setdefault(uuid, []).append(score or 0.0)
    told = []
    for uuid, found in scores.items():
        best = sorted(found, reverse=True)
        told.append(priorities.Signals(task=uuid, reward=best[0], uncertainty=best[1] - best[0] if best[1:] else None))
    if told:
        priorities.inform(project=project, rows=told, by=None, now=now)


def _differ(responses: list[tuple[Source, Rollout, float | None]]) -> bool:
    return len({rollout.text for _, rollout, _ in responses}) > 1


def _scored(row: RolloutSetRecord) -> list[tuple[Rollout, float | None]]:
    if row.scores and len(row.scores) != len(row.rollouts):
        raise errors.Invalid(f"Prompt {row.prompt_id} has {len(row.rollouts)} rollouts and {len(row.scores)} scores.")
    return list(zip(row.rollouts, row.scores or [None] * len(row.rollouts), strict=True))


def _prompts(project: Project, ids: set[str]) -> dict[str, Prompt]:
    try:
        keys = [UUID(id) for id in ids]
    except ValueError:
        raise errors.Invalid("A rollout set names a prompt by something that is not its id.") from None
    found = {str(prompt.uuid): prompt for prompt in Prompt.objects.filter(project=project, uuid__in=keys)}
    if unknown := ids - set(found):
        raise errors.Invalid(f"The project has no prompt {min(unknown)}.")
    return found


def _batches(rows: Iterable[RolloutSetRecord]) -> Iterator[list[RolloutSetRecord]]:
    iterator = iter(rows)
    while batch := list(islice(iterator, BATCH)):
        yield batch
