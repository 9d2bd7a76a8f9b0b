"""Reads of runs: kinds and their options, what a run did so far, its log, samples and rollouts."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db.models import QuerySet

from contracts import configs
from labeling.models.projects import Project
from labeling.models.prompts import Prompt
from training import errors
from training.models.runs import Metric, Run, RunInput, Sample

LINES_A_PAGE = 1_000
LOG_BYTES_A_PAGE = 64 << 10
ROLLOUTS_A_PAGE = 20


def kinds() -> list[dict[str, Any]]:
    return [
        {
            "kind": kind,
            "help": (cls.__doc__ or "").strip(),
            "produces": configs.PRODUCES.get(kind),
            "inputs": {
                name: {"accepts": list(rule.accepts), "help": rule.help, "required": rule.required}
                for name, rule in configs.INPUTS[kind].items()
            },
            "options": configs.schema(kind),
        }
        for kind, cls in configs.CONFIGS.items()
    ]


def of_project(project: Project, *, kind: str = "", status: str = "") -> QuerySet[Run]:
    rows = Run.objects.filter(project=project).select_related("created_by", "checkpoint")
    rows = rows.prefetch_related("input_rows__checkpoint", "input_rows__snapshot", "input_rows__corpus")
    if kind:
        rows = rows.filter(kind=kind)
    return rows.filter(status=status) if status else rows


def output(run: Run) -> Path:
    """The folder of what a succeeded run made."""
    folder = Path(settings.RUNS) / str(run.id) / "output"
    if run.status != Run.Status.SUCCEEDED or not (folder / "manifest.json").is_file():
        raise errors.NoOutput
    return folder


def describe(run: Run) -> dict[str, Any]:
    """A run as the API shows it."""
    checkpoint = getattr(run, "checkpoint", None)
    return {
        "id": run.id,
        "name": run.name,
        "kind": run.kind,
        "status": run.status,
        "config": run.config,
        "seed": run.seed,
        "processes": run.processes,
        "queue": run.queue,
        "attempt": run.attempt,
        "cancelling": run.status == Run.Status.RUNNING and run.cancel_requested_at is not None,
        "progress": progress(run),
        "inputs": {row.name: describe_input(row) for row in run.input_rows.all()},
        "error": error(run),
        "created_by": run.created_by.username if run.created_by else None,
        "created_at": run.created_at,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "checkpoint": checkpoint.id if checkpoint else None,
        "round": run.round_id,
        "outputs": run.outputs,
    }


def progress(run: Run) -> dict[str, Any]:
    known = run.progress
    return {
        "stage": known.get("stage", ""),
        "done": known.get("done", 0),
        "total": known.get("total", 0),
        "text": known.get("text", ""),
    }


def error(run: Run) -> dict[str, str] | None:
    if run.status != Run.Status.FAILED:
        return None
    return {"code": run.error_code, "sentence": run.error_sentence, "log_tail": run.log_tail}


def describe_input(row: RunInput) -> dict[str, Any]:
    """`id` is a hub name where `kind` is "hub"."""
    if row.checkpoint is not None:
        return {"id": str(row.checkpoint.id), "kind": row.checkpoint.kind, "label": row.checkpoint.name}
    if row.corpus is not None:
        return {"id": str(row.corpus.uuid), "kind": "corpus", "label": row.corpus.name}
    if row.snapshot is not None:
        label = f"{row.snapshot.rows} {row.snapshot.kind}"
        return {"id": str(row.snapshot.uuid), "kind": row.snapshot.kind, "label": label}
    return {"id": row.hub, "kind": "hub", "label": row.hub}


def metrics(run: Run, *, after: int) -> dict[str, Any]:
    rows = list(Metric.objects.filter(run=run, seq__gt=after).order_by("seq")[:LINES_A_PAGE])
    plain = [{"seq": row.seq, "step": row.step, "time": _time(row.time), "values": row.body} for row in rows]
    return {"rows": plain, "next": rows[-1].seq if rows else after}


def samples(run: Run, *, after: int) -> dict[str, Any]:
    rows = list(Sample.objects.filter(run=run, seq__gt=after).order_by("seq")[:LINES_A_PAGE])
    plain = [{"seq": row.seq, "step": row.step, "time": _time(row.time), **row.body} for row in rows]
    return {"rows": plain, "next": rows[-1].seq if rows else after}


def log(run: Run, *, after: int) -> dict[str, Any]:
    """Text of the log past byte `after`, and the byte to go on from. Characters are never cut in two."""
    path = settings.RUNS / str(run.id) / "log.txt"
    try:
        with path.open("rb") as stream:
            stream.seek(after)
            block = stream.read(LOG_BYTES_A_PAGE)
    except FileNotFoundError:
        return {"text": "", "next": after}
    whole = block[: block.rfind(b"\n") + 1] or block
    return {"text": whole.decode("utf-8", "replace"), "next": after + len(whole)}


def rollouts(run: Run, *, cursor: int) -> dict[str, Any]:
    """A page of rollout sets with their prompts; `cursor` is a byte of the file, and `next` null at its end."""
    path = settings.RUNS / str(run.id) / "output" / "rollouts.jsonl"
    if run.status != Run.Status.SUCCEEDED or not path.exists():
        return {"results": [], "next": None}
    with path.open("rb") as stream:
        stream.seek(cursor)
        lines = [line for line in (stream.readline() for _ in range(ROLLOUTS_A_PAGE)) if line.strip()]
        cursor = stream.tell()
        more = bool(stream.read(1))
    rows = [json.loads(line) for line in lines]
    prompts = Prompt.objects.filter(project=run.project, uuid__in={row["prompt_id"] for row in rows})
    messages = {str(prompt.uuid): prompt.messages for prompt in prompts}
    for row in rows:
        row["prompt"] = messages.get(row["prompt_id"])
        for rollout in row["rollouts"]:
            # A seed may have more bits than a JSON number keeps.
            rollout["seed"] = str(rollout["seed"])
    return {"results": rows, "next": cursor if more else None}


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, tz=UTC)
