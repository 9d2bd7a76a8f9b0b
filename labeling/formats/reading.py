"""A file's items, whatever its format: named, or told from its first record."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from types import ModuleType

from labeling.formats import alpaca, chat, files, hh, oasst, own, pairs, pandalm, prompts, ranked
from labeling.formats.items import Item, Refusal, Unreadable

# The first that matches wins, so the more particular ones come first.
FORMATS: dict[str, ModuleType] = {
    module.NAME: module for module in (own, oasst, hh, pandalm, ranked, pairs, chat, alpaca, prompts)
}
LOOK_AT = 20  # records at the start from which a format is told


@dataclass(frozen=True)
class Read:
    """One record of a file: its items, or why it is refused."""

    line: int
    items: tuple[Item, ...]
    reason: str = ""


def read(path: Path, format: str = "") -> tuple[str, Iterator[Read]]:
    """The format's name and the file's records. Raises `Unreadable` for a file that is of no format."""
    if format and format not in FORMATS:
        raise Unreadable(f"{format} is not a format; known are {', '.join(FORMATS)}")
    if format == prompts.NAME and not _is_json(path):
        return format, (_read(prompts, line, content) for line, content in files.lines(path))
    records = files.records(path)
    first = list(islice(records, LOOK_AT))
    name = format or _told(first)
    if not name:
        raise Unreadable(f"{path.name} is of no format that is known; these are: {', '.join(FORMATS)}")
    return name, (_read(FORMATS[name], line, value) for line, value in chain(first, records))


def _read(module: ModuleType, line: int, value: object) -> Read:
    if isinstance(value, Refusal):
        return Read(line, (), str(value))
    try:
        if not isinstance(value, dict) and not (module is prompts and isinstance(value, str)):
            raise Refusal(f"must be an object; found {type(value).__name__}")
        return Read(line, tuple(module.read(value)))
    except Refusal as error:
        return Read(line, (), str(error))


def _told(first: list[files.Record]) -> str:
    values = [value for _, value in first if not isinstance(value, Refusal)]
    for name, module in FORMATS.items():
        if any(module.matches(value) for value in values):
            return name
    return ""


def _is_json(path: Path) -> bool:
    with files.opened(path) as stream:
        return stream.read(1 << 10).removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"[", b"{", b'"')
