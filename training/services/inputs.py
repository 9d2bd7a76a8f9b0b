"""From what a person names as a run's inputs to rows, and from rows to what the run directory says.

`plan` only reads and collects problems; `freeze` then makes the snapshots that the plan asks for, so a
refused run leaves nothing behind.
"""

from __future__ import annotations

import os
import uuid
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db.models import Q

from contracts import configs, snapshots
from contracts.run_dir import InputRef, RunDirError
from labeling.errors import Invalid
from labeling.models.answers import Answer
from labeling.models.people import User
from labeling.models.projects import Project
from labeling.models.records import Corpus, Snapshot
from labeling.services import snapshots as freezer
from labeling.services.text import is_storable
from training import errors
from training.models.checkpoints import Checkpoint
from training.models.runs import RunInput

CHECKPOINTS = tuple(Checkpoint.Kind.values)
# What a snapshot input holds where the run names none: held-out prompts are for evaluation alone.
DEFAULT_FILTERS: dict[tuple[str, str], dict[str, Any]] = {
    ("sft", "demonstrations"): {"split": "train"},
    ("sample", "prompts"): {"split": "train"},
    ("reward_model", "rankings"): {},
    ("ppo", "prompts"): {"split": "train"},
    ("best_of_n", "prompts"): {},
    ("dpo", "rankings"): {},
    ("evaluate", "prompts"): {"split": "heldout"},
}


@dataclass(frozen=True, kw_only=True)
class ToFreeze:
    """A snapshot that the run wants made of the project's present data."""

    kind: str
    filters: dict[str, Any]


Planned = RunInput | ToFreeze


def plan(
    *, project: Project, kind: str, config: configs.Config | None, given: Any, problems: dict[str, str]
) -> dict[str, Planned]:
    """Check every input's existence, project and kind; what is wrong goes to `problems` as `inputs.NAME`."""
    if not isinstance(given, dict):
        problems["inputs"] = f"expected an object, found {type(given).__name__}"
        return {}
    rules = configs.INPUTS[kind]
    for name in given:
        if name not in rules:
            problems[f"inputs.{name}"] = f"unknown input; {kind} takes {', '.join(rules)}"
    planned: dict[str, Planned] = {}
    for name, rule in rules.items():
        try:
            if given.get(name) is not None:
                planned[name] = _named(project, rule, given[name])
            elif (kind, name) in DEFAULT_FILTERS:
                planned[name] = ToFreeze(kind=rule.accepts[0], filters=DEFAULT_FILTERS[kind, name])
            elif rule.required and (config is None or config.needs(name)):
                planned[name] = _obvious(project, rule)
        except ValueError as error:
            problems[f"inputs.{name}"] = str(error)
    return planned


def check_labelers(*, project: Project, names: list[str], problems: dict[str, str]) -> None:
    """Refuse to leave out somebody who ranked nothing here; a ranking names its labeler, or whence it was imported."""
    ranked = Answer.objects.filter(project=project, rollout_set__isnull=False)
    for name in names:
        if not ranked.filter(Q(labeler__username=name) | Q(labeler__isnull=True, origin=name)).exists():
            problems["leave_out"] = f"{name!r} has ranked nothing in this project; name a labeler who has"


def freeze(planned: dict[str, Planned], *, project: Project, by: User | None, now: datetime) -> list[RunInput]:
    """Make the planned snapshots, and return the rows of all inputs, not saved yet.

    Raises `BadRun` where the project has nothing to freeze.
    """
    rows = []
    for name, item in planned.items():
        row = item
        if isinstance(item, ToFreeze):
            row = RunInput(snapshot=_freeze(name, item, project=project, by=by, now=now))
        assert isinstance(row, RunInput)
        row.name = name
        rows.append(row)
    return rows


def _freeze(name: str, item: ToFreeze, *, project: Project, by: User | None, now: datetime) -> Snapshot:
    try:
        return freezer.freeze(project=project, kind=item.kind, filters=item.filters, by=by, now=now)
    except Invalid as error:
        problem = "; ".join(f"{field}: {sentence}" for field, sentence in error.fields.items()) or error.detail
        raise errors.BadRun(fields={f"inputs.{name}": problem}) from error


def _named(project: Project, rule: configs.Input, value: Any) -> Planned:
    """What one given value means. Raises ValueError with a sentence."""
    takes_checkpoint = rule.accepts[0] in CHECKPOINTS
    if isinstance(value, dict) and set(value) == {"hub"}:
        if not takes_checkpoint or not _is_name(value["hub"]):
            raise ValueError("a hub name is for model inputs, and is the name of a model or its directory")
        return RunInput(hub=value["hub"].strip())
    if isinstance(value, dict) and set(value) == {"filters"} and isinstance(value["filters"], dict):
        if takes_checkpoint or rule.accepts == ("corpus",):
            raise ValueError("filters freeze a snapshot, and this input takes none")
        return ToFreeze(kind=rule.accepts[0], filters=value["filters"])
    identity = value.get("id") if isinstance(value, dict) and set(value) == {"id"} else value
    try:
        wanted = uuid.UUID(identity) if isinstance(identity, str) else None
    except ValueError:
        wanted = None
    if wanted is None:
        raise ValueError(f"expected an id, {{'hub': name}} or {{'filters': {{...}}}}; found {str(value)[:100]!r}")
    if takes_checkpoint:
        return RunInput(checkpoint=_checkpoint(project, rule, wanted))
    return _data(project, rule, wanted)


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip()) and len(value) <= 500 and is_storable(value)


def _checkpoint(project: Project, rule: configs.Input, wanted: uuid.UUID) -> Checkpoint:
    checkpoint = Checkpoint.objects.filter(project=project, id=wanted).first()
    if checkpoint is None:
        raise ValueError(f"this project has no checkpoint {wanted}")
    if checkpoint.kind not in rule.accepts:
        raise ValueError(f"takes a checkpoint of kind {' or '.join(rule.accepts)}; {wanted} is a {checkpoint.kind}")
    return checkpoint


def _data(project: Project, rule: configs.Input, wanted: uuid.UUID) -> RunInput:
    kind = rule.accepts[0]
    corpus = Corpus.objects.filter(project=project, uuid=wanted).first() if kind == "corpus" else None
    if corpus is not None:
        return RunInput(corpus=corpus)
    snapshot = Snapshot.objects.filter(project=project, uuid=wanted).first()
    if snapshot is None:
        raise ValueError(f"this project has no {'corpus' if kind == 'corpus' else 'snapshot'} {wanted}")
    if snapshot.kind != kind:
        raise ValueError(f"takes a snapshot of {kind}; {wanted} is one of {snapshot.kind}")
    if snapshot.rows == 0:
        raise ValueError(f"snapshot {wanted} has no rows")
    return RunInput(snapshot=snapshot)


def _obvious(project: Project, rule: configs.Input) -> RunInput:
    """The only thing in the project that fits, where there is exactly one."""
    if rule.accepts == ("corpus",):
        corpora = list(Corpus.objects.filter(project=project)[:2])
        if len(corpora) == 1:
            return RunInput(corpus=corpora[0])
        raise ValueError("name one of the project's corpora" if corpora else "the project has no corpus; add one")
    fitting = list(Checkpoint.objects.filter(project=project, kind__in=rule.accepts)[:2])
    if len(fitting) == 1:
        return RunInput(checkpoint=fitting[0])
    kinds = " or ".join(rule.accepts)
    raise ValueError(f"name a checkpoint of kind {kinds}; the project has {'several' if fitting else 'none'}")


def reference(row: RunInput, *, folder: Path) -> InputRef:
    """What run.json says of an input. Paths are relative to the run directory, so that `var/` can move.

    Raises `RunDirError` or `SnapshotError` where the files are not what the rows say.
    """
    if row.hub:
        return InputRef(hub=row.hub)
    if row.checkpoint is not None:
        path = settings.RUNS / row.checkpoint.path
        return _relative(path, folder, sha256=row.checkpoint.manifest_sha256, identity=row.checkpoint.id)
    if row.corpus is not None:
        return _relative(row.corpus.path, folder, sha256=row.corpus.sha256, identity=row.corpus.uuid)
    snapshot = row.snapshot
    assert snapshot is not None, "a constraint says that an input is exactly one thing"
    if snapshot.path.is_file():
        return _relative(snapshot.path, folder, sha256=snapshot.sha256, identity=snapshot.uuid)
    found = snapshots.verify(snapshot.path)
    if found.sha256 != snapshot.sha256:
        raise RunDirError(f"snapshot {snapshot.uuid}: its rows hash to {found.sha256}, not to {snapshot.sha256}")
    manifest_hash = snapshots.file_hash(snapshot.path / snapshots.MANIFEST)
    return _relative(snapshot.path, folder, sha256=manifest_hash, identity=snapshot.uuid)


def _relative(path: Path, folder: Path, *, sha256: str, identity: uuid.UUID) -> InputRef:
    if not path.exists():
        raise RunDirError(f"{path} does not exist; the worker must share the folder of artifacts with the web")
    return InputRef(path=os.path.relpath(path, folder), sha256=sha256, id=str(identity))
