"""Mirrors a run's metrics.jsonl and samples.jsonl into rows, so that the web needs no access to its disk.

The file is the truth. A resumed process rewrites it without the steps it will repeat; the mirror then
drops the rows that the file no longer has. A `seq` is never given twice.
"""

from __future__ import annotations

import uuid
from typing import Any

from django.db import transaction

from contracts.run_dir import RunDir
from training.models.runs import Metric, Run, Sample
from training.services.storable import storable_json

Mirrored = type[Metric] | type[Sample]
FILES: dict[str, Mirrored] = {"metrics.jsonl": Metric, "samples.jsonl": Sample}


class Mirror:
    """Follows both files of one attempt. `pull` is cheap when nothing is new."""

    def __init__(self, folder: RunDir, *, run_id: uuid.UUID, attempt: int) -> None:
        self._folder = folder
        self._run_id = run_id
        self._attempt = attempt
        # Where we stand in each file: its inode and the byte to go on from.
        self._at: dict[str, tuple[int, int]] = {}

    def pull(self) -> bool:
        """Copy what is new. False where the run belongs to another attempt by now: nothing was written."""
        return all([self._pull(name) for name in FILES])

    def _pull(self, name: str) -> bool:
        path = self._folder.path / name
        try:
            found = path.stat()
        except FileNotFoundError:
            return True
        inode, offset = self._at.get(name, (0, 0))
        replaced = inode != found.st_ino or found.st_size < offset
        if not replaced and found.st_size == offset:
            return True
        try:
            rows, end = self._folder.tail(name, limit=-1) if replaced else self._folder.tail(name, after=offset)
        except ValueError:
            # The file was replaced since we looked, and `offset` lies within a line of the new one.
            self._at.pop(name, None)
            return True
        if not self._store(FILES[name], rows, from_start=replaced):
            return False
        self._at[name] = (found.st_ino, end)
        return True

    @transaction.atomic
    def _store(self, model: Mirrored, rows: list[dict[str, Any]], *, from_start: bool) -> bool:
        held = Run.objects.select_for_update().filter(id=self._run_id, attempt=self._attempt, status=Run.Status.RUNNING)
        last = held.values_list("last_seq", flat=True).first()
        if last is None:
            return False
        if from_start:
            rows = self._keep_common_start(model, rows)
        lines: list[Any] = [
            model(run_id=self._run_id, seq=last + place, step=row["step"], time=row["time"], body=_body(model, row))
            for place, row in enumerate(rows, start=1)
        ]
        model.objects.bulk_create(lines, batch_size=500)
        if lines:
            held.update(last_seq=last + len(lines))
        return True

    def _keep_common_start(self, model: Mirrored, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Delete stored lines that the file does not have, and return the file's lines that are not stored."""
        stored = list(model.objects.filter(run_id=self._run_id).order_by("seq").values_list("seq", "step", "time"))
        same = 0
        while same < min(len(stored), len(rows)) and stored[same][1:] == (rows[same]["step"], rows[same]["time"]):
            same += 1
        if same < len(stored):
            model.objects.filter(run_id=self._run_id, seq__gte=stored[same][0]).delete()
        return rows[same:]


def _body(model: Mirrored, row: dict[str, Any]) -> dict[str, Any]:
    plain = row["values"] if model is Metric else {name: row[name] for name in ("prompt", "text", "values")}
    return dict(storable_json(plain))
