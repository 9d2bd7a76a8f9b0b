"""The promises of hand-out as queries. Each counts the rows that break one; all are 0 at all times."""

from collections.abc import Callable

from django.db.models import Count, Exists, F, OuterRef, Q

from labeling.models.answers import Answer
from labeling.models.prompts import Response
from labeling.models.quality import QualityCheck, ReviewCase
from labeling.models.work import Exclusion, Kind, LabelingTask, Lease, Purpose, Skip, Slot


def violations() -> dict[str, int]:
    return {name: count() for name, count in CHECKS.items()}


def _answered_slots_without_answer() -> int:
    answer = Answer.objects.filter(task=OuterRef("task"), labeler=OuterRef("labeler"), late=False)
    return Slot.objects.filter(state=Slot.State.ANSWERED).filter(~Exists(answer)).count()


def _answers_without_answered_slot() -> int:
    slot = Slot.objects.filter(task=OuterRef("task"), labeler=OuterRef("labeler"), state=Slot.State.ANSWERED)
    ours = Answer.objects.filter(revision=1, late=False, task__isnull=False).exclude(purpose=Purpose.REVIEW)
    return ours.filter(~Exists(slot)).count()


def _labelers_with_two_slots_of_a_task() -> int:
    twice = Slot.objects.filter(labeler__isnull=False).values("task", "labeler").annotate(n=Count("pk"))
    return twice.filter(n__gt=1).count()


def _leases_beyond_one() -> int:
    held = Slot.objects.filter(state=Slot.State.LEASED, ahead=False)
    return held.values("labeler", "project", "kind").annotate(n=Count("pk")).filter(n__gt=1).count()


def _leases_ahead_beyond_one() -> int:
    held = Slot.objects.filter(state=Slot.State.LEASED, ahead=True)
    return held.values("labeler", "project").annotate(n=Count("pk")).filter(n__gt=1).count()


def _leases_that_disagree_on_being_begun() -> int:
    lease = Lease.objects.filter(token=OuterRef("token"))
    held = Slot.objects.filter(state=Slot.State.LEASED)
    begun_ahead = held.filter(Exists(lease.filter(begun_at__isnull=False)), ahead=True).count()
    return begun_ahead + held.filter(Exists(lease.filter(begun_at=None)), ahead=False).count()


def _slots_that_forget_their_lease() -> int:
    lease = Lease.objects.filter(token=OuterRef("token"), slot=OuterRef("pk"), labeler=OuterRef("labeler"))
    return Slot.objects.filter(state=Slot.State.LEASED).filter(~Exists(lease)).count()


def _done_tasks_with_free_slots() -> int:
    free = Slot.objects.filter(task=OuterRef("pk"), state__in=[Slot.State.OPEN, Slot.State.LEASED])
    return LabelingTask.objects.exclude(state=LabelingTask.State.OPEN).filter(Exists(free)).count()


def _open_tasks_without_free_slots() -> int:
    free = Slot.objects.filter(task=OuterRef("pk"), state__in=[Slot.State.OPEN, Slot.State.LEASED])
    opened = LabelingTask.objects.filter(state=LabelingTask.State.OPEN).exclude(purpose=Purpose.GOLD)
    return opened.filter(~Exists(free)).count()


def _own_texts_not_excluded() -> int:
    excluded = Exclusion.objects.filter(task=OuterRef("rollout_set__tasks"), labeler=OuterRef("author"))
    authored = Response.objects.filter(author__isnull=False, rollout_set__tasks__purpose__in=_OPEN_TO_ALL)
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


def _gold_without_order() -> int:
    return LabelingTask.objects.filter(purpose=Purpose.GOLD, gold__isnull=True).count()


def _answers_of_another_purpose() -> int:
    """A repeat that counts as independent, or the reverse. An answer keeps its purpose when its task becomes gold."""
    repeats = Q(task__purpose=Purpose.REPEAT) & ~Q(purpose=Purpose.REPEAT)
    anchors = Q(task__purpose=Purpose.ANCHOR) & ~Q(purpose__in=[Purpose.ANCHOR, Purpose.REVIEW])
    others = Q(purpose__in=[Purpose.REPEAT, Purpose.ANCHOR, Purpose.GOLD]) & ~Q(task__purpose=F("purpose"))
    return Answer.objects.filter(repeats | anchors | others).count()


def _repeats_of_others() -> int:
    slots = Slot.objects.filter(task__purpose=Purpose.REPEAT, labeler__isnull=False)
    return slots.exclude(labeler=F("task__repeat_of__labeler")).count()


def _silent_slots_free_to_all() -> int:
    silent = Slot.objects.filter(task__purpose__in=[Purpose.GOLD, Purpose.REPEAT])
    return silent.filter(free_at__isnull=False).count()


def _unscored_checks() -> int:
    check = QualityCheck.objects.filter(answer=OuterRef("pk"), purpose=OuterRef("purpose"), labeler=OuterRef("labeler"))
    silent = Answer.objects.filter(purpose__in=[Purpose.GOLD, Purpose.REPEAT], revision=1)
    return silent.filter(~Exists(check)).count()


def _settled_without_ranking() -> int:
    settled = ReviewCase.objects.filter(task=OuterRef("pk"), state=ReviewCase.State.SETTLED)
    return LabelingTask.objects.filter(state=LabelingTask.State.SETTLED).filter(~Exists(settled)).count()


# Tasks of these purposes go to whoever asks; a repeat is its labeler's.
_OPEN_TO_ALL = [Purpose.ORDINARY, Purpose.GOLD, Purpose.ANCHOR]

CHECKS: dict[str, Callable[[], int]] = {
    "answered_slots_without_answer": _answered_slots_without_answer,
    "answers_without_answered_slot": _answers_without_answered_slot,
    "labelers_with_two_slots_of_a_task": _labelers_with_two_slots_of_a_task,
    "labelers_with_two_leases_of_a_kind": _leases_beyond_one,
    "labelers_with_two_leases_ahead": _leases_ahead_beyond_one,
    "leases_both_ahead_and_begun_or_neither": _leases_that_disagree_on_being_begun,
    "leased_slots_without_lease": _slots_that_forget_their_lease,
    "ended_tasks_with_free_slots": _done_tasks_with_free_slots,
    "open_tasks_without_free_slots": _open_tasks_without_free_slots,
    "own_texts_not_excluded": _own_texts_not_excluded,
    "skips_not_excluded": _skips_not_excluded,
    "answers_that_miss_responses": _answers_that_miss_responses,
    "gold_tasks_without_known_order": _gold_without_order,
    "answers_of_another_purpose_than_their_task": _answers_of_another_purpose,
    "repeats_of_somebody_elses_answer": _repeats_of_others,
    "slots_of_gold_or_repeats_free_to_all": _silent_slots_free_to_all,
    "gold_or_repeat_answers_without_check": _unscored_checks,
    "settled_tasks_without_settlement": _settled_without_ranking,
}
