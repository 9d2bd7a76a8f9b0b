"""Records as batches of prepared items, with a report of what was refused. Pure: another process may do this part."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from labeling.formats.items import Conversation, DocumentItem, Refusal
from labeling.formats.reading import Read
from labeling.services import preparing
from labeling.services.preparing import Prepared

BATCH = 10_000  # items a transaction; while it lasts, some 0.4 s, nobody else writes to SQLite
BATCH_BYTES = 4 << 20
LISTED = 1000  # refused records that are listed one by one; more are only counted
REASONS = 100  # different reasons that are counted each by itself


@dataclass(kw_only=True)
class Report:
    """`stored` and `duplicates` count items of every kind, `refused` counts records."""

    format: str
    stored: int = 0
    duplicates: int = 0
    refused: int = 0
    records: int = 0  # read, whatever became of them
    prompts: int = 0
    demonstrations: int = 0
    rankings: int = 0
    judgments: int = 0
    responses: int = 0  # that nobody has ranked
    documents: int = 0  # of a corpus
    tasks: int = 0  # opened
    cleaned: dict[str, int] = field(default_factory=dict)  # what each step of cleaning found
    reasons: dict[str, int] = field(default_factory=dict)  # refused records by reason
    refusals: list[dict[str, Any]] = field(default_factory=list)  # the first ones: file, line, record, reason

    def refuse(self, file: str, line: int, reason: str, record: int = 0) -> None:
        """`record` is the place of the record in the file; 0: the one that is being read."""
        self.refused += 1
        kind = reason.partition(":")[0][:80]
        kind = kind if kind in self.reasons or len(self.reasons) < REASONS else "other reasons"
        self.reasons[kind] = self.reasons.get(kind, 0) + 1
        if len(self.refusals) < LISTED:
            self.refusals.append(
                {"file": file[:200], "line": line, "record": record or self.records, "reason": reason[:300]}
            )


# The item as it is to be stored; why it is refused; or None where it is left out.
Keep = Callable[[Conversation, Report], Conversation | str | None]


def whole(item: Conversation, report: Report) -> Conversation:  # noqa: ARG001
    """Keeps everything."""
    return item


def batches(records: Iterable[Read], keep: Keep, format: str, name: str, report: Report) -> Iterator[list[Prepared]]:
    """Prepared items of whole records. The report has counted the records and refusals of each batch by then."""
    batch: list[Prepared] = []
    size = 0
    for record in records:
        report.records += 1
        reason = record.reason
        rows: list[Prepared] = []
        if not reason:
            try:
                rows = list(_prepared(record, keep, format, report))
            except Refusal as refusal:
                reason = str(refusal)
        if reason:
            report.refuse(f"{name}:{record.file}" if record.file else name, record.line, reason)
            continue
        for one in rows:
            one.line, one.file = record.line, record.file
            size += one.size
        batch += rows
        if len(batch) >= BATCH or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    yield batch


def _prepared(
    record: Read, keep: Keep, format: str, report: Report
) -> Iterator[Prepared]:  # fmt: skip
    for item in record.items:
        if isinstance(item, DocumentItem):
            raise Refusal("is a text to pretrain on; name the format corpus")
        kept = keep(item, report)
        if isinstance(kept, str):
            raise Refusal(kept)
        if kept is not None:
            yield preparing.prepare(kept, format)
