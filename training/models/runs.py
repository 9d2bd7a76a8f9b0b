"""Runs: one execution on the torch side each, what it works on, and the lines it reported.

The row is the truth about a run; broker messages only say "look at run N". Who may change a running
run is settled by `attempt`: a claim raises it, and every later write names the attempt it belongs to.
"""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

if TYPE_CHECKING:
    from datetime import datetime


class Run(models.Model):
    """One execution of one kind: config, seed and inputs in, a checkpoint, rollouts or a report out."""

    class Status(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        SUCCEEDED = "succeeded"
        FAILED = "failed"
        CANCELLED = "cancelled"

    FINAL = (Status.SUCCEEDED, Status.FAILED, Status.CANCELLED)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey("labeling.Project", on_delete=models.PROTECT, related_name="runs")
    # Null: started by itself, not as a step of a round.
    round = models.ForeignKey("training.Round", on_delete=models.PROTECT, related_name="runs", null=True)
    # One of `contracts.configs.KINDS`; no constraint, so that a new kind needs no migration.
    kind = models.CharField(max_length=32)
    name = models.CharField(max_length=200)
    config = models.JSONField()
    seed = models.BigIntegerField()
    processes = models.PositiveSmallIntegerField(default=1)
    queue = models.CharField(max_length=32, default="default")
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.QUEUED)
    attempt = models.PositiveIntegerField(default=0)
    # When a message about this run was last sent; a row that waits long after it is sent again.
    sent_at = models.DateTimeField(default=timezone.now)
    # Null: never claimed.
    heartbeat_at = models.DateTimeField(null=True)
    # Null: nobody asked to cancel since the run was last queued.
    cancel_requested_at = models.DateTimeField(null=True)
    progress = models.JSONField(default=dict)
    error_code = models.CharField(max_length=64, blank=True)
    error_sentence = models.TextField(blank=True)
    log_tail = models.TextField(blank=True)
    # Null: the run has not succeeded yet, or its kind reports nothing.
    report = models.JSONField(null=True)
    outputs = models.JSONField(default=dict)
    # The highest `seq` given to a line; never given twice, so a client that asks "after N" misses none.
    last_seq = models.BigIntegerField(default=0)
    # Null: started by the system, for example as the next step of a round.
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    # Null: never started.
    started_at = models.DateTimeField(null=True)
    # Null: not in a final status.
    finished_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["project", "-created_at"], name="run_newest_of_project"),
            models.Index(
                fields=["status", "queue", "sent_at"],
                name="run_unfinished",
                condition=Q(status__in=["queued", "running"]),
            ),
        ]
        constraints = [
            models.CheckConstraint(
                name="run_status_is_known",
                condition=Q(status__in=["queued", "running", "succeeded", "failed", "cancelled"]),
            ),
            models.CheckConstraint(
                name="run_is_finished_exactly_in_final_status",
                condition=Q(status__in=["queued", "running"], finished_at__isnull=True)
                | Q(status__in=["succeeded", "failed", "cancelled"], finished_at__isnull=False),
            ),
            models.CheckConstraint(
                name="run_running_was_claimed",
                condition=~Q(status="running")
                | Q(attempt__gte=1, heartbeat_at__isnull=False, started_at__isnull=False),
            ),
            models.CheckConstraint(
                name="run_failed_says_why", condition=~Q(status="failed") | (~Q(error_code="") & ~Q(error_sentence=""))
            ),
            models.CheckConstraint(name="run_has_a_process", condition=Q(processes__gte=1)),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.kind}, {self.status})"

    @property
    def is_final(self) -> bool:
        return self.status in self.FINAL

    @staticmethod
    def claimable(*, now: datetime) -> Q:
        """Rows a worker may claim: queued, or running for a worker that has fallen silent."""
        return Q(status=Run.Status.QUEUED) | Run.lost(now=now)

    @staticmethod
    def lost(*, now: datetime) -> Q:
        """Running rows whose worker has not been heard of for `RUN_STALE_SECONDS`."""
        return Q(status=Run.Status.RUNNING, heartbeat_at__lt=now - timedelta(seconds=settings.RUN_STALE_SECONDS))


class RunInput(models.Model):
    """One named thing a run works on. Lineage follows these rows in both directions."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="input_rows")
    name = models.CharField(max_length=32)
    # Null: another of the four says what the input is.
    checkpoint = models.ForeignKey("training.Checkpoint", on_delete=models.PROTECT, null=True, related_name="used_in")
    snapshot = models.ForeignKey("labeling.Snapshot", on_delete=models.PROTECT, null=True, related_name="used_in")
    corpus = models.ForeignKey("labeling.Corpus", on_delete=models.PROTECT, null=True, related_name="used_in")
    # A Hugging Face hub name or an absolute directory; empty where one of the three above is set.
    hub = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["run", "name"], name="run_input_names_are_unique"),
            models.CheckConstraint(
                name="run_input_is_exactly_one_thing",
                condition=Q(checkpoint__isnull=False, snapshot__isnull=True, corpus__isnull=True, hub="")
                | Q(checkpoint__isnull=True, snapshot__isnull=False, corpus__isnull=True, hub="")
                | Q(checkpoint__isnull=True, snapshot__isnull=True, corpus__isnull=False, hub="")
                | (Q(checkpoint__isnull=True, snapshot__isnull=True, corpus__isnull=True) & ~Q(hub="")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} of run {self.run_id}"


class Line(models.Model):
    """A line that the run's process reported, mirrored so that the web needs no access to its disk.

    `step` and `time` (Unix seconds) are the process's own; `seq` is ours, for "what is new after N".
    """

    seq = models.BigIntegerField()
    step = models.BigIntegerField()
    time = models.FloatField()
    body = models.JSONField()

    class Meta:
        abstract = True


class Metric(Line):
    """`body` maps the name of a value to a number, or to null where it was not finite."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="metrics")

    class Meta:
        ordering = ["seq"]
        constraints = [models.UniqueConstraint(fields=["run", "seq"], name="metric_seq_is_unique_in_run")]

    def __str__(self) -> str:
        return f"step {self.step} of run {self.run_id}"


class Sample(Line):
    """`body` holds prompt, text and values of a response that the run showed on its way."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="samples")

    class Meta:
        ordering = ["seq"]
        constraints = [models.UniqueConstraint(fields=["run", "seq"], name="sample_seq_is_unique_in_run")]

    def __str__(self) -> str:
        return f"step {self.step} of run {self.run_id}"
