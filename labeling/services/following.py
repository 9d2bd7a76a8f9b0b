"""What follows from an answer, in its own transaction: scores, warnings, halting, early stopping, review.

Most answers of most projects have nothing to follow, and cost no statement here.
"""

from datetime import datetime

from labeling.models import sql
from labeling.models.answers import Answer, RankedResponse
from labeling.models.people import User
from labeling.models.quality import ReviewCase
from labeling.models.work import Kind, LabelingTask, Purpose, Slot
from labeling.selectors import merging, review, scoring
from labeling.services import audit, cases, quality, quality_rules, tasks

# Of each labeler the newest revision, late ones too: they are as independent.
_GIVEN = """
    SELECT t.state, a.id, a.late, r.response_id, r.rank, r.unacceptable
    FROM labeling_labelingtask t
    JOIN labeling_answer a ON a.task_id = t.id
    JOIN labeling_rankedresponse r ON r.answer_id = a.id
    WHERE t.id = %s AND a.purpose IN ('ordinary', 'anchor')
    AND NOT EXISTS (SELECT 1 FROM labeling_answer n WHERE n.replaces_id = a.id)
"""


def follow(*, answer: Answer, task: LabelingTask, labeler: User, flagged: bool, now: datetime) -> None:
    silent = task.purpose in quality.SILENT
    if silent:
        quality.score(answer=answer, now=now)
    if silent or answer.too_fast:
        quality.judge(project=task.project, labeler=labeler, now=now)
    if silent:
        return  # any number of labelers answer gold, and one a repeat: flags and agreement say nothing of these
    if flagged and task.project.flags_to_halt and _flaggers(task) >= task.project.flags_to_halt:
        cases.halt(task=task, why=ReviewCase.Why.FLAGS, now=now)
    elif task.shared and task.kind != Kind.DEMONSTRATION:
        _compare(task, now)


def _flaggers(task: LabelingTask) -> int:
    """Labelers who flagged a response of the task, whatever the flag."""
    flagged = RankedResponse.objects.filter(answer__task=task, answer__replaced_by=None).exclude(flags=[])
    flagged = flagged.exclude(answer__purpose=Purpose.REVIEW)
    return flagged.values("answer__labeler").distinct().count()


def _compare(task: LabelingTask, now: datetime) -> None:
    """Stop early where the item's labelers agree; send it to review where they are done and do not."""
    rankings: dict[int, dict[int, int]] = {}
    on_time = set()
    state = ""
    for state, answer, late, response, rank, unacceptable in sql.rows(_GIVEN, [task.pk]):  # noqa: B007
        ranking = rankings.setdefault(answer, {})
        place = scoring.place(rank, unacceptable=bool(unacceptable))
        if place != scoring.LEFT_OUT:
            ranking[response] = place
        if not late:
            on_time.add(answer)
    if len(rankings) < 2:
        return
    rules = quality_rules.of(task.project.quality)
    given = list(rankings.values())
    agreement = review.agreement_of(given)
    confident = rules.stop_agreement is not None and agreement is not None and agreement >= rules.stop_agreement
    if state == LabelingTask.State.OPEN and confident and len(on_time) >= rules.stop_answers:
        _stop(task, agreement, now)
    elif state == LabelingTask.State.DONE:
        cycle = merging.has_cycle(given)
        little = rules.review_below is not None and agreement is not None and agreement < rules.review_below
        if cycle or little:
            why = ReviewCase.Why.CYCLE if cycle else ReviewCase.Why.DISAGREEMENT
            cases.opened(task=task, why=why, agreement=agreement, now=now)


def _stop(task: LabelingTask, agreement: float | None, now: datetime) -> None:
    """Close the slots that are left, unless somebody is at work on one: whoever answers last looks again.

    Who has fetched one ahead is not at work on it.
    """
    # Claims that are under way end first; those that come now step over the locked slots.
    slots = list(Slot.objects.select_for_update(no_key=True).filter(task=task).order_by("pk"))
    held = [slot for slot in slots if slot.state == Slot.State.LEASED and not slot.ahead]
    if any(slot.free_at is None or slot.free_at > now for slot in held):
        return
    tasks.withdraw(tasks=LabelingTask.objects.filter(pk=task.pk), state=LabelingTask.State.DONE)
    audit.note(project=task.project, actor=None, action="task_stopped_early", subject=f"task:{task.uuid}",
               details={"agreement": agreement}, now=now)  # fmt: skip
