"""Projects, their rules, guidelines and members."""

from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Max

from labeling import errors
from labeling.models.people import Membership, Role, User
from labeling.models.projects import Guideline, Project
from labeling.services import audit, quality_rules
from labeling.services.bodies import Body, is_finite

GUIDELINE = 100_000  # characters
FLAGS = 30
SILENT = ("gold_share", "repeat_share", "repeat_distance", "anchor_share")  # what labelers are not shown
SHARES = ("random_share", "heldout_share", "gold_share", "repeat_share", "anchor_share")
RANGES = {
    "flags_to_halt": (0, 50),
    "repeat_distance": (1, 1_000),
    "k": (2, 9),
    "overlap": (1, 50),
    "lease_seconds": (1, 604_800),
    "skips_to_halt": (1, 50),
    "likert_points": (0, 11),
}


@transaction.atomic
def create(*, plain: Any, by: User, now: datetime) -> Project:
    body = Body(plain)
    project = Project(slug=body.text("slug", most=60, required=True), created_at=now)
    guideline = body.text("guideline", most=GUIDELINE)
    if not body.has("name"):
        body.problem("name", "is missing", code="missing")
    _apply(project, body)
    if project.slug:
        try:
            Project._meta.get_field("slug").run_validators(project.slug)
        except ValidationError as error:
            body.problem("slug", " ".join(error.messages))
    body.finish()
    try:
        with transaction.atomic():
            project.save(force_insert=True)
    except IntegrityError:
        raise errors.Conflict("This slug is taken.", code="slug_taken", fields={"slug": "is taken"}) from None
    if guideline:
        Guideline.objects.create(project=project, version=1, text=guideline, created_at=now, created_by=by)
    Membership.objects.create(project=project, user=by, role=Role.ADMIN)
    audit.note(project=project, actor=by, action="project_created", subject=f"project:{project.uuid}", now=now)
    return project


@transaction.atomic
def change(*, project: Project, plain: Any, by: User, now: datetime) -> Project:
    body = Body(plain)
    before = {field.name: getattr(project, field.name) for field in Project._meta.concrete_fields}
    status = body.text("status", most=20)
    if status and status not in Project.Status.values:
        body.problem("status", f"must be one of {', '.join(Project.Status.values)}")
    confirmed = body.text("confirm", most=60) == project.slug
    if status == Project.Status.ARCHIVED and project.status != status and not confirmed:
        body.problem("confirm", "must be the project's slug, to archive it", code="not_confirmed")
    _apply(project, body)
    body.finish()
    if status:
        project.archived_at = (project.archived_at or now) if status == Project.Status.ARCHIVED else None
        project.status = status
    project.save()
    changed = sorted(name for name, value in before.items() if getattr(project, name) != value)
    audit.note(project=project, actor=by, action="project_changed", subject=f"project:{project.uuid}",
               details={"fields": changed}, now=now)  # fmt: skip
    return project


@transaction.atomic
def add_guideline(*, project: Project, text: str, by: User, now: datetime) -> Guideline:
    newest = Guideline.objects.filter(project=project).aggregate(newest=Max("version"))["newest"] or 0
    try:
        with transaction.atomic():
            guideline = Guideline.objects.create(
                project=project, version=newest + 1, text=text, created_at=now, created_by=by
            )
    except IntegrityError:
        raise errors.Conflict("Somebody else has just written a new version; look at it first.") from None
    audit.note(project=project, actor=by, action="guideline_added", subject=f"project:{project.uuid}",
               details={"version": guideline.version}, now=now)  # fmt: skip
    return guideline


@transaction.atomic
def set_member(*, project: Project, person: User, role: str, by: User, now: datetime) -> Membership:
    if role not in Role.values:
        raise errors.Invalid(fields={"role": f"must be one of {', '.join(Role.values)}"})
    membership, _ = Membership.objects.update_or_create(project=project, user=person, defaults={"role": role})
    audit.note(project=project, actor=by, action="member_set", subject=f"user:{person.uuid}", details={"role": role},
               now=now)  # fmt: skip
    return membership


@transaction.atomic
def remove_member(*, project: Project, person: User, by: User, now: datetime) -> None:
    deleted, _ = Membership.objects.filter(project=project, user=person).delete()
    if not deleted:
        raise errors.Missing("This person is not a member.")
    audit.note(project=project, actor=by, action="member_removed", subject=f"user:{person.uuid}", now=now)


def _apply(project: Project, body: Body) -> None:
    """Set each rule that was sent."""
    for name, most in (("name", 120), ("description", 20_000)):
        if body.has(name):
            setattr(project, name, body.text(name, most=most))
    for name, (least, most) in RANGES.items():
        value = body.whole(name, least=least, most=most)
        if value is not None:
            setattr(project, name, value)
    for name in SHARES:
        if body.has(name):
            value = body.take(name)
            if is_finite(value) and 0 <= value <= 1:
                setattr(project, name, float(value))
            else:
                body.problem(name, "must be a number from 0 to 1", code="out_of_range")
    if project.gold_share + project.repeat_share > 1:
        body.problem("repeat_share", "and gold_share must not be above 1 together", code="out_of_range")
    if body.has("quality"):
        project.quality = quality_rules.changed(body, project.quality, body.take("quality"))
    else:
        body.take("quality")
    if "retention_days" in body:
        days = body.take("retention_days")
        if days is None or body.is_whole("retention_days", days, least=0, most=36_500):
            project.retention_days = days
    for name in ("allow_ties", "allow_partial", "allow_unacceptable", "ask_rationale", "ask_confidence"):
        if body.has(name):
            setattr(project, name, body.truth(name))
    if body.has("blocked_words"):
        project.blocked_words = [
            body.checked_text("blocked_words", one, most=60) for one in body.texts("blocked_words")
        ]
    if body.has("flags"):
        flags = body.texts("flags")
        if len(flags) > FLAGS or len(set(flags)) != len(flags) or not all(0 < len(flag) <= 60 for flag in flags):
            body.problem("flags", f"must be at most {FLAGS} different texts of up to 60 characters")
        else:
            project.flags = [body.checked_text("flags", flag, most=60) for flag in flags]
    if body.has("hourly_rate"):
        rate = body.take("hourly_rate")
        rate = float(rate) if isinstance(rate, str) and rate.replace(".", "", 1).isdigit() else rate
        if is_finite(rate) and 0 <= rate < 1_000_000:
            project.hourly_rate = round(rate, 2)
        else:
            body.problem("hourly_rate", "must be an amount of money an hour")
    else:
        body.take("hourly_rate")
