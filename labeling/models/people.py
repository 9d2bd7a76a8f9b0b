"""People, their roles in projects, and the tokens that their programs carry."""

import uuid
from typing import Any

from django.contrib.auth.models import AbstractUser
from django.db import models


class Role(models.TextChoices):
    LABELER = "labeler"
    REVIEWER = "reviewer"
    ENGINEER = "engineer"
    ADMIN = "admin"


class User(AbstractUser):
    """A person. The role is what they may do outside projects; an admin may do everything in each."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=150, blank=True)
    role = models.CharField(max_length=10, choices=Role.choices, default=Role.LABELER)

    first_name = None  # type: ignore[assignment]
    last_name = None  # type: ignore[assignment]

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="user_has_a_known_role"),
        ]

    def get_full_name(self) -> str:
        return self.name or self.username

    def get_short_name(self) -> str:
        return self.username


class Membership(models.Model):
    """What one person may do in one project."""

    project = models.ForeignKey("labeling.Project", models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role.choices)
    warned_at = models.DateTimeField(null=True)  # null: the work is good, as far as anybody knows
    paused_at = models.DateTimeField(null=True)  # null: work is handed out to them
    reasons: Any = models.JSONField(default=list)  # of the warning or pause: names of rules, or "asked"
    judged_from = models.DateTimeField(null=True)  # work before this counts no more; null: all of it counts

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "user"], name="membership_once_per_project"),
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="membership_has_a_known_role"),
        ]


class ApiToken(models.Model):
    """A program's key to one person's account. Only its sha256 is kept."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="tokens")
    name = models.CharField(max_length=100, blank=True)
    digest = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)  # null: the token works


class SignInFailures(models.Model):
    """Wrong passwords in a row, by what they have in common: a name and an address, a name, or an address."""

    key = models.CharField(max_length=64, unique=True)  # sha256, so that no mistyped password lies here as a name
    failures = models.PositiveIntegerField(default=0)
    last_at = models.DateTimeField()
    blocked_until = models.DateTimeField(null=True)  # null: the next attempt is looked at
