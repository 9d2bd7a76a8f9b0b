"""Records out of files, one at a time: JSONL, a JSON array, or plain lines; gzip or not.

Lines end at \\n only. Python's own text lines would also break at U+2028 and the like within texts.
"""

import codecs
import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from labeling.formats.items import Refusal, Unreadable

BLOCK = 1 << 16
LONGEST = 64 << 20  # bytes a record
Record = tuple[int, Any]  # line number, and the value or a `Refusal`


def records(path: Path) -> Iterator[Record]:
    """The file's JSON values with their line numbers; a broken line is a `Refusal` in its place."""
    with opened(path) as stream:
        try:
            start = stream.peek(1 << 10)[: 1 << 10].removeprefix(b"\xef\xbb\xbf").lstrip()  # type: ignore[attr-defined]
            if not start:
                raise Unreadable(f"{path.name} is empty")
            if start[:1] == b"[":
                yield from _array(path, stream)
            else:
                yield from _lines(stream)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise Unreadable(f"{path.name} is not whole: {error}") from None


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """A plain text file's lines that are not blank."""
    with opened(path) as stream:
        for number, line in enumerate(stream, start=1):
            try:
                content = line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
            except UnicodeDecodeError:
                raise Unreadable(f"{path.name} is not UTF-8 text (line {number})") from None
            if content:
                yield number, content


def opened(path: Path) -> IO[bytes]:
    try:
        with path.open("rb") as stream:
            magic = stream.read(2)
        return gzip.open(path, "rb") if magic == b"\x1f\x8b" else path.open("rb")  # type: ignore[return-value]
    except OSError as error:
        raise Unreadable(f"{path.name} cannot be opened: {error.strerror}") from None


def _lines(stream: IO[bytes]) -> Iterator[Record]:
    number = 0
    while line := stream.readline(LONGEST + 1):
        number += 1
        if len(line) > LONGEST:
            raise Unreadable(f"line {number} is longer than {LONGEST} bytes")
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        if not line.strip():
            continue
        try:
            yield number, json.loads(line.decode())
        except UnicodeDecodeError:
            yield number, Refusal("is not UTF-8")
        except (ValueError, RecursionError) as error:
            yield number, Refusal(f"is not JSON: {error}")


def _array(path: Path, stream: IO[bytes]) -> Iterator[Record]:
    """Elements of one big array, without holding all of it."""
    decoder, text, line, position = json.JSONDecoder(), _Text(path, stream), 1, 0
    text.more()
    position = text.held.index("[") + 1
    line += text.held.count("\n", 0, position)
    while True:
        while position >= len(text.held) or text.held[position] in " \t\r\n,":
            if position < len(text.held):
                line += text.held[position] == "\n"
                position += 1
                continue
            if not text.more():
                raise Unreadable(f"{path.name} ends before its array does (line {line})")
        if text.held[position] == "]":
            return
        try:
            value, end = decoder.raw_decode(text.held, position)
            # A number at the very end of what is held may go on in the next block.
            if end == len(text.held) and text.more():
                continue
        except ValueError as error:
            if len(text.held) - position > LONGEST or not text.more():
                raise Unreadable(f"{path.name} is not JSON (line {line}): {error}") from None
            continue
        except RecursionError:
            raise Unreadable(f"{path.name} nests too deeply (line {line})") from None
        yield line, value
        line += text.held.count("\n", position, end)
        position = text.forget(end)


class _Text:
    """Decoded text of a stream, read in blocks that grow with what is held, so that retrying stays linear."""

    def __init__(self, path: Path, stream: IO[bytes]) -> None:
        self.held = ""
        self._path, self._stream = path, stream
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()

    def more(self) -> bool:
        block = self._stream.read(max(BLOCK, len(self.held)))
        try:
            self.held += self._decoder.decode(block, final=not block)
        except UnicodeDecodeError:
            raise Unreadable(f"{self._path.name} is not UTF-8") from None
        return bool(block)

    def forget(self, end: int) -> int:
        """Drop what was read before `end`, now and then; returns where to go on."""
        if end < BLOCK:
            return end
        self.held = self.held[end:]
        return 0
