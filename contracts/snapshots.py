"""Snapshots: a frozen JSONL file of records and a manifest that hashes it.

The same records in the same order give the same bytes, so a snapshot's sha256 is its identity.
A snapshot is written under a temporary name and renamed: a half-written one never has a manifest.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from contracts.records import JsonRecord, RecordError

ROWS = "rows.jsonl"
MANIFEST = "manifest.json"
FORMAT = 1

Record = TypeVar("Record", bound=JsonRecord)


class SnapshotError(Exception):
    """A snapshot cannot be read or does not match its manifest."""


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a snapshot contains and how it was made. `details` holds filters and provenance."""

    kind: str
    rows: int
    sha256: str
    details: dict[str, Any]


def canonical_json(value: Any) -> str:
    """Keys sorted, no spaces, text kept as UTF-8, NaN refused: equal values have equal bytes."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def content_hash(value: Any) -> str:
    """sha256 of the canonical JSON. Lone surrogates, which have no UTF-8, are escaped, not refused."""
    return hashlib.sha256(canonical_json(value).encode("utf-8", "surrogatepass")).hexdigest()


def file_hash(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def write(folder: Path, *, kind: str, records: Iterable[JsonRecord], details: dict[str, Any]) -> Manifest:
    """Write records to `folder` (which must not exist yet) and return the manifest."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        digest = hashlib.sha256()
        rows = 0
        with (temporary / ROWS).open("wb") as stream:
            for record in records:
                line = canonical_json(record.to_json()).encode() + b"\n"
                digest.update(line)
                stream.write(line)
                rows += 1
            _to_disk(stream)
        manifest = Manifest(kind=kind, rows=rows, sha256=digest.hexdigest(), details=details)
        with (temporary / MANIFEST).open("w", encoding="utf-8") as stream:
            json.dump({"format": FORMAT, **vars(manifest)}, stream, indent=1, sort_keys=True, ensure_ascii=False)
            _to_disk(stream)
        temporary.chmod(0o755)
        temporary.rename(folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return manifest


def manifest(folder: Path) -> Manifest:
    try:
        plain = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if plain.pop("format") != FORMAT:
            raise SnapshotError(f"{folder}: unknown snapshot format")
        return Manifest(**plain)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SnapshotError(f"{folder}: no readable manifest ({error})") from error


def verify(folder: Path) -> Manifest:
    """Return the manifest if the rows hash to it, else raise."""
    expected = manifest(folder)
    found = file_hash(folder / ROWS)
    if found != expected.sha256:
        raise SnapshotError(f"{folder}: rows hash to {found}, the manifest says {expected.sha256}; restore the file")
    return expected


def read(folder: Path, record: type[Record]) -> Iterator[Record]:
    """Yield the rows of a snapshot, or of a bare JSONL file, one at a time."""
    path = folder / ROWS if folder.is_dir() else folder
    with path.open(encoding="utf-8", newline="\n") as stream:
        for number, line in enumerate(stream, start=1):
            if not line.strip():
                continue
            try:
                yield record.from_json(json.loads(line))
            except (RecordError, json.JSONDecodeError) as error:
                raise SnapshotError(f"{path}, line {number}: {error}") from error


def _to_disk(stream: Any) -> None:
    stream.flush()
    os.fsync(stream.fileno())
