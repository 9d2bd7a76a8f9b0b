"""Reads, prepares and stages a large file in a process of its own, while this one writes to the database.

`python -m labeling.services.ahead` loads no Django. It sends staged batches in length-prefixed `marshal` blocks; both
ends are the same program. It is a few batches ahead at most, because the pipe is full then, and ends when its reader
does: the pipe breaks.
"""

import gc
import json
import marshal
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from itertools import islice
from pathlib import Path
from queue import Empty, Queue
from typing import IO, Any

from labeling.formats import reading
from labeling.formats.items import Unreadable
from labeling.services import batches as batching
from labeling.services import staging
from labeling.services.batches import Report
from labeling.services.staging import Staged

LARGE = 4 << 20  # bytes from which a second process is worth its start
AHEAD = 2  # batches that wait to be stored
WAIT = 5.0  # seconds between signs of life while none comes
ROOT = Path(__file__).resolve().parent.parent.parent


def is_worth_it(path: Path) -> bool:
    return path.is_file() and path.stat().st_size >= LARGE


def batches(
    path: Path, mapping: Mapping[str, str], format: str, name: str, report: Report, heldout_share: float,
    alive: Callable[[], None],
) -> Iterator[tuple[Staged, float]]:  # fmt: skip
    """Batches with the share of the file that is read by then; the report goes on as if they were read here.

    `alive` is called while none comes: going through what an earlier attempt has stored takes its time.
    """
    asked = {"path": str(path), "mapping": dict(mapping), "format": format, "name": name, "skip": report.records,
             "heldout_share": heldout_share}  # fmt: skip
    command = [sys.executable, "-m", __name__, json.dumps(asked)]
    child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    assert child.stdout is not None
    read: Queue[dict[str, Any] | None] = Queue(AHEAD)
    stop = threading.Event()
    reader = threading.Thread(target=_fill, args=(read, child.stdout, stop), daemon=True)
    reader.start()
    try:
        while True:
            try:
                told = read.get(timeout=WAIT)
            except Empty:
                alive()
                continue
            if told is None:
                raise Unreadable(
                    f"the process that read {name} ended with status {child.wait()}; where memory was short, give it"
                    " more, and import the file again: what is stored will be known"
                )
            if told["error"]:
                raise Unreadable(told["error"])
            if told["end"]:
                return
            report.records = told["records"]
            for file, line, record, reason in told["refused"]:
                report.refuse(file, line, reason, record=record)
            yield Staged(told["block"], told["given"]), told["share"]
    finally:
        stop.set()
        child.kill()
        child.wait()
        with suppress(Empty):
            read.get_nowait()  # for a reader that waits for room
        reader.join()
        child.stdout.close()


def _fill(read: "Queue[dict[str, Any] | None]", stream: IO[bytes], stop: threading.Event) -> None:
    """What the other process sends, until it ends: a thread waits for it, so that the pipe is never full for long."""
    while not stop.is_set():
        told = _receive(stream)
        read.put(told)
        if told is None:
            return


def main(asked: dict[str, Any], out: IO[bytes]) -> None:
    """The other side."""
    path, refused = Path(asked["path"]), []

    class Told(Report):
        def refuse(self, file: str, line: int, reason: str, record: int = 0) -> None:  # noqa: ARG002
            refused.append((file, line, self.records, reason))

    report = Told(format=asked["format"], records=asked["skip"])
    watch: list[IO[bytes]] = []
    try:
        _, records = reading.read(path, asked["format"], asked["mapping"], watch)
        if sum(1 for _ in islice(records, asked["skip"])) < asked["skip"]:
            raise Unreadable(f"{asked['name']} is shorter than it was when this import began")
        for batch in batching.batches(records, batching.whole, asked["format"], asked["name"], report):
            share = min(1.0, watch[0].tell() / max(1, path.stat().st_size)) if watch and not watch[0].closed else 0.0
            staged = staging.stage(batch, heldout_share=asked["heldout_share"], format=asked["format"])
            told = {"block": staged.block, "given": staged.given, "refused": refused, "records": report.records}
            _send(out, **told, share=share)
            refused.clear()
        _send(out, end=True)
    except Unreadable as error:
        _send(out, error=str(error))


def _send(out: IO[bytes], **told: Any) -> None:
    block = marshal.dumps({"error": "", "end": False, **told})
    out.write(struct.pack(">Q", len(block)))
    out.write(block)
    out.flush()


def _receive(stream: IO[bytes]) -> dict[str, Any] | None:
    """None where the other process ended, in the middle of a block or not."""
    head = stream.read(8)
    size = struct.unpack(">Q", head)[0] if len(head) == 8 else 0
    block = stream.read(size)
    return marshal.loads(block) if size and len(block) == size else None


if __name__ == "__main__":
    gc.disable()  # Records are trees: what counts references frees them, and looking for cycles costs a tenth.
    main(json.loads(sys.argv[1]), sys.stdout.buffer)
