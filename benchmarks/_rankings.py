"""Public rankings for benchmarks, read where they lie: ../shared/data. Nothing of them is kept in the project.

The readers are those of the imports, so what a benchmark trains on is what an import would store.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

from benchmarks._worlds import ROOT
from contracts.records import Message, RankedResponse, RankingRecord
from contracts.snapshots import content_hash
from labeling.formats import reading
from labeling.formats.items import RankingItem, Turn

DATA = Path(os.environ.get("DATA", ROOT.parent / "shared" / "data"))
FILES = {
    "hh": "hh/harmless-base-test.part1.jsonl.gz",
    "oasst": "oasst/en_100_tree.jsonl",
    "pandalm": "pandalm/testset-v1.json",
    "alpaca_eval": "alpaca_eval/rankings.jsonl",
}
# Texts without any preference, for a base model.
TEXTS = ("alpaca/alpaca_3000.json", "gpteacher/codegen-instruct.json", "gpteacher/roleplay-instruct.json")


def check() -> None:
    """End the program with one sentence where the data is not there."""
    missing = [name for name in (*FILES.values(), *TEXTS) if not (DATA / name).is_file()]
    if missing:
        raise SystemExit(
            f"{DATA}: found no {', no '.join(missing)}; this benchmark reads public rankings from that folder, "
            "which is no part of the project: put them there, or name another folder with DATA=…"
        )


def records(name: str) -> Iterator[RankingRecord]:
    """One record for each annotator's order of each set of responses."""
    _, rows = reading.read(DATA / FILES[name])
    items = (item for row in rows for item in row.items if isinstance(item, RankingItem))
    for number, item in enumerate(items):
        prompt = tuple(_message(turn) for turn in item.messages)
        for annotator, order in enumerate(item.orders):
            responses = tuple(
                RankedResponse(id=str(place), text=choice.text, rank=rank, source=choice.source)
                for place, (choice, rank) in enumerate(zip(item.responses, order.ranks, strict=True))
            )
            yield RankingRecord(
                id=f"{name}/{number}/{annotator}",
                prompt_id=content_hash([message.to_json() for message in prompt]),
                group=f"{name}/{number}",
                prompt=prompt,
                responses=responses,
                labeler=order.annotator,
            )


def corpus() -> str:
    """Conversations with a blank line between them, in the marks that pretraining reads."""
    return "\n\n".join(filter(None, map(_conversation, _demonstrations()))) + "\n"


def _demonstrations() -> Iterator[tuple[str, str]]:
    for name in TEXTS:
        for row in json.loads((DATA / name).read_text(encoding="utf-8")):
            reply = row.get("output") or row.get("response") or ""
            yield f"{row['instruction']}\n{row.get('input') or ''}".strip(), str(reply).strip()


def _conversation(turns: tuple[str, str]) -> str:
    asked, reply = (" ".join(turn.split("\n\n")) for turn in turns)
    return f"<|im_start|>user\n{asked}<|im_end|>\n<|im_start|>assistant\n{reply}<|im_end|>" if reply else ""


def _message(turn: Turn) -> Message:
    return Message(role=turn.role, content=turn.content, name=turn.name)
