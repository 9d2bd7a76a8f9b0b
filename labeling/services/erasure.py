"""Erasing people and prompts: what they said goes, the rows stay as tombstones, and nothing counts them any more.

Snapshots and checkpoints are immutable and hashed: what used the erased is told by `training.services.erasure`, for a
person to decide about. A prompt's hash stays, so that the same prompt never comes back by an import.
"""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from labeling import errors
from labeling.models.answers import Answer, Demonstration, RankedResponse
from labeling.models.invitations import Invitation
from labeling.models.people import Membership, Role, User
from labeling.models.projects import Project
from labeling.models.prompts import Prompt, PromptBand, Response
from labeling.models.work import Draft, LabelingTask, Skip
from labeling.services import audit, people, tasks

GONE = "[erased]"
REPLY = [{"role": "assistant", "content": GONE, "name": ""}]


@transaction.atomic
def prompt(*, row: Prompt, by: User | None, now: datetime) -> dict[str, int]:
    """Blank a prompt, its responses and all answers to it. Doing so again does nothing."""
    answers = Answer.objects.filter(prompt=row, erased_at=None)
    counts = {"prompts": int(row.erased_at is None), "answers": _blank(answers, now)}
    counts["responses"] = Response.objects.filter(rollout_set__prompt=row).exclude(text=GONE).update(
        text=GONE, token_ids=None, token_logprobs=None
    )  # fmt: skip
    open_tasks = LabelingTask.objects.filter(prompt=row).exclude(state=LabelingTask.State.DONE)
    counts["drafts"] = Draft.objects.filter(task__prompt=row).delete()[0]
    tasks.withdraw(tasks=open_tasks, state=LabelingTask.State.CLOSED)
    LabelingTask.objects.filter(prompt=row).update(policy_draft=None)
    PromptBand.objects.filter(prompt=row).delete()
    Prompt.objects.filter(pk=row.pk, erased_at=None).update(
        messages=[{"role": "user", "content": GONE, "name": ""}], meta={}, erased_at=now
    )
    audit.note(project=row.project, actor=by, action="prompt_erased", subject=f"prompt:{row.uuid}", details=counts,
               now=now)  # fmt: skip
    return counts


@transaction.atomic
def labeler(*, person: User, project: Project, answers: bool, by: User | None, now: datetime) -> dict[str, int]:
    """Make a person unknown: no name, no way in, no words of theirs beside what they labeled.

    `answers` takes the answers in this project out too; else they count on, without a name. Other projects' answers
    lose the name as well: a person is one.
    """
    if person.role == Role.ADMIN:
        raise errors.Conflict("An admin is no labeler; give them another role first.", code="is_admin")
    own = Answer.objects.filter(labeler=person)
    mine = own.filter(project=project, erased_at=None)
    counts = {"answers": _blank(mine, now) if answers else 0}
    counts["rationales"] = own.exclude(rationale="").update(rationale="")
    counts["comments"] = Skip.objects.filter(labeler=person).exclude(comment="").update(comment="")
    counts["drafts"] = Draft.objects.filter(labeler=person).delete()[0]
    counts["memberships"] = Membership.objects.filter(user=person).delete()[0]
    Invitation.objects.filter(accepted_by=person).update(email="")
    people.revoke_all(person=person, now=now)
    person.username, person.name, person.email = f"erased-{person.uuid.hex[:12]}", "", ""
    person.is_active = False
    person.set_unusable_password()
    person.save(update_fields=["username", "name", "email", "is_active", "password"])
    audit.note(
        project=project, actor=by, action="labeler_erased", subject=f"user:{person.uuid}", details=counts, now=now
    )
    return counts


def _blank(answers: QuerySet[Answer], now: datetime) -> int:
    """Take what the answers say; the rows stay, with who and when, for the books of work."""
    keys: list[Any] = list(answers.values_list("pk", flat=True))
    Demonstration.objects.filter(answer__in=keys).update(reply=REPLY, policy_draft=None)
    RankedResponse.objects.filter(answer__in=keys).update(rank=None, unacceptable=False, likert=None, flags=[])
    return Answer.objects.filter(pk__in=keys).update(rationale="", erased_at=now)
