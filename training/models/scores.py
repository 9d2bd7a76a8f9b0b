"""Scores of rollouts: what a reward model gave a rollout is known from then on, to every later run."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone


class Score(models.Model):
    """One reward model's score of one rollout, both known by hash (`contracts.scores`). Never changed."""

    reward_model_sha256 = models.CharField(max_length=64)
    rollout_sha256 = models.CharField(max_length=64)
    score = models.FloatField()
    # Null: the reward model has one member.
    uncertainty = models.FloatField(null=True)
    run = models.ForeignKey("training.Run", on_delete=models.CASCADE, related_name="+", db_index=False)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["reward_model_sha256", "rollout_sha256"], name="score_once_per_reward_model_and_rollout"
            ),
            models.CheckConstraint(
                name="score_names_both_by_hash", condition=~Q(reward_model_sha256="") & ~Q(rollout_sha256="")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.score:.3f} of rollout {self.rollout_sha256[:12]}"
