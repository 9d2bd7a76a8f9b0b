"""Exports as lines of bytes: any kind, any format that carries it, one piece at a time, the same bytes each time.

Whole packages with a card and a manifest are made by `labeling.services.exporting`.
"""

import csv
import hashlib
import hmac
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson
from django.conf import settings

from labeling import errors
from labeling.formats import tables, writing
from labeling.models.projects import Project
from labeling.selectors import filters as filtering
from labeling.selectors import plain
from labeling.selectors.records import unweighted
from labeling.selectors.weights import Weights, newest

KINDS = ("prompts", "demonstrations", "rankings", "judgments")
FORMATS = tuple(writing.WRITERS)
WEIGHTED = ("rankloop",)  # the formats whose records say what they weigh
NEWLINE = orjson.OPT_APPEND_NEWLINE | orjson.OPT_SORT_KEYS


@dataclass(frozen=True, kw_only=True)
class Choices:
    """What is exported, and how. Raises `Invalid` for what does not go together."""

    kind: str
    format: str = "rankloop"
    filters: dict[str, Any] = field(default_factory=dict)
    pseudonyms: bool = False

    def __post_init__(self) -> None:
        problems = {}
        if self.kind not in KINDS:
            problems["kind"] = f"must be one of {', '.join(KINDS)}"
        if self.format not in FORMATS:
            problems["format"] = f"must be one of {', '.join(FORMATS)}"
        elif self.kind in KINDS and self.kind not in writing.WRITERS[self.format][1]:
            problems["format"] = f"{self.format} carries {', '.join(writing.WRITERS[self.format][1])}, not {self.kind}"
        if problems:
            raise errors.Invalid(fields=problems)
        parsed = filtering.parse(self.filters)
        filtering.check(parsed, self.kind)
        if parsed.weights == "reliability" and self.format not in WEIGHTED and parsed.merge != "merged":
            told = f"{self.format} has no place for weights: ask for {' or '.join(WEIGHTED)}, or merge the rankings"
            raise errors.Invalid("A filter is wrong.", code="bad_filter", fields={"weights": told})


def lines(*, project: Project, choices: Choices) -> Iterator[bytes]:
    """Checks what it is asked for when called, not when the first line is."""
    if choices.format == "parquet":
        raise errors.Invalid(fields={"format": "parquet is no text: ask for a package"})
    found = rows(project=project, choices=choices)
    if choices.format == "csv":
        return _csv(one for _, one in found)
    return (orjson.dumps(one, option=NEWLINE) for _, one in found)


def rows(*, project: Project, choices: Choices) -> Iterator[tuple[plain.Row, plain.Row]]:
    """(record, row of the format); several rows a record where the format has pairs."""
    writer = writing.WRITERS[choices.format][0]
    for record in found(project=project, choices=choices):
        for row in writer(choices.kind, record):
            yield record, row


def found(*, project: Project, choices: Choices) -> Iterator[plain.Row]:
    weights = weighing(project=project, choices=choices)
    taken = plain.rows(
        project=project, kind=choices.kind, filters=filtering.parse(choices.filters),
        weigh=weights.of_answer if weights else unweighted,
    )  # fmt: skip
    return _pseudonymous(project, taken) if choices.pseudonyms else taken


def weighing(*, project: Project, choices: Choices) -> Weights | None:
    """None where rankings are not to be weighed. Raises `NotMeasured` where nobody's reliability is known."""
    if filtering.parse(choices.filters).weights != "reliability":
        return None
    known = newest(project=project)
    if known is None:
        raise errors.NotMeasured(fields={"weights": "no labeler's reliability is known yet"})
    return known


def csv_line(row: plain.Row, names: list[str]) -> list[str]:
    """Cells that no spreadsheet runs."""
    cells = []
    for name in names:
        value = row.get(name)
        text = value if isinstance(value, str) else "" if value is None else orjson.dumps(value).decode()
        cells.append(tables.guarded(text))
    return cells


def _csv(found: Iterator[plain.Row]) -> Iterator[bytes]:
    names: list[str] = []
    for row in found:
        stream = io.StringIO(newline="")
        writer = csv.writer(stream, lineterminator="\r\n")
        if not names:
            names = list(row)
            writer.writerow(names)
        writer.writerow(csv_line(row, names))
        yield stream.getvalue().encode()


def _pseudonymous(project: Project, found: Iterator[plain.Row]) -> Iterator[plain.Row]:
    """Labelers under names that stay the same from export to export and tell nobody who they are."""
    key = f"{settings.SECRET_KEY}:{project.uuid}".encode()
    known: dict[str, str] = {}
    for row in found:
        if name := row.get("labeler"):
            if name not in known:
                known[name] = _pseudonym(key, name)
            row["labeler"] = known[name]
        if row.get("merged_from"):
            row["merged_from"] = {one: _pseudonym(key, name) for one, name in row["merged_from"].items()}
        for one in row.get("responses", ()):
            if one["source"].startswith("person:"):
                one["source"] = f"person:{_pseudonym(key, one['source'])}"
        yield row


def _pseudonym(key: bytes, name: str) -> str:
    return f"labeler-{hmac.new(key, name.encode(), hashlib.sha256).hexdigest()[:12]}"
