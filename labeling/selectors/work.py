"""What a labeler is shown: the frozen, shuffled, blinded payload of a lease; and the queue."""

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Count, QuerySet

from labeling.models import sql
from labeling.models.people import User
from labeling.models.projects import Guideline, Project
from labeling.models.work import Kind, LabelingTask, Lease, Purpose, Slot

_CONTENTS = """
    SELECT r.uuid, r.text, r.tokens, t.uuid, t.kind, t.policy_draft, p.uuid, p.messages, d.body
    FROM labeling_labelingtask t
    JOIN labeling_prompt p ON p.id = t.prompt_id
    LEFT JOIN labeling_draft d ON d.task_id = t.id AND d.labeler_id = %s
    LEFT JOIN labeling_response r ON r.rollout_set_id = t.rollout_set_id
    WHERE t.id = %s ORDER BY r."index"
"""

# Text and length in tokens by response id; unknown where nobody counted them.
Responses = dict[str, tuple[str, int | None]]


class Contents(NamedTuple):
    """What a task shows to one labeler."""

    task: UUID
    kind: Kind
    policy_draft: str | None
    prompt: UUID
    messages: list[dict[str, str]]
    draft: Any  # what the labeler had not finished; None: nothing
    responses: Responses  # in the order of their sampling; none in a demonstration


def contents(*, task_id: int, labeler_id: int) -> Contents:
    rows = sql.rows(_CONTENTS, [labeler_id, task_id])
    task, kind, policy_draft, prompt, messages, draft = rows[0][3:]
    return Contents(
        task=sql.as_uuid(task),
        kind=Kind(kind),
        policy_draft=policy_draft,
        prompt=sql.as_uuid(prompt),
        messages=sql.as_json(messages),
        draft=sql.as_json(draft),
        responses={str(sql.as_uuid(id)): (text, tokens) for id, text, tokens, *_ in rows if id is not None},
    )


def payload(
    *,
    lease: Lease,
    project: Project,
    guideline: Guideline | None,
    ends: datetime,
    now: datetime,
    notice: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Everything on the labeling screen. Nothing in it tells whose a response is, or whether it is gold or a repeat."""
    found = lease.contents or contents(task_id=lease.task_id, labeler_id=lease.labeler_id)
    if lease.guideline_id != (guideline.pk if guideline else None):
        guideline = lease.guideline
    return {
        "token": lease.token,
        "expires_at": ends,
        "lease_seconds": project.lease_seconds,
        "server_time": now,
        "task": {
            "id": found.task,
            "kind": found.kind,
            "prompt": {"id": found.prompt, "messages": found.messages},
            "guideline": {"version": guideline.version, "text": guideline.text} if guideline else None,
            "responses": shown(found.responses, lease.order_shown),
            "policy_draft": found.policy_draft,
            "settings": rules(project),
        },
        "draft": found.draft,
        "notice": notice,
    }


def shown(responses: Responses, order: list[str]) -> list[dict[str, Any]]:
    """The responses in the order shown."""
    return [{"id": id, "text": responses[id][0], "tokens": responses[id][1]} for id in order]


def responses_of(rollout_set_id: int) -> Responses:
    rows = sql.rows("SELECT uuid, text, tokens FROM labeling_response WHERE rollout_set_id = %s", [rollout_set_id])
    return {str(sql.as_uuid(uuid)): (text, tokens) for uuid, text, tokens in rows}


def rules(project: Project) -> dict[str, Any]:
    return {
        "allow_ties": project.allow_ties,
        "allow_partial": project.allow_partial,
        "allow_unacceptable": project.allow_unacceptable,
        "flags": project.flags,
        "likert_points": project.likert_points,
        "ask_rationale": project.ask_rationale,
        "ask_confidence": project.ask_confidence,
    }


def waiting(*, project: Project, labeler: User, now: datetime) -> dict[str, bool]:
    """Whether each kind has a free slot that is not this labeler's already; no counts, so that it stays quick."""
    free = Slot.objects.filter(project=project, free_at__lte=now).exclude(labeler=labeler)
    return {kind: free.filter(kind=kind).exists() for kind in Kind.values}


def task_counts(*, project: Project, now: datetime) -> dict[str, dict[str, int]]:
    """Tasks by kind: open and untouched, open with somebody at work, done, halted. Gold and repeats are none."""
    counts = {kind: {"open": 0, "leased": 0, "done": 0, "halted": 0} for kind in Kind.values}
    states = LabelingTask.objects.filter(project=project, purpose__in=[Purpose.ORDINARY, Purpose.ANCHOR])
    for kind, state, number in states.values_list("kind", "state").annotate(number=Count("*")).order_by():
        if state == LabelingTask.State.SETTLED:
            counts[kind]["done"] += number
        elif state in counts[kind]:
            counts[kind][state] += number
    held = Slot.objects.filter(project=project, state=Slot.State.LEASED, free_at__gt=now)
    for kind, number in held.values_list("kind").annotate(number=Count("task", distinct=True)).order_by():
        counts[kind]["leased"] = number
        counts[kind]["open"] -= number
    return counts


def tasks(*, project: Project) -> QuerySet[LabelingTask]:
    """Tasks as `describe_task` needs them."""
    return LabelingTask.objects.filter(project=project).select_related("prompt").prefetch_related("slots")


def describe_task(task: LabelingTask) -> dict[str, Any]:
    states = [slot.state for slot in task.slots.all()]
    return {
        "id": task.uuid,
        "kind": task.kind,
        "purpose": task.purpose,
        "state": task.state,
        "priority": task.priority,
        "information": task.information,
        "prompt": {"id": task.prompt.uuid, "last_message": task.prompt.messages[-1]["content"][:200]},
        "slots": {state: states.count(state) for state in Slot.State.values},
        "created_at": task.created_at,
    }
