"""A file's bytes as UTF-8, whatever holds them: gzip or not, UTF-8 or UTF-16, with a mark at the start or not.

What is no data is refused here: archives that unpack to far more than they weigh, pickles, web pages.
"""

import codecs
import gzip
import hashlib
import io
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any, cast

from labeling.formats.items import Unreadable

BLOCK = 1 << 16
LARGEST = 64 << 30  # bytes that a file may unpack to
RATIO = 200  # times its own size that a file may unpack to, once that is above FREE
FREE = 64 << 20
UTF8_MARK = b"\xef\xbb\xbf"
ENCODINGS = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
GZIP, ZIP, PARQUET, ARROW = b"\x1f\x8b", b"PK\x03\x04", b"PAR1", b"ARROW1"
BROKEN = (EOFError, gzip.BadGzipFile, zipfile.BadZipFile, zlib.error, NotImplementedError)


def magic(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(512)
    except OSError as error:
        raise Unreadable(f"{path.name} cannot be opened: {error.strerror}") from None


def opened(path: Path, watch: list[IO[bytes]] | None = None) -> io.BufferedReader:
    """`watch` gets the file itself, whose position tells how far the reading is."""
    start = magic(path)
    raw: Any = path.open("rb")
    if watch is not None:
        watch.append(raw)
    if start[:2] == GZIP:
        raw = _Limited(cast(IO[bytes], gzip.GzipFile(fileobj=raw)), path.name, path.stat().st_size)
    return decoded(raw, path.name)


def decoded(raw: Any, name: str) -> io.BufferedReader:
    """The stream without its mark, in UTF-8. Refuses what is no data."""
    stream = raw if hasattr(raw, "peek") else io.BufferedReader(raw, BLOCK)
    try:
        start = stream.peek(512)[:512]
    except BROKEN as error:
        raise Unreadable(f"{name} is not whole: {error}") from None
    if start[:1] == b"\x80" and start[1:2] in b"\x02\x03\x04\x05":
        raise Unreadable(f"{name} is a pickle: those can run code, and are never opened")
    if start.removeprefix(UTF8_MARK).lstrip()[:15].lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        raise Unreadable(f"{name} is a web page, not data")
    if start.startswith(UTF8_MARK):
        stream.read(len(UTF8_MARK))
    elif encoding := ENCODINGS.get(start[:2]):
        stream.read(2)
        return io.BufferedReader(_Recoded(stream, encoding, name), BLOCK)
    return cast(io.BufferedReader, stream)


def member(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, name: str) -> io.BufferedReader:
    """A text file within a zip, which is read where it is."""
    return decoded(unpacked(archive, entry, name), name)


def unpacked(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, name: str) -> Any:
    """Its bytes, up to what a file of its size may unpack to."""
    return _Limited(archive.open(entry), name, entry.compress_size)


def checked(path: Path) -> str:
    """The sha256 of a file, or of a folder's files and their names.

    Reads to the end, so that a gzip that is cut short or a bomb is told before a row is stored.
    """
    digest = hashlib.sha256()
    if path.is_dir():
        for one in sorted(one for one in path.rglob("*") if one.is_file()):
            digest.update(f"{one.relative_to(path).as_posix()} {checked(one)}\n".encode())
        return digest.hexdigest()
    try:
        with path.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
        if magic(path)[:2] == GZIP:
            with opened(path) as unpacked:
                while unpacked.read(1 << 20):
                    pass
    except OSError as error:
        if isinstance(error, gzip.BadGzipFile):
            raise Unreadable(f"{path.name} is not whole: {error}") from None
        raise Unreadable(f"{path.name} cannot be read: {error.strerror}") from None
    except BROKEN as error:
        raise Unreadable(f"{path.name} is not whole: {error}") from None
    return digest.hexdigest()


class _Limited(io.RawIOBase):
    """Counts what comes out of a packed file, and stops a bomb."""

    def __init__(self, stream: IO[bytes], name: str, packed: int) -> None:
        self._stream, self._name = stream, name
        self._most = min(LARGEST, max(FREE, packed * RATIO))
        self._seen = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        block = self._stream.read(len(buffer))
        self._seen += len(block)
        if self._seen > self._most:
            raise Unreadable(f"{self._name} unpacks to more than {self._most} bytes, which no data of its size does")
        buffer[: len(block)] = block
        return len(block)

    def close(self) -> None:
        self._stream.close()
        super().close()


class _Recoded(io.RawIOBase):
    """A stream of another encoding as UTF-8."""

    def __init__(self, stream: Any, encoding: str, name: str) -> None:
        self._stream, self._name = stream, name
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self._held = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._held:
            block = self._stream.read(BLOCK)
            try:
                self._held = self._decoder.decode(block, final=not block).encode()
            except UnicodeError:
                raise Unreadable(f"{self._name} is not the UTF-16 that it begins as") from None
            if not block:
                break
        count = min(len(buffer), len(self._held))
        buffer[:count] = self._held[:count]
        self._held = self._held[count:]
        return count

    def close(self) -> None:
        self._stream.close()
        super().close()
