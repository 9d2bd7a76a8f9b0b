"""Scoring gold and repeats, and what follows for the labeler: first a warning, then a pause."""

from datetime import datetime
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet, Sum

from labeling.models.answers import Answer, RankedResponse
from labeling.models.people import Membership, User
from labeling.models.projects import Project
from labeling.models.quality import GoldItem, QualityCheck
from labeling.models.work import Purpose
from labeling.selectors import access, scoring
from labeling.services import audit, claims, quality_rules
from labeling.services.quality_rules import Rules

SILENT = (Purpose.GOLD, Purpose.REPEAT)


def is_too_fast(*, project: Project, kind: str, active_ms: int | None, held_ms: float) -> bool:
    """Below the project's minimum, by what the labeler's screen measured or by how long they had the task at all."""
    minimum = project.quality.get("minimum_seconds", {}).get(kind, 0) * 1000
    return bool(minimum) and min(held_ms, held_ms if active_ms is None else active_ms) < minimum


def score(*, answer: Answer, now: datetime) -> QualityCheck:
    """Compare an answer to a gold item or a repeat with what it should be, and keep the outcome."""
    assert answer.task is not None and answer.labeler_id is not None
    given = places(answer.pk)
    first: Answer | None = None
    if answer.purpose == Purpose.GOLD:
        known = GoldItem.objects.values_list("ranks", flat=True).get(task_id=answer.task_id)
        agreeing, decided = scoring.against_gold(known, given)
    else:
        first = Answer.objects.get(
            task__answers=answer.task.repeat_of_id, labeler_id=answer.labeler_id, replaced_by=None,
            purpose__in=[Purpose.ORDINARY, Purpose.GOLD],
        )  # fmt: skip
        agreeing, decided = scoring.against_earlier(places(first.pk), given)
    return QualityCheck.objects.create(
        answer=answer,
        against=first,
        project_id=answer.project_id,
        labeler_id=answer.labeler_id,
        purpose=answer.purpose,
        agreeing=agreeing,
        decided=decided,
        created_at=now,
    )


def places(answer_id: int) -> dict[str, int]:
    """Where an answer puts each response, by the response's id."""
    rows = RankedResponse.objects.filter(answer=answer_id).values_list("response__uuid", "rank", "unacceptable")
    return {str(uuid): scoring.place(rank, unacceptable=unacceptable) for uuid, rank, unacceptable in rows}


def judge(*, project: Project, labeler: User, now: datetime) -> None:
    """Warn the labeler whose newest work breaks a rule; pause them where the work after the warning does."""
    rules = quality_rules.of(project.quality)
    if rules.gold_accuracy is rules.self_consistency is rules.fast_share is None:
        return
    member = Membership.objects.select_for_update(no_key=True).filter(project_id=project.pk, user=labeler).first()
    if member is None or member.paused_at is not None:
        return
    broken, judged = broken_rules(rules=rules, member=member)
    if broken and member.warned_at is None:
        _stand(member, "labeler_warned", now, reasons=broken, warned_at=now, judged_from=now)
    elif broken:
        _stand(member, "labeler_paused", now, reasons=broken, paused_at=now)
    elif judged and member.warned_at is not None:
        _stand(member, "labeler_recovered", now, reasons=[], warned_at=None)


def broken_rules(*, rules: Rules, member: Membership) -> tuple[list[str], bool]:
    """The rules that the newest work since `judged_from` breaks, and whether it was enough to judge by at all."""
    since = Q() if member.judged_from is None else Q(created_at__gt=member.judged_from)
    checks = QualityCheck.objects.filter(since, labeler_id=member.user_id, project_id=member.project_id)
    broken, judged = [], False
    for name, purpose in (("gold_accuracy", Purpose.GOLD), ("self_consistency", Purpose.REPEAT)):
        least = getattr(rules, name)
        if least is None:
            continue
        share = _share(checks.filter(purpose=purpose, decided__gt=0), rules)
        judged = judged or share is not None
        if share is not None and share < least:
            broken.append(name)
    if rules.fast_share is not None:
        answers = Answer.objects.filter(since, labeler_id=member.user_id, project_id=member.project_id, revision=1)
        fast = list(answers.order_by("-id").values_list("too_fast", flat=True)[: rules.window])
        if len(fast) >= rules.least:
            judged = True
            if sum(fast) / len(fast) > rules.fast_share:
                broken.append("fast_answers")
    return broken, judged


def _share(checks: QuerySet[QualityCheck], rules: Rules) -> float | None:
    """Of pairs, over the newest checks; None: too few to judge by."""
    newest = list(checks.order_by("-id").values_list("agreeing", "decided")[: rules.window])
    if len(newest) < rules.least:
        return None
    return sum(agreeing for agreeing, _ in newest) / sum(decided for _, decided in newest)


@transaction.atomic
def pause(*, member: Membership, by: User, reason: str, now: datetime) -> None:
    """By a person rather than by a rule. What the labeler holds can still be finished."""
    if member.paused_at is None:
        _stand(member, "labeler_paused", now, by=by, note=reason, reasons=["asked"], paused_at=now)


@transaction.atomic
def lift(*, member: Membership, by: User, reason: str, now: datetime) -> None:
    """Let the labeler go on with a clean slate: what came before counts no more."""
    if member.paused_at is not None or member.warned_at is not None:
        _stand(
            member, "pause_lifted", now, by=by, note=reason, reasons=[], warned_at=None, paused_at=None, judged_from=now
        )


def standing(member: Membership) -> str:
    return "paused" if member.paused_at else "warned" if member.warned_at else "good"


def notice(member: Membership | None) -> dict[str, Any] | None:
    """What the labeler is told of their standing with each task; None: nothing is wrong."""
    if member is None or not (member.paused_at or member.warned_at):
        return None
    return {"state": standing(member), "reasons": member.reasons, "since": member.paused_at or member.warned_at}


def totals(*, project: Project, labeler: User) -> dict[str, Any]:
    """What gold and repeats showed of one labeler, all in all; shares are None where nothing was decided."""
    found: dict[str, Any] = {}
    rows = QualityCheck.objects.filter(project=project, labeler=labeler)
    for name, purpose in (("gold_accuracy", Purpose.GOLD), ("self_consistency", Purpose.REPEAT)):
        sums = rows.filter(purpose=purpose).aggregate(agreeing=Sum("agreeing"), decided=Sum("decided"))
        found[name] = sums["agreeing"] / sums["decided"] if sums["decided"] else None
        found[f"{purpose}_answers"] = rows.filter(purpose=purpose).count()
    return found


def _give_back_ahead(member: Membership, now: datetime) -> None:
    claims.give_back_ahead(project_id=member.project_id, labeler_id=member.user_id, now=now)


def _stand(
    member: Membership, action: str, now: datetime, *, by: User | None = None, note: str = "", **changes: Any
) -> None:
    # Compare-and-swap: two answers at once warn or pause once.
    before = {"warned_at": member.warned_at, "paused_at": member.paused_at}
    if not Membership.objects.filter(pk=member.pk, **before).update(**changes):
        return
    for name, value in changes.items():
        setattr(member, name, value)
    details = {"reasons": changes["reasons"], **({"reason": note} if note else {})}
    audit.note(project=member.project, actor=by, action=action, subject=f"user:{member.user.uuid}", details=details,
               now=now)  # fmt: skip
    transaction.on_commit(access.forget)
    if "paused_at" in changes and changes["paused_at"] is not None:
        # Afterwards: here it could wait for a slot that another answer's transaction has locked.
        transaction.on_commit(partial(_give_back_ahead, member, now))
    audit.announce(project=member.project, kind=action, payload={"labeler": member.user.username, **details}, now=now)
