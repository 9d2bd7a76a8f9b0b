"""Evaluation sets and the wall around them: nobody labels their prompts, nothing trains on them or on near copies."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime

from contracts.snapshots import content_hash
from labeling import errors
from labeling.formats.items import Unreadable
from labeling.models.projects import Project
from labeling.models.prompts import EvaluationSet, Prompt
from labeling.models.work import LabelingTask
from labeling.services import audit, nearness, tasks

BATCH = 500
REFUSED = "is a prompt of an evaluation set, or nearly one"


def named(project: Project, name: str, now: datetime) -> EvaluationSet | None:
    """The set of this name, made where there is none; None for no name."""
    if not name:
        return None
    found, _ = EvaluationSet.objects.get_or_create(project=project, name=name, defaults={"created_at": now})
    return found


def names(project: Project) -> list[str]:
    """Of sets that have prompts."""
    rows = EvaluationSet.objects.filter(project=project, prompts__isnull=False)
    return list(rows.order_by("id").values_list("name", flat=True).distinct())


def exist(project: Project) -> bool:
    return Prompt.objects.filter(project=project).exclude(evaluation_set=None).exists()


def among(project: Project, keys: Collection[str]) -> set[str]:
    """Those of the prompts' keys that are of an evaluation set."""
    found: set[str] = set()
    listed = list(keys)
    for start in range(0, len(listed), BATCH):
        rows = Prompt.objects.filter(project=project, content_hash__in=listed[start : start + BATCH])
        found.update(rows.exclude(evaluation_set=None).values_list("content_hash", flat=True))
    return found


def refuse(*, project: Project, conversations: Sequence[list[dict[str, str]]], field: str) -> None:
    """Raises `Conflict` where a conversation is of an evaluation set, or nearly: it would come to people or training.

    `field` names the place of one, such as "prompts.{}.messages".
    """
    if not exist(project):
        return
    keys = [content_hash(messages) for messages in conversations]
    texts = {key: nearness.said(messages) for key, messages in zip(keys, conversations, strict=True)}
    same = among(project, texts)
    try:
        index = nearness.Index(project=project, only_evaluation=True)
    except Unreadable as error:
        raise errors.Conflict(f"The project has an evaluation set. {error}", code="package_missing") from None
    index.fill()
    found = index.near({key: text for key, text in texts.items() if key not in same})
    if bad := {field.format(place): REFUSED for place, key in enumerate(keys) if key in same or found.get(key)}:
        raise errors.Conflict(
            "Prompts of evaluation sets are neither labeled nor trained on.", code="evaluation_prompt", fields=bad
        )


def wall(*, project: Project, name: str, now: datetime, alive: Callable[[], None] = nearness.nothing) -> int:
    """Put prompts that were there before, and are nearly ones of a set, behind the wall too. Returns how many.

    Their open tasks close; answers that they have stay, and are in no snapshot and no export from now on.
    """
    held = EvaluationSet.objects.get(project=project, name=name)
    index = nearness.Index(project=project, only_evaluation=True, alive=alive)
    index.fill()
    near: list[int] = []
    rows = Prompt.objects.filter(project=project, evaluation_set=None, erased_at=None).order_by("pk")
    last = 0
    while piece := list(rows.filter(pk__gt=last).only("pk", "messages", "content_hash")[:BATCH]):
        last = piece[-1].pk
        found = index.near({row.content_hash: nearness.said(row.messages) for row in piece})
        near += [row.pk for row in piece if found[row.content_hash]]
    for start in range(0, len(near), BATCH):
        Prompt.objects.filter(pk__in=near[start : start + BATCH]).update(evaluation_set=held)
    inside = Prompt.objects.filter(evaluation_set=held)
    open_tasks = LabelingTask.objects.filter(prompt__in=inside, state=LabelingTask.State.OPEN)
    tasks.withdraw(tasks=open_tasks, state=LabelingTask.State.CLOSED)
    audit.note(project=project, actor=None, action="evaluation_set_walled", subject=f"evaluation_set:{held.uuid}",
               details={"near": len(near), "prompts": inside.count()}, now=now)  # fmt: skip
    return len(near)
