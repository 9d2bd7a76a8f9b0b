"""Evaluation sets and the wall around them: nobody labels their prompts, nothing trains on them or on near copies."""

from datetime import datetime

from labeling.models.projects import Project
from labeling.models.prompts import EvaluationSet, Prompt
from labeling.models.work import LabelingTask
from labeling.services import audit, nearness, tasks


def named(project: Project, name: str, now: datetime) -> EvaluationSet | None:
    """The set of this name, made where there is none; None for no name."""
    if not name:
        return None
    found, _ = EvaluationSet.objects.get_or_create(project=project, name=name, defaults={"created_at": now})
    return found


def wall(*, project: Project, name: str, now: datetime) -> int:
    """Put prompts that were there before, and are nearly ones of the set, behind the wall too. Returns how many.

    Their open tasks close; answers that they have stay, and are in no snapshot and no export from now on.
    """
    held = EvaluationSet.objects.get(project=project, name=name)
    index = nearness.Index(project=project)
    index.fill(only_evaluation=True)
    near = []
    rows = Prompt.objects.filter(project=project, evaluation_set=None)
    for row in rows.only("pk", "messages", "content_hash").iterator(chunk_size=500):
        if index.of(row.content_hash, nearness.said(row.messages)) == "evaluation":
            near.append(row.pk)
        index.forget()
    Prompt.objects.filter(pk__in=near).update(evaluation_set=held)
    inside = Prompt.objects.filter(evaluation_set=held)
    open_tasks = LabelingTask.objects.filter(prompt__in=inside, state=LabelingTask.State.OPEN)
    tasks.withdraw(tasks=open_tasks, state=LabelingTask.State.CLOSED)
    audit.note(project=project, actor=None, action="evaluation_set_walled", subject=f"evaluation_set:{held.uuid}",
               details={"near": len(near), "prompts": inside.count()}, now=now)  # fmt: skip
    return len(near)
