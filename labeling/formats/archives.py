"""What holds records: one file of any kind, a zip of files, or a folder that `datasets` saved."""

import json
import shutil
import tempfile
import zipfile
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from labeling.formats import files, streams, tables
from labeling.formats.items import Unreadable

MEMBERS = 10_000
TEXT = (".txt", ".text", ".md")
READ = (".jsonl", ".json", ".ndjson", ".csv", ".tsv", ".parquet", ".arrow", ".gz", ".xlsx", *TEXT)
BINARY = (".parquet", ".arrow")  # of an archive, unpacked one at a time: they are read from their ends
STATE = 1 << 20  # bytes of a saved data set's state
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
    """Raises `Unreadable` for what holds no records. Nothing is unpacked to the disk but tables, to temporary files."""
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
        entries = {entry.filename: entry for entry in archive.infolist() if not entry.is_dir()}
        states = {name: archive.read(name) for name in entries if _is_state(name) and entries[name].file_size <= STATE}
        aside = _aside(entries, states)
        for filename in sorted(set(entries) - aside):
            name = PurePosixPath(filename)
            if name.name.startswith((".", "_")) or "__MACOSX" in name.parts or name.name in ASIDE:
                continue
            suffix = name.suffix.lower()
            if suffix in BINARY:
                seen = True
                with tempfile.NamedTemporaryFile(suffix=suffix) as copy:
                    shutil.copyfileobj(streams.unpacked(archive, entries[filename], name.name), copy, streams.BLOCK)
                    copy.flush()
                    read = tables.parquet if suffix == ".parquet" else tables.arrow
                    yield from _placed(filename, read(Path(copy.name)))
            elif suffix in READ[:5] + TEXT:
                seen = True
                with streams.member(archive, entries[filename], name.name) as stream:
                    yield from _stream(stream, name.name, filename).records
    if not seen:
        raise Unreadable("the archive holds no file of records")


def _folder(path: Path) -> Iterator[Found]:
    """Files of records below a folder, in the order of their names; links that lead out of it are not followed."""
    root = path.resolve()
    below = [one for one in path.rglob("*") if one.is_file() and one.resolve().is_relative_to(root)]
    names = {one.relative_to(path).as_posix(): one for one in below}
    states = {name: names[name].read_bytes() for name in names if _is_state(name)}
    aside = _aside(names, states)
    found = sorted(
        name for name, one in names.items()
        if one.suffix.lower() in READ and one.name not in ASIDE and name not in aside
    )  # fmt: skip
    if not found:
        raise Unreadable(f"{path.name} holds no file of records")
    if len(found) > MEMBERS:
        raise Unreadable(f"{path.name} holds more than {MEMBERS} files")
    for name in found:
        yield from (Found(name, inner.line, inner.value) for inner in held(names[name]).records)


def _is_state(name: str) -> bool:
    return PurePosixPath(name).name == "state.json"


def _aside(names: Collection[str], states: Mapping[str, bytes]) -> set[str]:
    """Arrow files beside a data set that `datasets` saved and that are not its own: what it keeps of earlier work.

    Raises `Unreadable` where one of its own is not there.
    """
    aside: set[str] = set()
    for state, content in states.items():
        folder = PurePosixPath(state).parent
        listed = {(folder / name).as_posix() for name in _data_files(content)}
        if not listed:
            continue
        if missing := listed - set(names):
            raise Unreadable(f"{state} names {min(missing)!r:.80}, which is not there: the data set is not whole")
        aside |= {
            name for name in names
            if PurePosixPath(name).parent == folder and name.endswith(".arrow") and name not in listed
        }  # fmt: skip
    return aside


def _data_files(content: bytes) -> list[str]:
    """The files that a saved data set's state names; none where it is another kind of file."""
    try:
        listed = json.loads(content)["_data_files"]
        return [PurePosixPath(one["filename"]).name for one in listed]
    except (ValueError, RecursionError, KeyError, TypeError):
        return []
