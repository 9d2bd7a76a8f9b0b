"""Packages: an export as a folder of files by split, with a card and a manifest. The same content has the same bytes.

All rows of one prompt are in one file, because a prompt is born into its split.
"""

import csv
import hashlib
import json
import shutil
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Protocol

import orjson

from contracts.snapshots import canonical_json, content_hash
from labeling.formats import tables, writing
from labeling.models.people import User
from labeling.models.projects import Project
from labeling.selectors import exports
from labeling.selectors import filters as filtering
from labeling.selectors.exports import NEWLINE, Choices
from labeling.services import audit

NAMES = {"train": "train", "heldout": "test"}  # as `datasets` names them
MANIFEST, CARD = "manifest.json", "README.md"
PIECE = 2_000  # rows of Parquet that are held


class _File(Protocol):
    def add(self, row: dict[str, Any]) -> None: ...
    def close(self) -> None: ...


def write(*, project: Project, choices: Choices, folder: Path, by: User | None, now: datetime) -> dict[str, Any]:
    """Write the package to `folder`, which must not exist yet. Returns its manifest."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        manifest = _write(project, choices, temporary)
        temporary.chmod(0o755)
        temporary.rename(folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    audit.note(project=project, actor=by, action="exported", subject=f"export:{manifest['sha256']}"[:100], now=now,
               details={key: manifest[key] for key in ("kind", "format", "filters", "merge", "records")})  # fmt: skip
    return manifest


def zipped(folder: Path, stream: IO[bytes]) -> None:
    """The package as one file, without times: the same content has the same bytes here too."""
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(one for one in folder.rglob("*") if one.is_file()):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix())
            entry.external_attr, entry.compress_type = 0o644 << 16, zipfile.ZIP_DEFLATED
            with archive.open(entry, "w") as target, path.open("rb") as source:
                shutil.copyfileobj(source, target, 1 << 20)


def _write(project: Project, choices: Choices, folder: Path) -> dict[str, Any]:
    files: dict[str, _File] = {}
    rows: Counter[str] = Counter()
    guidelines: set[int] = set()
    count, carried, last = 0, 0, None
    seen = _counted(exports.found(project=project, choices=choices), guidelines)
    writer = writing.WRITERS[choices.format][0]
    for record in seen:
        count += 1
        for row in writer(choices.kind, record):
            name = NAMES[record["split"]]
            if name not in files:
                files[name] = _open(folder, name, choices)
            files[name].add(row)
            rows[name] += 1
            carried += record["id"] != last
            last = record["id"]
    for file in files.values():
        file.close()
    manifest: dict[str, Any] = {
        "project": project.slug,
        "kind": choices.kind,
        "format": choices.format,
        "filters": filtering.plain(choices.filters),
        "merge": choices.filters.get("merge") or "none",
        "pseudonyms": choices.pseudonyms,
        "guideline_versions": sorted(guidelines),
        "records": count,
        "left_out": count - carried,  # that the format cannot carry
        "files": {
            path.name: {"rows": rows[path.stem], "bytes": path.stat().st_size, "sha256": _hash(path)}
            for path in sorted(folder.iterdir())
        },
    }
    if weights := exports.weighing(project=project, choices=choices):
        told = weights.details()
        manifest["reliability"] = {name: told[name] for name in ("measurement", "fit")}
    manifest["sha256"] = content_hash(manifest)
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    (folder / CARD).write_text(card(project, manifest))
    return manifest


def card(project: Project, manifest: dict[str, Any]) -> str:
    """The data set's card: where its files are, for `datasets`, and what it is, for people."""
    files = "".join(f"  - split: {Path(name).stem}\n    path: {name}\n" for name in manifest["files"])
    counts = "\n".join(f"| {name} | {one['rows']} | {one['sha256'][:16]}… |" for name, one in manifest["files"].items())
    filters = f"`{canonical_json(manifest['filters'])}`" if manifest["filters"] else "none: everything"
    versions = ", ".join(map(str, manifest["guideline_versions"])) or "none"
    head = f"---\nconfigs:\n- config_name: default\n  data_files:\n{files}---\n\n" if files else ""
    return f"""{head}# {project.name}: {manifest["kind"]}

{project.description or "Collected with Rankloop."}

| file | rows | sha256 |
| --- | ---: | --- |
{counts}

- Records: {manifest["records"]}, as `{manifest["format"]}`; {manifest["left_out"]} cannot be said in this format.
- Filters: {filters}.
- Rankings: {"one merged per set, by Kemeny's rule" if manifest["merge"] == "merged" else "each labeler's by itself"}.
- Labelers: {"under pseudonyms" if manifest["pseudonyms"] else "by name, where the format has one"}.
- Versions of the guideline that labelers followed: {versions}.
- Splits are by prompt: no prompt is in both, and all pairs of one ranking are in one.
"""


def _counted(found: Iterator[dict[str, Any]], guidelines: set[int]) -> Iterator[dict[str, Any]]:
    for record in found:
        if version := record.get("guideline_version"):
            guidelines.add(version)
        yield record


def _open(folder: Path, name: str, choices: Choices) -> _File:
    if choices.format == "csv":
        return _Csv(folder / f"{name}.csv")
    if choices.format == "parquet":
        return _Parquet(folder / f"{name}.parquet", choices.kind)
    return _Jsonl(folder / f"{name}.jsonl")


class _Jsonl:
    def __init__(self, path: Path) -> None:
        self._stream = path.open("wb")

    def add(self, row: dict[str, Any]) -> None:
        self._stream.write(orjson.dumps(row, option=NEWLINE))

    def close(self) -> None:
        self._stream.close()


class _Csv:
    def __init__(self, path: Path) -> None:
        self._stream = path.open("w", encoding="utf-8", newline="")
        self._writer = csv.writer(self._stream, lineterminator="\r\n")
        self._names: list[str] = []

    def add(self, row: dict[str, Any]) -> None:
        if not self._names:
            self._names = list(row)
            self._writer.writerow(self._names)
        self._writer.writerow(exports.csv_line(row, self._names))

    def close(self) -> None:
        self._stream.close()


class _Parquet:
    def __init__(self, path: Path, kind: str) -> None:
        self._pyarrow = tables.needed("pyarrow", "Parquet files")
        self._schema = _schema(self._pyarrow, kind)
        self._writer = tables.needed("pyarrow.parquet", "Parquet files").ParquetWriter(path, self._schema)
        self._held: list[dict[str, Any]] = []

    def add(self, row: dict[str, Any]) -> None:
        self._held.append(row)
        if len(self._held) == PIECE:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        if self._held:
            self._writer.write_table(self._pyarrow.Table.from_pylist(self._held, schema=self._schema))
            self._held = []


def store(path: Path, kind: str, rows: Iterable[dict[str, Any]]) -> None:
    """Rows as one Parquet file."""
    file = _Parquet(path, kind)
    for row in rows:
        file.add(row)
    file.close()


def _schema(pyarrow: Any, kind: str) -> Any:
    message = pyarrow.struct([("role", pyarrow.string()), ("content", pyarrow.string())])
    said = pyarrow.list_(message)
    columns = {
        "demonstrations": [("prompt", said), ("completion", said)],
        "rankings": [("prompt", said), ("chosen", said), ("rejected", said)],
        "judgments": [("prompt", said), ("completion", said), ("label", pyarrow.bool_())],
    }
    return pyarrow.schema(columns[kind])


def _hash(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
