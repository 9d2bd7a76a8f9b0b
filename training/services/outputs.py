"""Registers what a run made, in one transaction: checkpoint, source, published rollouts, report.

Hashing an artifact takes long, so it comes before the transaction. Publishing comes inside it: labelers
see a run's rollouts when the run has succeeded, or not at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction

from contracts import configs, snapshots
from contracts.records import RolloutSetRecord
from contracts.run_dir import RunDir, verify_manifest
from labeling.models.prompts import Source
from labeling.services import rollouts, sources
from training import errors
from training.models.checkpoints import Checkpoint
from training.models.runs import Run
from training.services import rounds, runs, scores
from training.services.storable import storable_json

ROLLOUTS = "rollouts.jsonl"


def finish(run: Run, folder: RunDir, *, now: datetime) -> bool:
    """Verify the output, then succeed and register. False where the run is another attempt's by now.

    Raises `RunDirError` where the output is missing or not what its manifest says.
    """
    verify_manifest(folder.output)
    manifest_hash = snapshots.file_hash(folder.output / "manifest.json")
    return _register(run, folder, manifest_hash=manifest_hash, now=now)


@transaction.atomic
def _register(run: Run, folder: RunDir, *, manifest_hash: str, now: datetime) -> bool:
    values: dict[str, Any] = {
        "status": Run.Status.SUCCEEDED,
        "finished_at": now,
        "report": storable_json(folder.report()),
    }
    progress = folder.progress()
    if progress is not None:
        values["progress"] = storable_json(progress)
    if not runs.held(run.id, run.attempt).update(**values):
        return False
    outputs: dict[str, Any] = {"rollouts": (folder.output / ROLLOUTS).exists()}
    if run.kind in configs.PRODUCES:
        checkpoint = _checkpoint(run, folder, manifest_hash=manifest_hash, now=now)
        outputs["checkpoint"] = str(checkpoint.id)
    if run.kind == "sample" and run.config["publish"]:
        outputs["published"] = _publish(run, folder, now=now)
    if made := scores.keep(run, folder, now=now):
        outputs["scores"] = made
    Run.objects.filter(id=run.id).update(outputs=outputs)
    run.refresh_from_db()
    rounds.settle(run=run, now=now)
    return True


def _checkpoint(run: Run, folder: RunDir, *, manifest_hash: str, now: datetime) -> Checkpoint:
    checkpoint = Checkpoint(
        project=run.project,
        kind=configs.PRODUCES[run.kind],
        name=run.name,
        run=run,
        path=folder.output.relative_to(settings.RUNS).as_posix(),
        manifest_sha256=manifest_hash,
        created_at=now,
    )
    if checkpoint.kind == Checkpoint.Kind.POLICY:
        checkpoint.source = _register_source(checkpoint, now=now)
    checkpoint.save(force_insert=True)
    parents = [row.checkpoint for row in run.input_rows.select_related("checkpoint") if row.checkpoint is not None]
    checkpoint.parents.set(parents)
    return checkpoint


def _register_source(checkpoint: Checkpoint, *, now: datetime) -> Source:
    return sources.register(
        project=checkpoint.project, kind="checkpoint", name=checkpoint.name, reference=str(checkpoint.id), now=now
    )


def _publish(run: Run, folder: RunDir, *, now: datetime) -> int:
    """Open a ranking task for each rollout set."""
    return rollouts.publish(
        project=run.project,
        source=_source_of(run, "policy", now=now),
        run_id=run.id,
        sampling=_sampling(run),
        rows=_rollout_sets(folder),
        open_tasks=True,
        now=now,
    )


@transaction.atomic
def open_comparisons(*, run: Run, now: datetime) -> int:
    """Let people compare the two policies of an `evaluate` run, blind, for an honest win rate.

    Returns how many comparisons are new; doing it again opens none twice.
    """
    if run.kind != "evaluate" or run.status != Run.Status.SUCCEEDED:
        raise errors.NothingToCompare
    names = list(run.input_rows.values_list("name", flat=True))
    if "reference" not in names:
        raise errors.NothingToCompare
    return rollouts.publish_comparisons(
        project=run.project,
        sources={name: _source_of(run, name, now=now) for name in ("policy", "reference")},
        run_id=run.id,
        sampling=_sampling(run),
        rows=_rollout_sets(RunDir(settings.RUNS / str(run.id))),
        now=now,
    )


def _sampling(run: Run) -> dict[str, Any]:
    names = ("temperature", "max_new_tokens", "rollouts_per_prompt")
    return {**{name: run.config[name] for name in names}, "seed": run.seed}


def _source_of(run: Run, name: str, *, now: datetime) -> Source:
    """The source of an input's responses. A base model, a hub model or a server's model becomes one here."""
    if run.kind == "sample" and (server := run.config.get("server")):
        model = run.config["server_model"]
        return sources.register(
            project=run.project, kind="outside", name=model[:200], reference=f"{server} {model}", now=now
        )
    row = run.input_rows.select_related("checkpoint__source", "checkpoint__project").get(name=name)
    checkpoint = row.checkpoint
    if checkpoint is None:
        return sources.register(project=run.project, kind="outside", name=row.hub, reference=row.hub, now=now)
    if checkpoint.source is not None:
        return checkpoint.source
    source = _register_source(checkpoint, now=now)
    Checkpoint.objects.filter(id=checkpoint.id).update(source=source)
    return source


def _rollout_sets(folder: RunDir) -> Iterator[RolloutSetRecord]:
    return snapshots.read(folder.output / ROLLOUTS, RolloutSetRecord)
