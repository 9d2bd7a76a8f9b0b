"""What holds records: one file of any kind, a zip of files, or a folder that `datasets` saved."""

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from labeling.formats import files, streams, tables
from labeling.formats.items import Unreadable

MEMBERS = 10_000
TEXT = (".txt", ".text", ".md")
READ = (".jsonl", ".json", ".ndjson", ".csv", ".tsv", ".parquet", ".arrow", ".gz", ".xlsx", *TEXT)
ASIDE = ("dataset_info.json", "dataset_dict.json", "state.json", "dataset_infos.json", "manifest.json")


@dataclass(frozen=True, slots=True)
class Found:
    """One record, where it is, and the value or a `Refusal`."""

    file: str  # the member of an archive or folder; empty: the file itself
    line: int
    value: Any


@dataclass(frozen=True, slots=True)
class Held:
    """The records of a file, and whether they are lines of plain text."""

    records: Iterator[Found]
    plain: bool = False


def held(path: Path, watch: list[IO[bytes]] | None = None) -> Held:
    """Raises `Unreadable` for what holds no records. Nothing is unpacked to the disk."""
    if path.is_dir():
        return Held(_folder(path))
    start = streams.magic(path)
    if start[:4] == streams.ZIP:
        return _zip(path)
    return _file(path, start, watch)


def _file(path: Path, start: bytes, watch: list[IO[bytes]] | None) -> Held:
    if start[:4] == streams.PARQUET:
        return Held(_placed("", tables.parquet(path)))
    if start[:6] == streams.ARROW or start[:4] == b"\xff\xff\xff\xff":
        return Held(_placed("", tables.arrow(path)))
    return _stream(streams.opened(path, watch), path.name, "")


def _stream(stream: Any, name: str, file: str) -> Held:
    suffix = PurePosixPath(name.removesuffix(".gz")).suffix.lower()
    try:
        start = stream.peek(1 << 10)[: 1 << 10]
    except streams.BROKEN as error:
        raise Unreadable(f"{name} is not whole: {error}") from None
    first = start.lstrip()[:1]
    if start and first not in b'[{"' and b"\0" not in start:
        if tables.is_table(start, suffix):
            return Held(_placed(file, tables.delimited(stream, name)))
        if suffix in TEXT:
            return Held(_placed(file, files.lines(stream)), plain=True)
    return Held(_placed(file, files.records(stream, name)))


def _placed(file: str, records: Iterator[files.Record]) -> Iterator[Found]:
    return (Found(file, line, value) for line, value in records)


def _zip(path: Path) -> Held:
    try:
        archive = zipfile.ZipFile(path)
    except streams.BROKEN as error:
        raise Unreadable(f"{path.name} is not whole: {error}") from None
    names = archive.namelist()
    if "[Content_Types].xml" in names:
        archive.close()
        return Held(_placed("", tables.workbook(path)))
    if len(names) > MEMBERS:
        raise Unreadable(f"{path.name} holds more than {MEMBERS} files")
    for entry in archive.infolist():
        _check_member(path, entry)
    return Held(_members(archive))


def _check_member(path: Path, entry: zipfile.ZipInfo) -> None:
    """Members are read by position and never written, so no name can harm; one that tries tells what the file is."""
    name = PurePosixPath(entry.filename.replace("\\", "/"))
    if name.is_absolute() or ".." in name.parts or ":" in entry.filename[:3]:
        raise Unreadable(f"{path.name} holds {entry.filename!r:.60}, which points outside of it")
    if name.suffix.lower() in (".pkl", ".pickle", ".pt", ".bin"):
        raise Unreadable(f"{path.name} holds {entry.filename!r:.60}: pickles can run code, and are never opened")
    if entry.flag_bits & 1:
        raise Unreadable(f"{path.name} is locked with a password")


def _members(archive: zipfile.ZipFile) -> Iterator[Found]:
    seen = False
    with archive:
        for entry in sorted(archive.infolist(), key=lambda one: one.filename):
            name = PurePosixPath(entry.filename)
            if entry.is_dir() or name.name.startswith((".", "_")) or "__MACOSX" in name.parts or name.name in ASIDE:
                continue
            if name.suffix.lower() not in READ[:5] + TEXT:
                continue
            seen = True
            with streams.member(archive, entry, name.name) as stream:
                yield from _stream(stream, name.name, entry.filename).records
    if not seen:
        raise Unreadable("the archive holds no file of records")


def _folder(path: Path) -> Iterator[Found]:
    """Files of records below a folder, in the order of their names; links that lead out of it are not followed."""
    root = path.resolve()
    found = sorted(one for one in path.rglob("*") if one.suffix.lower() in READ and one.name not in ASIDE)
    found = [one for one in found if one.is_file() and one.resolve().is_relative_to(root)]
    if not found:
        raise Unreadable(f"{path.name} holds no file of records")
    if len(found) > MEMBERS:
        raise Unreadable(f"{path.name} holds more than {MEMBERS} files")
    for one in found:
        file = one.relative_to(path).as_posix()
        yield from (Found(file, inner.line, inner.value) for inner in held(one).records)
