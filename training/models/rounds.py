"""Rounds: one turn of the loop each, from collecting rankings to the next policy's rollouts.

    collecting → freezing → fitting → reward_gated → optimizing → policy_gated → sampling → closed

`closed` opens the next round in `collecting`. At the two gates a person decides; a rejection goes back
to `collecting`.
"""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone


class Round(models.Model):
    """One turn of the loop in one project. Its runs point to it."""

    class State(models.TextChoices):
        COLLECTING = "collecting"
        FREEZING = "freezing"
        FITTING = "fitting"
        REWARD_GATED = "reward_gated"
        OPTIMIZING = "optimizing"
        POLICY_GATED = "policy_gated"
        SAMPLING = "sampling"
        CLOSED = "closed"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey("labeling.Project", on_delete=models.PROTECT, related_name="rounds")
    number = models.PositiveIntegerField()
    state = models.CharField(max_length=16, choices=State.choices, default=State.COLLECTING)
    # The policy whose rollouts are ranked in this round, and that the round's PPO starts from.
    policy = models.ForeignKey("training.Checkpoint", on_delete=models.PROTECT, related_name="rounds")
    # The run that the present state waits for; null where it waits for people or for `advance`.
    current_run = models.ForeignKey("training.Run", on_delete=models.PROTECT, null=True, related_name="+")
    # Null: opened by the round before it.
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    # Null: not closed.
    closed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["project", "number"], name="round_number_is_unique_in_project"),
            models.UniqueConstraint(
                fields=["project"], condition=~Q(state="closed"), name="round_is_the_only_open_one_of_project"
            ),
            models.CheckConstraint(
                name="round_state_is_known",
                condition=Q(state__in=["collecting", "freezing", "fitting", "reward_gated"])
                | Q(state__in=["optimizing", "policy_gated", "sampling", "closed"]),
            ),
            models.CheckConstraint(
                name="round_is_closed_exactly_in_closed",
                condition=Q(state="closed", closed_at__isnull=False) | (~Q(state="closed") & Q(closed_at__isnull=True)),
            ),
        ]

    def __str__(self) -> str:
        return f"round {self.number} ({self.state})"

    @property
    def waits_for_a_person(self) -> bool:
        """True where `advance` can act; elsewhere a run is under way, or all is done."""
        states = Round.State
        return self.state in (states.COLLECTING, states.FREEZING, states.REWARD_GATED, states.POLICY_GATED)
