"""A folder as a zip file that is made while it is sent: nothing is written to disk, memory holds one block."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

BLOCK = 1 << 20
EPOCH = (1980, 1, 1, 0, 0, 0)  # the first date a zip can hold: the same folder gives the same bytes


def stream(folder: Path, *, name: str) -> Iterator[bytes]:
    """The bytes of a zip with every file of `folder` below a folder `name`; stored, since weights do not shrink."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(f"{name}/{path.relative_to(folder).as_posix()}", date_time=EPOCH)
            entry.external_attr = 0o644 << 16
            with path.open("rb") as source, archive.open(entry, "w", force_zip64=True) as target:
                while block := source.read(BLOCK):
                    target.write(block)
                    yield sink.take()
            yield sink.take()
    yield sink.take()


class _Sink(io.RawIOBase):
    """What zipfile writes to: it cannot be rewound, and what was written can be taken away."""

    def __init__(self) -> None:
        self._held = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self._held += data
        return len(data)

    def take(self) -> bytes:
        taken = bytes(self._held)
        self._held.clear()
        return taken
