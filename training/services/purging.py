"""What a purged project leaves on the training side: its runs, checkpoints and rounds, and their directories."""

from __future__ import annotations

import shutil
from pathlib import Path

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS

from labeling.models.projects import Project
from training.models.checkpoints import Checkpoint
from training.models.rounds import Round
from training.models.runs import Metric, Run, RunInput, Sample


def obstacle(project: Project) -> str:
    """Why the project cannot go now; empty where it can."""
    if Run.objects.filter(project=project, status__in=[Run.Status.QUEUED, Run.Status.RUNNING]).exists():
        return "a run of it is under way"
    used = RunInput.objects.filter(checkpoint__project=project).exclude(run__project=project)
    elsewhere = used.values_list("run__project__slug", flat=True).first()
    return f"a checkpoint of it is an input of a run in {elsewhere}" if elsewhere else ""


def count(project: Project) -> dict[str, int]:
    return {"runs": Run.objects.filter(project=project).count(),
            "checkpoints": Checkpoint.objects.filter(project=project).count()}  # fmt: skip


def delete_rows(project: Project) -> dict[str, int]:
    """Within the transaction of the purge; foreign keys are checked at its commit."""
    report = count(project)
    links = Checkpoint.parents.through._default_manager
    links.filter(from_checkpoint__project=project)._raw_delete(DEFAULT_DB_ALIAS)  # type: ignore[attr-defined]
    for rows in (
        Metric.objects.filter(run__project=project),
        Sample.objects.filter(run__project=project),
        RunInput.objects.filter(run__project=project),
        Round.objects.filter(project=project),
        Checkpoint.objects.filter(project=project),
        Run.objects.filter(project=project),
    ):
        rows._raw_delete(DEFAULT_DB_ALIAS)  # type: ignore[attr-defined]
    return report


def folders(project: Project) -> list[Path]:
    """Directories of its runs, to be looked up before the rows go."""
    return [Path(settings.RUNS) / str(id) for id in Run.objects.filter(project=project).values_list("id", flat=True)]


def remove(paths: list[Path]) -> int:
    """Bytes that are gone."""
    size = 0
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            size += sum(one.lstat().st_size for one in path.rglob("*") if one.is_file())
            shutil.rmtree(path)
    return size
