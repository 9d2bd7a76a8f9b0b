"""Inviting people to a project: a link that works once, for a while, for whoever holds it."""

import logging
import secrets
from datetime import datetime, timedelta

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import send_mail
from django.core.validators import validate_email
from django.db import IntegrityError, transaction

from labeling import errors
from labeling.models.invitations import Invitation
from labeling.models.people import Membership, Role, User
from labeling.models.projects import Project
from labeling.selectors import access
from labeling.services import audit, people, sign_in
from labeling.services.text import is_storable

LONGEST = 90  # days
USUAL = 7  # days

log = logging.getLogger(__name__)


@transaction.atomic
def invite(*, project: Project, role: str, email: str, days: int, by: User, now: datetime) -> tuple[Invitation, str]:
    """A new invitation and its token, which cannot be read again."""
    if role not in Role.values:
        raise errors.Invalid(fields={"role": f"must be one of {', '.join(Role.values)}"})
    if email:
        try:
            validate_email(email)
        except ValidationError:
            raise errors.Invalid(fields={"email": "is not an e-mail address"}, code="bad_email") from None
    _require_living(project)
    token = secrets.token_urlsafe(32)
    invitation = Invitation.objects.create(
        project=project,
        role=role,
        email=email,
        digest=people.digest(token),
        created_by=by,
        created_at=now,
        expires_at=now + timedelta(days=days),
    )
    _note(invitation, by, "invitation_made", now)
    return invitation, token


@transaction.atomic
def revoke(*, invitation: Invitation, by: User, now: datetime) -> None:
    """Take it back. Doing so again does nothing; one that was accepted stays accepted: remove the member."""
    changed = Invitation.objects.filter(pk=invitation.pk, accepted_at=None, revoked_at=None).update(revoked_at=now)
    if changed:
        _note(invitation, by, "invitation_revoked", now)
    elif not Invitation.objects.filter(pk=invitation.pk, accepted_at=None).exists():
        raise errors.InvitationOver(
            "Somebody has joined by this invitation; remove the member.", code="invitation_used"
        )


def find(*, token: str, address: str, now: datetime) -> Invitation:
    """The invitation of a link. Who tries links that never were has to wait longer and longer."""
    sign_in.require_allowed(address=address, now=now)
    rows = Invitation.objects.select_related("project", "created_by")
    invitation = rows.filter(digest=people.digest(token)).first() if is_storable(token) else None
    if invitation is None:
        sign_in.failed(address=address, now=now)
        raise errors.InvitationUnknown
    return invitation


def require_open(invitation: Invitation, now: datetime) -> None:
    state = invitation.state(now)
    if state == Invitation.State.ACCEPTED:
        raise errors.InvitationOver("This invitation was used. If it was you who did, sign in.", code="invitation_used")
    if state == Invitation.State.EXPIRED:
        raise errors.InvitationOver("This invitation has expired. Ask for a new one.", code="invitation_expired")
    if state == Invitation.State.REVOKED or not _stands(invitation):
        raise errors.InvitationOver("This invitation was taken back. Ask for a new one.", code="invitation_revoked")
    _require_living(invitation.project)


def accept(*, invitation: Invitation, person: User, now: datetime) -> Membership:
    """Make a person who has an account a member. Once more by the same person, it is the same membership."""
    with transaction.atomic():
        return _join(invitation, person, now)


def accept_as_new(*, invitation: Invitation, username: str, password: str, name: str, now: datetime) -> User:
    """Make an account, which labels outside of what it is invited to, and make it a member."""
    require_open(invitation, now)
    # Hashing a password is slow on purpose: not while a transaction holds the database.
    person = people.prepared(username=username, password=password, role=Role.LABELER, name=name)
    with transaction.atomic():
        people.store(person=person, by=None, now=now)
        _join(invitation, person, now)
    return person


def mail(*, invitation: Invitation, link: str) -> bool | None:
    """Send the link to the address given; None where there is no address or no mail server, False where it fails."""
    if not invitation.email or not settings.EMAIL_HOST:
        return None
    project, inviter = _line(invitation.project.name), _line(invitation.created_by.get_full_name())
    text = (
        f"{inviter} invites you to the project {project} as {invitation.role}.\n\n"
        f"Open this link to join; it works once, until {invitation.expires_at:%Y-%m-%d %H:%M} UTC:\n\n{link}\n\n"
        "If you do not know what this is about, leave it alone.\n"
    )
    try:
        send_mail(f"Invitation to {project}", text, None, [invitation.email])
    except OSError as error:  # a mail server's refusals too: SMTPException is one
        log.warning("the mail of invitation %s could not be sent: %s", invitation.uuid, error)
        return False
    return True


def _join(invitation: Invitation, person: User, now: datetime) -> Membership:
    """Claim the invitation by compare-and-swap, then make the membership."""
    if (own := _joined(invitation, person)) is not None:
        return own
    require_open(invitation, now)
    claimed = Invitation.objects.filter(pk=invitation.pk, accepted_at=None, revoked_at=None, expires_at__gt=now).update(
        accepted_at=now, accepted_by=person
    )
    if not claimed:
        invitation.refresh_from_db()
        if (own := _joined(invitation, person)) is not None:
            return own
        require_open(invitation, now)
        raise errors.Conflict
    try:
        with transaction.atomic():
            membership = Membership.objects.create(project=invitation.project, user=person, role=invitation.role)
    except IntegrityError:
        raise errors.Conflict(
            "You are in this project already; an admin can change your role there.", code="already_a_member"
        ) from None
    _note(invitation, person, "invitation_accepted", now)
    return membership


def _joined(invitation: Invitation, person: User) -> Membership | None:
    """The membership that this person has by this invitation already."""
    if invitation.accepted_by_id != person.pk:
        return None
    return Membership.objects.filter(project=invitation.project, user=person).first()


def _stands(invitation: Invitation) -> bool:
    """An invitation is worth what its inviter may do: nobody who had to go lets others in."""
    inviter = invitation.created_by
    try:
        return inviter.is_active and access.of_project(user=inviter, project=invitation.project).may("manage_members")
    except errors.NotAMember:
        return False


def _require_living(project: Project) -> None:
    if project.status == Project.Status.ARCHIVED:
        raise errors.Conflict("This project is archived; nobody joins it any more.", code="project_archived")


def _note(invitation: Invitation, actor: User, action: str, now: datetime) -> None:
    audit.note(project=invitation.project, actor=actor, action=action, subject=f"invitation:{invitation.uuid}",
               details={"role": invitation.role}, now=now)  # fmt: skip


def _line(text: str) -> str:
    """On one line: a subject takes no line breaks."""
    return " ".join(text.split())
