"""Scores of rollouts, from the rows to a run's directory and back."""

from __future__ import annotations

from datetime import datetime
from itertools import islice

from contracts import snapshots
from contracts.run_dir import RunDir, replace_text
from contracts.scores import KNOWN, MADE, ScoreRecord
from training.models.runs import Run
from training.models.scores import Score

SCORING = ("sample", "evaluate")  # kinds whose rollouts may have been scored before; PPO's are always new
BATCH = 1_000


def lay_out(run: Run, folder: RunDir) -> None:
    """Give the run what is known of its reward model's scores; an earlier attempt's file stays."""
    model = reward_model(run)
    if not model or run.kind not in SCORING or (folder.path / KNOWN).exists():
        return
    rows = Score.objects.filter(reward_model_sha256=model).order_by("id").iterator(chunk_size=BATCH)
    lines = (ScoreRecord(rollout=row.rollout_sha256, score=row.score, uncertainty=row.uncertainty) for row in rows)
    (folder.path / KNOWN).parent.mkdir(parents=True, exist_ok=True)
    replace_text(folder.path / KNOWN, "".join(snapshots.canonical_json(line.to_json()) + "\n" for line in lines))


def keep(run: Run, folder: RunDir, *, now: datetime) -> int:
    """Store the scores that the run made; one that is there by now stays as it is. Returns how many the run made."""
    model, made = reward_model(run), folder.output / MADE
    if not model or not made.exists():
        return 0
    kept = 0
    rows = snapshots.read(made, ScoreRecord)
    while some := list(islice(rows, BATCH)):
        kept += len(some)
        Score.objects.bulk_create(
            [
                Score(
                    reward_model_sha256=model,
                    rollout_sha256=row.rollout,
                    score=row.score,
                    uncertainty=row.uncertainty,
                    run=run,
                    created_at=now,
                )
                for row in some
            ],
            ignore_conflicts=True,
        )
    return kept


def reward_model(run: Run) -> str:
    """The hash of the run's reward model; empty where it has none, or one from outside."""
    row = run.input_rows.select_related("checkpoint").filter(name="reward_model", checkpoint__isnull=False).first()
    return row.checkpoint.manifest_sha256 if row is not None and row.checkpoint is not None else ""
