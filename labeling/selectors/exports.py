"""Exports: the records that training reads, as JSONL, one line at a time."""

from collections.abc import Iterator
from typing import Any

from contracts.snapshots import canonical_json
from labeling import errors
from labeling.models.projects import Project
from labeling.selectors import records
from labeling.selectors.filters import parse

KINDS = ("prompts", "demonstrations", "rankings")


def lines(*, project: Project, kind: str, filters: dict[str, Any]) -> Iterator[str]:
    """Checks its arguments when called, not when the first line is asked for."""
    if kind not in KINDS:
        raise errors.Invalid(fields={"kind": f"must be one of {', '.join(KINDS)}"})
    rows = records.records(project=project, kind=kind, filters=parse(filters))
    return (canonical_json(row.to_json()) + "\n" for row in rows)
