"""Gold and repeats: handed out silently in place of an ordinary task, at the project's shares.

The labeler gets what any other task would look like. The slot is made for them alone and never goes to anybody else.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from labeling.models import sql
from labeling.models.projects import Project
from labeling.models.work import Kind, LabelingTask, Purpose, Slot
from labeling.services import claims
from labeling.services.claims import Claim

_GOLD = """
    SELECT g.task_id FROM labeling_golditem g JOIN labeling_labelingtask t ON t.id = g.task_id
    WHERE g.project_id = %s AND g.kind = %s AND g.retired_at IS NULL AND t.state = 'open'
    AND NOT EXISTS (SELECT 1 FROM labeling_slot m WHERE m.task_id = g.task_id AND m.labeler_id = %s)
    AND NOT EXISTS (SELECT 1 FROM labeling_exclusion e WHERE e.task_id = g.task_id AND e.labeler_id = %s)
"""

# The labeler's answers from `repeat_distance` back to twice as far: a stretch of an index, however many there are.
_REPEATABLE = """
    SELECT a.id, a.prompt_id, a.rollout_set_id FROM (
        SELECT id, prompt_id, rollout_set_id, task_id, kind, purpose, revision, late FROM labeling_answer
        WHERE labeler_id = %s AND project_id = %s ORDER BY id DESC LIMIT %s OFFSET %s
    ) a JOIN labeling_labelingtask t ON t.id = a.task_id JOIN labeling_prompt p ON p.id = a.prompt_id
    WHERE a.kind = %s AND a.purpose = 'ordinary' AND a.revision = 1 AND NOT a.late
    AND p.evaluation_set_id IS NULL AND p.erased_at IS NULL AND t.state NOT IN ('halted', 'discarded')
    AND NOT EXISTS (SELECT 1 FROM labeling_labelingtask r WHERE r.repeat_of_id = a.id)
"""

_STILL_GOLD = "SELECT id FROM labeling_labelingtask WHERE id = %s AND state = 'open' AND purpose = 'gold' {locked}"
_NEXT_NUMBER = "SELECT COALESCE(MAX(number), -1) + 1 FROM labeling_slot WHERE task_id = %s"


@dataclass(frozen=True)
class _Repeatable:
    answer_id: int
    prompt_id: int
    rollout_set_id: int


def draw(
    *, project: Project, kinds: Sequence[Kind], labeler_id: int, now: datetime, ahead: bool = False
) -> Claim | None:
    """Lease a gold item or a repeat, if chance wants one now; None: hand out an ordinary task.

    Only where an ordinary task waits too, of whose kind it is: what comes when nothing else does would give itself
    away.
    """
    chance = random.random()
    if chance >= project.gold_share + project.repeat_share:
        return None
    for kind in kinds:
        if claims.waits(project_id=project.pk, kind=kind, labeler_id=labeler_id, now=now):
            if kind == Kind.DEMONSTRATION:
                return None
            if chance < project.gold_share:
                return _draw_gold(project, kind, labeler_id, ahead)
            return _draw_repeat(project, kind, labeler_id, now, ahead)
    return None


def _draw_gold(project: Project, kind: Kind, labeler_id: int, ahead: bool) -> Claim | None:
    fresh = [task for (task,) in sql.rows(_GOLD, [project.pk, str(kind), labeler_id, labeler_id])]
    if not fresh:
        return None
    task_id = random.choice(fresh)
    # Others who get the same item go one after another, so that each finds a number for its slot.
    if sql.first(_STILL_GOLD.format(locked="" if sql.is_sqlite() else "FOR NO KEY UPDATE"), [task_id]) is None:
        return None
    numbered = sql.first(_NEXT_NUMBER, [task_id])
    assert numbered is not None
    return _reserve(project, kind, task_id, numbered[0], labeler_id, ahead, 1 / len(fresh))


def _draw_repeat(project: Project, kind: Kind, labeler_id: int, now: datetime, ahead: bool) -> Claim | None:
    distance = project.repeat_distance
    found = sql.rows(_REPEATABLE, [labeler_id, project.pk, distance + 1, distance, str(kind)])
    if not found:
        return None
    first = _Repeatable(*random.choice(found))
    task_id = sql.insert(
        LabelingTask,
        project_id=project.pk,
        kind=str(kind),
        purpose=Purpose.REPEAT.value,
        prompt_id=first.prompt_id,
        rollout_set_id=first.rollout_set_id,
        repeat_of_id=first.answer_id,
        created_at=now,
    )
    return _reserve(project, kind, task_id, 0, labeler_id, ahead, 1 / len(found))


def _reserve(
    project: Project, kind: Kind, task_id: int, number: int, labeler_id: int, ahead: bool, probability: float
) -> Claim:
    token = uuid4()
    slot_id = sql.insert(
        Slot,
        task_id=task_id,
        number=number,
        project_id=project.pk,
        kind=str(kind),
        priority=0.0,
        shuffle=random.random(),
        state=Slot.State.LEASED.value,
        reserved=True,
        labeler_id=labeler_id,
        token=token,
        ahead=ahead,
    )
    return Claim(token, slot_id, task_id, kind, drawn_at_random=True, probability=probability)
