"""What a labeler is shown: the frozen, shuffled, blinded payload of a lease; and the queue."""

from datetime import datetime
from typing import Any

from django.db.models import Count, QuerySet

from labeling.models import sql
from labeling.models.people import User
from labeling.models.projects import Guideline, Project
from labeling.models.work import Kind, LabelingTask, Lease, Purpose, Slot

_SHOWN = """
    SELECT t.uuid, t.kind, t.policy_draft, t.rollout_set_id, p.uuid, p.messages, d.body
    FROM labeling_labelingtask t
    JOIN labeling_prompt p ON p.id = t.prompt_id
    LEFT JOIN labeling_draft d ON d.task_id = t.id AND d.labeler_id = %s
    WHERE t.id = %s
"""


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
    row = sql.first(_SHOWN, [lease.labeler_id, lease.task_id])
    assert row is not None
    uuid, kind, policy_draft, rollout_set, prompt_uuid, messages, draft = row
    if lease.guideline_id != (guideline.pk if guideline else None):
        guideline = lease.guideline
    return {
        "token": lease.token,
        "expires_at": ends,
        "lease_seconds": project.lease_seconds,
        "server_time": now,
        "task": {
            "id": sql.as_uuid(uuid),
            "kind": kind,
            "prompt": {"id": sql.as_uuid(prompt_uuid), "messages": sql.as_json(messages)},
            "guideline": {"version": guideline.version, "text": guideline.text} if guideline else None,
            "responses": shown(rollout_set, lease.order_shown, lease.texts) if kind != Kind.DEMONSTRATION else [],
            "policy_draft": policy_draft,
            "settings": rules(project),
        },
        "draft": sql.as_json(draft),
        "notice": notice,
    }


def shown(
    rollout_set_id: int, order: list[str], texts: dict[str, tuple[str, int | None]] | None = None
) -> list[dict[str, Any]]:
    """The responses in the order shown; `texts` by response id where they were read before."""
    if texts is None:
        rows = sql.rows("SELECT uuid, text, tokens FROM labeling_response WHERE rollout_set_id = %s", [rollout_set_id])
        texts = {str(sql.as_uuid(uuid)): (text, tokens) for uuid, text, tokens in rows}
    return [{"id": id, "text": texts[id][0], "tokens": texts[id][1]} for id in order]


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
