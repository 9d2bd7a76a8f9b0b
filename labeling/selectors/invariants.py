"""The promises of hand-out as queries. Each counts the rows that break one; all are 0 at all times."""

from collections.abc import Callable

from django.db.models import Count, Exists, F, OuterRef, Q

from labeling.models.answers import Answer
from labeling.models.prompts import Response
from labeling.models.work import Exclusion, Kind, LabelingTask, Lease, Skip, Slot


def violations() -> dict[str, int]:
    return {name: count() for name, count in CHECKS.items()}


def _answered_slots_without_answer() -> int:
    answer = Answer.objects.filter(task=OuterRef("task"), labeler=OuterRef("labeler"), late=False)
    return Slot.objects.filter(state=Slot.State.ANSWERED).filter(~Exists(answer)).count()


def _answers_without_answered_slot() -> int:
    slot = Slot.objects.filter(task=OuterRef("task"), labeler=OuterRef("labeler"), state=Slot.State.ANSWERED)
    return Answer.objects.filter(revision=1, late=False, task__isnull=False).filter(~Exists(slot)).count()


def _labelers_with_two_slots_of_a_task() -> int:
    twice = Slot.objects.filter(labeler__isnull=False).values("task", "labeler").annotate(n=Count("pk"))
    return twice.filter(n__gt=1).count()


def _leases_beyond_one() -> int:
    held = Slot.objects.filter(state=Slot.State.LEASED).values("labeler", "project", "kind").annotate(n=Count("pk"))
    return held.filter(n__gt=1).count()


def _slots_that_forget_their_lease() -> int:
    lease = Lease.objects.filter(token=OuterRef("token"), slot=OuterRef("pk"), labeler=OuterRef("labeler"))
    return Slot.objects.filter(state=Slot.State.LEASED).filter(~Exists(lease)).count()


def _done_tasks_with_free_slots() -> int:
    free = Slot.objects.filter(task=OuterRef("pk"), free_at__isnull=False)
    return LabelingTask.objects.exclude(state=LabelingTask.State.OPEN).filter(Exists(free)).count()


def _open_tasks_without_free_slots() -> int:
    free = Slot.objects.filter(task=OuterRef("pk"), free_at__isnull=False)
    return LabelingTask.objects.filter(state=LabelingTask.State.OPEN).filter(~Exists(free)).count()


def _own_texts_not_excluded() -> int:
    excluded = Exclusion.objects.filter(task=OuterRef("rollout_set__tasks"), labeler=OuterRef("author"))
    authored = Response.objects.filter(author__isnull=False, rollout_set__tasks__isnull=False)
    return authored.filter(~Exists(excluded)).count()


def _skips_not_excluded() -> int:
    excluded = Exclusion.objects.filter(task=OuterRef("task"), labeler=OuterRef("labeler"))
    return Skip.objects.filter(~Exists(excluded)).count()


def _answers_that_miss_responses() -> int:
    ordered = Answer.objects.exclude(kind=Kind.DEMONSTRATION).annotate(
        ranked_count=Count("ranked", distinct=True), response_count=Count("rollout_set__responses", distinct=True)
    )
    bare = Answer.objects.filter(kind=Kind.DEMONSTRATION, demonstration__isnull=True)
    return ordered.filter(~Q(ranked_count=F("response_count"))).count() + bare.count()


CHECKS: dict[str, Callable[[], int]] = {
    "answered_slots_without_answer": _answered_slots_without_answer,
    "answers_without_answered_slot": _answers_without_answered_slot,
    "labelers_with_two_slots_of_a_task": _labelers_with_two_slots_of_a_task,
    "labelers_with_two_leases_of_a_kind": _leases_beyond_one,
    "leased_slots_without_lease": _slots_that_forget_their_lease,
    "ended_tasks_with_free_slots": _done_tasks_with_free_slots,
    "open_tasks_without_free_slots": _open_tasks_without_free_slots,
    "own_texts_not_excluded": _own_texts_not_excluded,
    "skips_not_excluded": _skips_not_excluded,
    "answers_that_miss_responses": _answers_that_miss_responses,
}
