"""How far a project is, and who did what."""

from datetime import datetime
from typing import Any

from django.db.models import Count, Q, Sum

from labeling.models.answers import Answer
from labeling.models.people import User
from labeling.models.projects import Project
from labeling.models.work import Kind, Purpose
from labeling.selectors import work


def progress(*, project: Project, user: User, with_labelers: bool, now: datetime) -> dict[str, Any]:
    """Counts of tasks and of first revisions of independent answers. Who did what only where `with_labelers`.

    `mine` counts gold and repeats too: who counts along must not be able to tell them by that.
    """
    every = Answer.objects.filter(project=project, revision=1).exclude(purpose=Purpose.REVIEW)
    answers = every.filter(purpose=Purpose.ORDINARY)
    by_kind = dict(answers.values_list("kind").annotate(number=Count("pk")).order_by())
    mine = every.filter(labeler=user)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return {
        "tasks": work.task_counts(project=project, now=now),
        "mine": {"today": mine.filter(created_at__gte=midnight).count(), "total": mine.count()},
        "answers": {f"{kind}s": by_kind.get(kind, 0) for kind in Kind.values}
        | {"late": answers.filter(late=True).count(), "imported": answers.filter(labeler=None).count()},
        "labelers": _labelers(project) if with_labelers else [],
    }


def _labelers(project: Project) -> list[dict[str, Any]]:
    rows = (
        Answer.objects.filter(project=project, revision=1, labeler__isnull=False)
        .exclude(purpose=Purpose.REVIEW)
        .values_list("labeler__username", "kind")
        .annotate(number=Count("pk", filter=Q(purpose=Purpose.ORDINARY)), active=Sum("active_ms"))
        .order_by("labeler__username")
    )
    people: dict[str, dict[str, Any]] = {}
    for username, kind, number, active in rows:
        person = people.setdefault(
            username, {"username": username, **{f"{one}s": 0 for one in Kind.values}, "active_minutes": 0.0}
        )
        person[f"{kind}s"] = number
        person["active_minutes"] = round(person["active_minutes"] + (active or 0) / 60_000, 2)
    return list(people.values())
