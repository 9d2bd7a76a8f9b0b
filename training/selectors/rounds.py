"""Reads of rounds."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from labeling.models.projects import Project
from training.models.rounds import Round


def of_project(project: Project) -> QuerySet[Round]:
    return Round.objects.filter(project=project).select_related("policy", "current_run").prefetch_related("runs")


def describe(round: Round) -> dict[str, Any]:
    return {
        "id": round.id,
        "number": round.number,
        "state": round.state,
        "can_advance": round.waits_for_a_person,
        "policy": {"id": round.policy.id, "name": round.policy.name},
        "current_run": round.current_run_id,
        "runs": [
            {"id": run.id, "name": run.name, "kind": run.kind, "status": run.status}
            for run in sorted(round.runs.all(), key=lambda run: run.created_at)
        ],
        "created_at": round.created_at,
        "closed_at": round.closed_at,
    }
