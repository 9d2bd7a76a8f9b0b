"""A file's items, whatever its format: named, or told from its first records."""

import codecs
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from types import ModuleType
from typing import IO, Any

from labeling.formats import (
    alpaca,
    archives,
    chat,
    corpus,
    corrects,
    dolly,
    flat,
    hh,
    judged,
    kto,
    oasst,
    own,
    pairs,
    pandalm,
    prompts,
    questions,
    ranked,
    responses,
    self_instruct,
    streams,
)  # fmt: skip
from labeling.formats.archives import Found
from labeling.formats.items import DocumentItem, Item, Refusal, Unreadable

# The first that matches wins, so the more particular ones come first.
FORMATS: dict[str, ModuleType] = {
    module.NAME: module
    for module in (
        own, oasst, flat, hh, pandalm, ranked, corrects, judged, pairs, kto, responses, chat, self_instruct, dolly,
        questions, alpaca, prompts, corpus,
    )
}  # fmt: skip
LOOK_AT = 20  # records at the start from which a format is told


@dataclass(frozen=True, slots=True)
class Read:
    """One record of a file: its items, or why it is refused."""

    line: int
    items: tuple[Item, ...]
    reason: str = ""
    file: str = ""  # the member of an archive or folder


@dataclass(frozen=True, slots=True)
class Look:
    """The start of a file, for a person who decides how it is to be read."""

    format: str  # empty: none is told
    fields: list[str]
    records: list[dict[str, Any]]  # line, value or reason, and the items that it gives


def read(
    path: Path, format: str = "", mapping: Mapping[str, str] | None = None, watch: list[IO[bytes]] | None = None
) -> tuple[str, Iterator[Read]]:
    """The format's name and the file's records. Raises `Unreadable` for a file that is of no format.

    `mapping` renames a record's fields before it is read: {"the file's name": "the format's name"}.
    `watch` gets the file itself, whose position tells how far the reading is.
    """
    if format and format not in FORMATS:
        raise Unreadable(f"{format} is not a format; known are {', '.join(FORMATS)}")
    held = archives.held(path, watch)
    records = _mapped(held.records, mapping or {})
    first = list(islice(records, LOOK_AT))
    name = format or (_plain(first) if held.plain else _told(first))
    if not name:
        raise Unreadable(f"{path.name} is of no format that is known; these are: {', '.join(FORMATS)}")
    module, found = FORMATS[name], chain(first, records)
    if module is flat:
        return name, _trees(found)
    if held.plain and module is corpus:
        return name, _blocks(path)
    return name, (_read(module, one) for one in found)


def look(path: Path, format: str = "", mapping: Mapping[str, str] | None = None, most: int = LOOK_AT) -> Look:
    """The first records and what they would become. Raises `Unreadable`, but not for an unknown format."""
    held = archives.held(path)
    values = list(islice(held.records, most))
    fields = dict.fromkeys(key for one in values if isinstance(one.value, dict) for key in one.value)
    mapped = list(_mapped(iter(values), mapping or {}))
    name = format or (_plain(mapped) if held.plain else _told(mapped))
    shown = []
    for raw, one in zip(values, mapped, strict=True):
        row: dict[str, Any] = {"file": one.file, "line": one.line, "reason": "", "items": []}
        row["value"] = None if isinstance(raw.value, Refusal) else raw.value
        if name and FORMATS[name] is not flat:
            result = _read(FORMATS[name], one)
            row |= {"reason": result.reason, "items": list(result.items)}
        elif isinstance(raw.value, Refusal):
            row["reason"] = str(raw.value)
        shown.append(row)
    return Look(name, list(fields), shown)


def _mapped(records: Iterator[Found], mapping: Mapping[str, str]) -> Iterator[Found]:
    if not mapping:
        return records
    return (
        Found(one.file, one.line, {mapping.get(key, key): value for key, value in one.value.items()})
        if isinstance(one.value, dict)
        else one
        for one in records
    )


def _read(module: ModuleType, found: Found) -> Read:
    value = found.value
    if isinstance(value, Refusal):
        return Read(found.line, (), str(value), found.file)
    try:
        if not isinstance(value, dict) and not (module in (prompts, corpus) and isinstance(value, str)):
            raise Refusal(f"must be an object; found {type(value).__name__}")
        return Read(found.line, tuple(module.read(value)), "", found.file)
    except Refusal as error:
        return Read(found.line, (), str(error), found.file)


def _trees(found: Iterable[Found]) -> Iterator[Read]:
    places = (((one.file, one.line), one.value) for one in found)
    for (file, line), items in flat.read_all(places):
        yield Read(line, (), str(items), file) if isinstance(items, Refusal) else Read(line, items, "", file)


def _told(first: list[Found]) -> str:
    values = [one.value for one in first if not isinstance(one.value, Refusal)]
    for name, module in FORMATS.items():
        if any(module.matches(value) for value in values):
            return name
    return ""


def _plain(first: list[Found]) -> str:
    """Paragraphs with blank lines between them are a text; lines without gaps are one prompt each."""
    lines = [one.line for one in first]
    if not lines:
        return ""
    return corpus.NAME if lines[-1] - lines[0] + 1 > len(lines) else prompts.NAME


def _blocks(path: Path) -> Iterator[Read]:
    """A text as it is, in pieces: line by line would lose its blank lines."""
    decoder, line = codecs.getincrementaldecoder("utf-8")(), 1
    with streams.opened(path) as stream:
        while block := stream.read(streams.BLOCK):
            try:
                text = decoder.decode(block)
            except UnicodeDecodeError:
                raise Unreadable(f"{path.name} is not UTF-8 text (after line {line})") from None
            yield Read(line, (DocumentItem(text=text, goes_on=True),))
            line += text.count("\n")
