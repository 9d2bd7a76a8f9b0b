"""What follows from an answer, in its own transaction: scores, warnings, halting.

Most answers of most projects have nothing to follow, and cost no statement here.
"""

from datetime import datetime

from labeling.models.answers import Answer, RankedResponse
from labeling.models.people import User
from labeling.models.quality import ReviewCase
from labeling.models.work import LabelingTask
from labeling.services import cases, quality


def follow(*, answer: Answer, task: LabelingTask, labeler: User, flagged: bool, now: datetime) -> None:
    silent = task.purpose in quality.SILENT
    if silent:
        quality.score(answer=answer, now=now)
    if silent or answer.too_fast:
        quality.judge(project=task.project, labeler=labeler, now=now)
    if flagged and task.project.flags_to_halt and _flaggers(task) >= task.project.flags_to_halt:
        cases.halt(task=task, why=ReviewCase.Why.FLAGS, now=now)


def _flaggers(task: LabelingTask) -> int:
    """Labelers who flagged a response of the task, whatever the flag."""
    flagged = RankedResponse.objects.filter(answer__task=task, answer__replaced_by=None).exclude(flags=[])
    return flagged.values("answer__labeler").distinct().count()
