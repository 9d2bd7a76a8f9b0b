"""Invitations: a link that makes whoever opens it a member of one project, once."""

import uuid
from datetime import datetime

from django.db import models
from django.db.models import F, Q

from labeling.models.people import Role, User


class Invitation(models.Model):
    """Somebody may join a project with a role, until it expires. Of the link's token only the sha256 is kept."""

    class State(models.TextChoices):
        OPEN = "open"
        ACCEPTED = "accepted"
        REVOKED = "revoked"
        EXPIRED = "expired"

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    project = models.ForeignKey("labeling.Project", models.CASCADE, related_name="invitations", db_index=False)
    role = models.CharField(max_length=10, choices=Role.choices)
    email = models.CharField(max_length=254, blank=True)  # whom it is meant for; whoever has the link may accept it
    digest = models.CharField(max_length=64, unique=True)
    created_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True)  # null: nobody has joined by it
    accepted_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")  # null: as accepted_at
    revoked_at = models.DateTimeField(null=True)  # null: nobody took it back

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(role__in=Role.values), name="invitation_has_a_known_role"),
            models.CheckConstraint(
                condition=Q(accepted_at__isnull=True, accepted_by__isnull=True)
                | Q(accepted_at__isnull=False, accepted_by__isnull=False),
                name="invitation_is_accepted_by_somebody",
            ),
            models.CheckConstraint(
                condition=Q(accepted_at__isnull=True) | Q(revoked_at__isnull=True), name="invitation_ends_once"
            ),
        ]
        indexes = [models.Index(F("project"), F("id").desc(), name="invitation_newest_first")]

    def state(self, now: datetime) -> str:
        if self.accepted_at is not None:
            return self.State.ACCEPTED
        if self.revoked_at is not None:
            return self.State.REVOKED
        return self.State.OPEN if now < self.expires_at else self.State.EXPIRED
