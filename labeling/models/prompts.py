"""What is to be answered, and the sets of responses that are to be ranked, with where they came from."""

import uuid
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q


class EvaluationSet(models.Model):
    """Prompts by which models are judged. Nobody labels them, and nothing trains on them or on near copies."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    project = models.ForeignKey("labeling.Project", models.CASCADE, related_name="evaluation_sets", db_index=False)
    name = models.CharField(max_length=60)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="evaluation_set_once_per_name")]


class Prompt(models.Model):
    """A whole conversation that waits for a reply. Each is stored once, in the split it was born into."""

    class Split(models.TextChoices):
        TRAIN = "train"
        HELDOUT = "heldout"

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    project = models.ForeignKey("labeling.Project", models.CASCADE, related_name="prompts", db_index=False)
    content_hash = models.CharField(max_length=64)  # sha256 of the messages
    messages: Any = models.JSONField()  # [{role, content, name}]
    split = models.CharField(max_length=8, choices=Split.choices)
    meta = models.JSONField(default=dict)
    evaluation_set = models.ForeignKey(
        EvaluationSet, models.PROTECT, null=True, related_name="prompts", db_index=False
    )  # null: for work and training
    erased_at = models.DateTimeField(null=True)  # null: it is here; else only its hash is
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "content_hash"], name="prompt_once_per_project"),
            models.CheckConstraint(condition=Q(split__in=["train", "heldout"]), name="prompt_has_a_known_split"),
        ]
        indexes = [
            models.Index(fields=["project", "split", "id"], name="prompt_by_split"),
            models.Index(F("project"), F("id").desc(), name="prompt_newest_first"),
            models.Index(
                fields=["evaluation_set"], condition=Q(evaluation_set__isnull=False), name="prompt_by_evaluation_set"
            ),
        ]


class PromptBand(models.Model):
    """A piece of a prompt's MinHash: two prompts that share one are looked at for being nearly the same."""

    project = models.ForeignKey("labeling.Project", models.CASCADE, related_name="+", db_index=False)
    value = models.BigIntegerField()  # of the band's place and hashes
    prompt = models.ForeignKey(Prompt, models.CASCADE, related_name="bands")

    class Meta:
        indexes = [models.Index(fields=["project", "value"], name="prompt_band_by_value")]


class Source(models.Model):
    """Who or what writes responses. Never shown to a labeler before the answer."""

    class Kind(models.TextChoices):
        CHECKPOINT = "checkpoint"
        OUTSIDE = "outside"  # a model or data set that is not ours
        PERSON = "person"

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    project = models.ForeignKey("labeling.Project", models.CASCADE, related_name="sources")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    name = models.CharField(max_length=200)
    reference = models.CharField(max_length=200)  # a checkpoint's id, a model's name, a user's id
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "kind", "reference"], name="source_once_per_project")]


def _browsed(name: str, condition: Q, *order: Any) -> list[models.Index]:
    """For one order of the rollout browser: of all policies, and of one."""
    rest = (*order, F("id").desc())
    return [
        models.Index(F("project"), *rest, condition=condition, name=f"rollouts_{name}"),
        models.Index(F("project"), F("source"), *rest, condition=condition, name=f"rollouts_{name}_of_one"),
    ]


class RolloutSet(models.Model):
    """The responses to one prompt that are shown together."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    project = models.ForeignKey("labeling.Project", models.CASCADE, related_name="rollout_sets", db_index=False)
    prompt = models.ForeignKey(Prompt, models.PROTECT, related_name="rollout_sets")
    run_id = models.UUIDField(null=True)  # null: no run of ours made it
    content_hash = models.CharField(max_length=64)  # of where it came from; makes publishing and importing idempotent
    sampling = models.JSONField(default=dict)  # temperature, token limit and the like
    created_at = models.DateTimeField()
    anchored_at = models.DateTimeField(null=True)  # since when it is ranked again beside new ones; null: it is not
    # What the rollout browser orders by, of sets that a run of ours made.
    source = models.ForeignKey(
        Source, models.PROTECT, null=True, related_name="+", db_index=False
    )  # who wrote all its responses; null: several did, or no run of ours made it
    best_score = models.FloatField(null=True)  # null: nothing scored it
    worst_score = models.FloatField(null=True)
    # Share of the pairs that people decided which the scores put the other way, as last measured.
    disagreement = models.FloatField(null=True)  # null: nothing scored it, or nobody decided a pair of it

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "content_hash"], name="rollout_set_once_per_origin"),
        ]
        indexes = [
            *_browsed("newest", Q(run_id__isnull=False)),
            *_browsed("best", Q(best_score__isnull=False), F("best_score").desc()),
            *_browsed("worst", Q(worst_score__isnull=False), F("worst_score")),
            *_browsed("disagreement", Q(disagreement__isnull=False), F("disagreement").desc()),
            models.Index(fields=["run_id", "id"], condition=Q(run_id__isnull=False), name="rollout_set_by_run"),
            models.Index(fields=["project"], condition=Q(anchored_at__isnull=False), name="rollout_set_anchored"),
        ]


class Response(models.Model):
    """One response, exactly as its source produced it."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    rollout_set = models.ForeignKey(RolloutSet, models.CASCADE, related_name="responses", db_index=False)
    index = models.PositiveSmallIntegerField()
    text = models.TextField()
    source = models.ForeignKey(Source, models.PROTECT, related_name="responses")
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, db_index=False
    )  # null: no labeler of ours
    token_ids: Any = models.JSONField(null=True)  # null: not sampled by us
    tokens = models.PositiveIntegerField(null=True)  # how many; spares the hand-out from reading them
    token_logprobs: Any = models.JSONField(null=True)  # nats; null: not sampled by us
    finish_reason = models.CharField(max_length=6, default="stop")
    seed = models.CharField(max_length=40, blank=True)  # a whole number of any size; empty: not sampled by us
    score = models.FloatField(null=True)  # normalized reward; null: nothing scored it

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["rollout_set", "index"], name="response_index_once_per_set"),
            models.CheckConstraint(
                condition=Q(finish_reason__in=["stop", "length"]), name="response_has_a_known_finish_reason"
            ),
        ]
        indexes = [models.Index(fields=["author"], condition=Q(author__isnull=False), name="response_by_author")]
