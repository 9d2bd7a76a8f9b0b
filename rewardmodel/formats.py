"""Rankings out of files of any known format: pairs, trees, ranked lists and our own rows.

The readers are those of the import in the web application, `labeling.formats`, which are pure functions over
files. This module is the only door to them; see docs/decisions/0014.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from contracts import snapshots
from contracts.records import Message, RankedResponse, RankingRecord, RecordError
from contracts.snapshots import content_hash
from labeling.formats import own
from labeling.formats.items import RankingItem, Turn, Unreadable
from labeling.formats.reading import FORMATS, Read, read
from rewardmodel.errors import RewardModelError

NAMES = tuple(FORMATS)


class FormatError(RewardModelError):
    """A file gives no rankings. Says what was found, expected, and the remedy."""


def is_ours(path: Path, format: str) -> bool:
    """Whether the file needs no conversion: a snapshot, or rows of ours."""
    if path.is_dir():
        return True
    try:
        name, _ = read(path, format)
    except Unreadable:
        return False
    return name == own.NAME


def convert(path: Path, format: str, folder: Path) -> tuple[Path, str]:
    """Write a file's rankings as a snapshot below `folder`, once; returns it and a sentence on what was read.

    `format` "" tells it from the first records. Raises `FormatError` for a file that cannot be read or holds
    no ranking, and where `folder` holds the snapshot of another file.
    """
    refused: Counter[str] = Counter()
    try:
        name, rows = read(path, format)
        records = _records(rows, refused)
        fresh, target = folder / f".rankings.{os.getpid()}", folder / "rankings"  # of several processes, each its own
        made = snapshots.write(fresh, kind="rankings", records=records, details={"file": path.name, "format": name})
    except Unreadable as error:
        raise FormatError(
            f"rankings {path}: found a file that cannot be read ({error}), expected one of {', '.join(NAMES)}; "
            "name its format, or convert it"
        ) from error
    said = f"{path.name}: {made.rows} rankings read as {name}, {sum(refused.values())} records refused"
    said += "".join(f"\n  {count}: {reason}" for reason, count in refused.most_common(5))
    if not made.rows:
        shutil.rmtree(fresh)
        raise FormatError(f"{said}; expected at least one ranking; name another --format, or another file")
    try:
        fresh.rename(target)
    except OSError:  # it is there already
        before = snapshots.verify(target)
        shutil.rmtree(fresh)
        if before.sha256 != made.sha256:
            raise FormatError(
                f"{target}: found rankings of another file or format, expected those of {path}; "
                "name another --output, or remove it"
            ) from None
    return target, said


def _records(rows: Iterator[Read], refused: Counter[str]) -> Iterator[RankingRecord]:
    for row in rows:
        items = [item for item in row.items if isinstance(item, RankingItem)]
        if not items:
            refused[row.reason or "ranks nothing"] += 1
        for item in items:
            try:
                yield from of_item(item, line=row.line)
            except RecordError as error:
                refused[str(error)] += 1


def of_item(item: RankingItem, *, line: int) -> Iterator[RankingRecord]:
    """One ranking for each order of an item. Ids come from contents, so the same file gives the same rows."""
    prompt = tuple(_message(turn) for turn in item.messages)
    conversation = content_hash([message.to_json() for message in prompt])
    texts = [[choice.text, choice.source] for choice in item.responses]
    group = content_hash([conversation, texts])
    for number, order in enumerate(item.orders):
        unacceptable = order.unacceptable or (False,) * len(item.responses)
        yield RankingRecord(
            id=f"line {line}" + (f", order {number + 1}" if len(item.orders) > 1 else ""),
            prompt_id=conversation[:16],
            group=group[:16],
            prompt=prompt,
            responses=tuple(
                RankedResponse(
                    id=f"{group[:16]}/{position}", text=choice.text, rank=rank, unacceptable=bad, source=choice.source
                )
                for position, (choice, rank, bad) in enumerate(
                    zip(item.responses, order.ranks, unacceptable, strict=True)
                )
            ),
            split=item.split or "train",
            labeler=order.annotator,
        )


def _message(turn: Turn) -> Message:
    return Message(role=turn.role, content=turn.content, name=turn.name)
