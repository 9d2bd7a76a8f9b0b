"""Erasing with a report: which snapshots, runs and checkpoints used what is erased, so that people can decide."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from labeling.models.people import User
from labeling.models.projects import Project
from labeling.models.prompts import Prompt
from labeling.services import erasure
from training.selectors import lineage


def prompt(*, project: Project, row: Prompt, dry_run: bool, by: User, now: datetime) -> dict[str, Any]:
    used = lineage.of_prompt(project, row.uuid)
    return _report(used, {} if dry_run else erasure.prompt(row=row, by=by, now=now))


def labeler(
    *, project: Project, person: User, answers: bool, dry_run: bool, by: User, now: datetime
) -> dict[str, Any]:  # fmt: skip
    """The report is made before the name is gone."""
    used = lineage.of_answers(project, labeler=person.username)
    erased = {} if dry_run else erasure.labeler(person=person, project=project, answers=answers, by=by, now=now)
    return _report(used, erased)


def _report(used: dict[str, Any], erased: dict[str, int]) -> dict[str, Any]:
    def of(type: str) -> list[dict[str, str]]:
        return [{"id": node["id"], "name": node["label"]} for node in used["nodes"] if node["type"] == type]

    return {"erased": erased, "snapshots": of("snapshot"), "runs": of("run"), "checkpoints": of("checkpoint")}
