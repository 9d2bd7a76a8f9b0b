"""Records out of files, one at a time: JSONL, a JSON array, one JSON object, or plain lines.

Lines end at \\n only. Python's own text lines would also break at U+2028 and the like within texts.
Tables are in `tables.py`, archives and folders in `archives.py`.
"""

import codecs
import io
import re
from collections.abc import Iterator
from typing import Any, cast

from labeling.formats.items import Refusal, Unreadable
from labeling.formats.streams import BLOCK, BROKEN
from labeling.formats.strict import Decoder

LONGEST = 16 << 20  # bytes a record
WRAPPERS = ("data", "prompts", "records", "rows", "examples", "instances", "train")
Record = tuple[int, Any]  # line number, and the value or a `Refusal`


def records(stream: io.BufferedReader, name: str) -> Iterator[Record]:
    """The stream's JSON values with their line numbers; a broken line is a `Refusal` in its place."""
    try:
        start = stream.peek(1 << 10)[: 1 << 10].lstrip()
        if not start and not _has_more(stream):
            raise Unreadable(f"{name} is empty")
        if start[:1] == b"[":
            yield from _array(stream, name)
        elif start[:1] == b"{":
            yield from _objects(stream)
        else:
            yield from _lines(stream)
    except BROKEN as error:
        raise Unreadable(f"{name} is not whole: {error}") from None


def lines(stream: io.BufferedReader) -> Iterator[Record]:
    """A plain text file's lines that are not blank."""
    number = 0
    while line := stream.readline(LONGEST + 1):
        number += 1
        if len(line) > LONGEST:
            _skip_line(stream, line)
            yield number, Refusal(f"is longer than {LONGEST} bytes")
            continue
        try:
            content = line.decode().strip()
        except UnicodeDecodeError:
            yield number, Refusal("is not UTF-8")
            continue
        if content:
            yield number, content


def _has_more(stream: io.BufferedReader) -> bool:
    while block := stream.read(BLOCK):
        if block.strip():
            raise Unreadable("begins with more white space than data does")
    return False


def _lines(stream: io.BufferedReader, number: int = 0) -> Iterator[Record]:
    decoder = Decoder()
    while line := stream.readline(LONGEST + 1):
        number += 1
        if len(line) > LONGEST:
            _skip_line(stream, line)
            yield number, Refusal(f"is longer than {LONGEST} bytes")
            continue
        if not line.isspace():
            yield number, _value(decoder, line)


def _value(decoder: Decoder, line: bytes) -> Any:
    try:
        value = decoder.decode(line.decode())
    except UnicodeDecodeError:
        return Refusal("is not UTF-8")
    except RecursionError:
        return Refusal("nests too deeply")
    except ValueError as error:
        return Refusal(f"is not JSON: {error}")
    return Refusal(decoder.problem) if decoder.problem else value


def _skip_line(stream: io.BufferedReader, line: bytes) -> None:
    while line and not line.endswith(b"\n"):
        line = stream.readline(BLOCK)


def _objects(stream: io.BufferedReader) -> Iterator[Record]:
    """JSONL, or one object over one or many lines whose records are in a list of it."""
    first = stream.readline(LONGEST + 1)
    decoder = Decoder()
    value = _value(decoder, first) if len(first) <= LONGEST else None
    if isinstance(value, dict) and not _wrapped(value):
        yield 1, value
        yield from _lines(stream, 1)
        return
    # Only what is no JSON by itself may go on in the next lines.
    if isinstance(value, Refusal) and not str(value).startswith("is not JSON"):
        yield 1, value
        yield from _lines(stream, 1)
        return
    whole = first + stream.read(max(0, LONGEST - len(first)) + 1)
    document = _value(decoder, whole) if len(whole) <= LONGEST else None
    if isinstance(document, dict):
        rows = _wrapped(document)
        if rows is None:
            yield 1, document
        else:
            shared = {key: one for key, one in document.items() if isinstance(one, (str, int, float, bool))}
            yield from ((number, {**shared, **row}) for number, row in enumerate(rows, start=1))
        return
    yield from _lines(cast(io.BufferedReader, io.BufferedReader(_Chained(whole, stream))))


def _wrapped(document: dict[str, Any]) -> list[dict[str, Any]] | None:
    """The records of an object that holds all of them; numbers then count records, not lines."""
    if {"instruction", "prompt", "messages", "conversations"} & set(document):
        return None
    for key in WRAPPERS:
        rows = document.get(key)
        if isinstance(rows, list) and rows and all(isinstance(row, dict) for row in rows):
            return rows
    return None


class _Chained(io.RawIOBase):
    """What was read already, and then the stream."""

    def __init__(self, held: bytes, stream: io.BufferedReader) -> None:
        self._held, self._stream = memoryview(held), stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._held:
            return self._stream.readinto(buffer)
        count = min(len(buffer), len(self._held))
        buffer[:count] = self._held[:count]
        self._held = self._held[count:]
        return count


def _array(stream: io.BufferedReader, name: str) -> Iterator[Record]:
    """Elements of one big array, without holding all of it."""
    decoder, text, line, position = Decoder(), _Text(name, stream), 1, 0
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
                raise Unreadable(f"{name} ends before its array does (line {line})")
        if text.held[position] == "]":
            if text.held[position + 1 :].strip() or text.rest().strip():
                raise Unreadable(f"{name} goes on after its array (line {line})")
            return
        try:
            value, end = decoder.raw_decode(text.held, position)
            # A number at the very end of what is held may go on in the next block.
            if end == len(text.held) and text.more():
                continue
        except ValueError as error:
            if len(text.held) - position > LONGEST or not text.more():
                raise Unreadable(f"{name} is not JSON (line {line}): {error}") from None
            continue
        except RecursionError:
            value, end = Refusal("nests too deeply"), _end(text, position)
        yield line, Refusal(decoder.problem) if decoder.problem else value
        line += text.held.count("\n", position, end)
        position = text.forget(end)


_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.S)


def _end(text: "_Text", start: int) -> int:
    """Where the element at `start` ends, found by its brackets alone."""
    while True:
        depth = 0
        for token in _TOKEN.finditer(text.held, start):
            depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(token.group(), 0)
            if depth == 0:
                return token.end()
        if len(text.held) - start > LONGEST or not text.more():
            raise Unreadable(f"{text.name} nests too deeply, and its end cannot be found")


class _Text:
    """Decoded text of a stream, read in blocks that grow with what is held, so that retrying stays linear."""

    def __init__(self, name: str, stream: io.BufferedReader) -> None:
        self.held = ""
        self.name, self._stream = name, stream
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def more(self) -> bool:
        block = self._stream.read(max(BLOCK, len(self.held)))
        try:
            self.held += self._decoder.decode(block, final=not block)
        except UnicodeDecodeError:
            raise Unreadable(f"{self.name} is not UTF-8") from None
        return bool(block)

    def rest(self) -> str:
        """What follows, up to one block."""
        return self._stream.read(BLOCK).decode("utf-8", "replace")

    def forget(self, end: int) -> int:
        """Drop what was read before `end`, now and then; returns where to go on."""
        if end < BLOCK:
            return end
        self.held = self.held[end:]
        return 0
