"""Reads and prepares a large file in a process of its own, while this one writes to the database.

`python -m labeling.services.ahead` loads no Django. It sends batches as length-prefixed `marshal` blocks, which cost a
fifth of what pickles do; both ends are the same program. It ends when its reader does: the pipe breaks.
"""

import json
import marshal
import struct
import subprocess
import sys
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import IO, Any

from labeling.formats import reading
from labeling.formats.items import (
    Choice,
    DemonstrationItem,
    JudgmentItem,
    PromptItem,
    RankingItem,
    ResponsesItem,
    Unreadable,
)  # fmt: skip
from labeling.services import batches as batching
from labeling.services.batches import Report
from labeling.services.preparing import Order, Prepared

LARGE = 4 << 20  # bytes from which a second process is worth its start
KINDS = (PromptItem, DemonstrationItem, RankingItem, JudgmentItem, ResponsesItem)
ROOT = Path(__file__).resolve().parent.parent.parent


def is_worth_it(path: Path) -> bool:
    return path.is_file() and path.stat().st_size >= LARGE


def batches(
    path: Path, mapping: Mapping[str, str], format: str, name: str, report: Report
) -> Iterator[tuple[list[Prepared], float]]:
    """Batches with the share of the file that is read by then; the report goes on as if they were read here."""
    asked = {"path": str(path), "mapping": dict(mapping), "format": format, "name": name, "skip": report.records}
    command = [sys.executable, "-m", __name__, json.dumps(asked)]
    child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    assert child.stdout is not None
    try:
        while True:
            told = _receive(child.stdout)
            if told is None:
                raise RuntimeError(f"The process that reads {name} ended with status {child.wait()}.")
            if told["error"]:
                raise Unreadable(told["error"])
            if told["end"]:
                return
            report.records = told["records"]
            for file, line, record, reason in told["refused"]:
                report.refuse(file, line, reason, record=record)
            yield [_unpacked(row) for row in told["rows"]], told["share"]
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


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
            _send(out, rows=[_packed(row) for row in batch], refused=refused, records=report.records, share=share)
            refused.clear()
        _send(out, end=True)
    except Unreadable as error:
        _send(out, error=str(error))


def _packed(row: Prepared) -> tuple[Any, ...]:
    return (
        KINDS.index(row.kind), row.prompt_key, row.messages, row.split, row.meta, row.answer_key, row.origin, row.reply,
        row.good, row.set_key, [(one.text, one.source) for one in row.responses],
        [(one.key, one.ranks, one.unacceptable, one.origin) for one in row.orders],
        row.sampling, row.size, row.line, row.file,
    )  # fmt: skip


def _unpacked(row: tuple[Any, ...]) -> Prepared:
    kind, key, messages, split, meta, answer, origin, reply, good, set_key = row[:10]
    responses, orders, sampling, size, line, file = row[10:]
    return Prepared(
        KINDS[kind], key, messages, split, meta, answer, origin, reply, good, set_key,
        [Choice(text=text, source=source) for text, source in responses],
        [Order(*one) for one in orders], sampling, size, line, file,
    )  # fmt: skip


def _send(out: IO[bytes], **told: Any) -> None:
    block = marshal.dumps({"error": "", "end": False, **told})
    out.write(struct.pack(">Q", len(block)))
    out.write(block)
    out.flush()


def _receive(stream: IO[bytes]) -> dict[str, Any] | None:
    head = stream.read(8)
    if len(head) < 8:
        return None
    found: dict[str, Any] = marshal.loads(stream.read(struct.unpack(">Q", head)[0]))
    return found


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), sys.stdout.buffer)
