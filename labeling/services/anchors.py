"""Anchors: items that are ranked again beside each round's new ones, so that drift of labelers and of the policy
can be told apart. The same items in each round; what people say of them shows how people changed.
"""

import random
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db.models import Exists, OuterRef

from labeling.models.answers import Answer
from labeling.models.people import User
from labeling.models.projects import Project
from labeling.models.prompts import RolloutSet
from labeling.models.work import Kind, LabelingTask, Purpose
from labeling.services import audit, tasks

POOL = 5_000  # rollout sets looked through for new anchors, oldest first


def accompany(*, project: Project, run_id: UUID, opened: int, now: datetime) -> list[LabelingTask]:
    """Open anchor tasks beside a run's `opened` new ranking tasks, at the project's share. Once per run."""
    wanted = round(project.anchor_share * opened)
    if not wanted or LabelingTask.objects.filter(project=project, opened_for=run_id).exists():
        return []
    generator = random.Random(str(run_id))
    known = list(RolloutSet.objects.filter(project=project, anchored_at__isnull=False).order_by("id"))
    if len(known) < wanted:
        known += _choose(project, run_id, wanted - len(known), generator, now)
    chosen = sorted(generator.sample(known, min(wanted, len(known))), key=lambda one: one.pk)
    if not chosen:
        return []
    return tasks.open_for_sets(
        project=project, kind=Kind.RANKING, rollout_sets=chosen, priority=tasks.freshness(now), now=now,
        purpose=Purpose.ANCHOR, opened_for=run_id,
    )  # fmt: skip


def mark(*, project: Project, task_ids: Sequence[UUID], anchored: bool, by: User, now: datetime) -> int:
    """Make anchors of the tasks' items, or end that; returns how many changed."""
    rows = RolloutSet.objects.filter(project=project, tasks__uuid__in=list(task_ids), tasks__kind=Kind.RANKING)
    keys = list(rows.filter(anchored_at__isnull=anchored).values_list("pk", flat=True).distinct())
    RolloutSet.objects.filter(pk__in=keys).update(anchored_at=now if anchored else None)
    audit.note(project=project, actor=by, action="anchors_set", subject=f"project:{project.uuid}",
               details={"items": len(keys), "anchored": anchored}, now=now)  # fmt: skip
    return len(keys)


def _choose(project: Project, run_id: UUID, number: int, generator: random.Random, now: datetime) -> list[RolloutSet]:
    """New anchors at random among the oldest items that people have ranked."""
    ranked = Answer.objects.filter(rollout_set=OuterRef("pk"), purpose=Purpose.ORDINARY, kind=Kind.RANKING)
    rows = RolloutSet.objects.filter(project=project, anchored_at=None).exclude(run_id=run_id)
    rows = rows.filter(Exists(ranked), tasks__purpose=Purpose.ORDINARY, tasks__state=LabelingTask.State.DONE)
    pool = list(rows.order_by("id")[:POOL])
    chosen = generator.sample(pool, min(number, len(pool)))
    RolloutSet.objects.filter(pk__in=[one.pk for one in chosen]).update(anchored_at=now)
    return chosen
