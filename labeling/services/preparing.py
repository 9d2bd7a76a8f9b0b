"""Items as the rows and keys that they become, before any database is asked. Pure and fast.

Every key is the sha256 of canonical JSON, the same as `contracts.snapshots.content_hash` gives.
"""

import hashlib
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from labeling.formats import own
from labeling.formats.items import (
    Choice,
    Conversation,
    DemonstrationItem,
    JudgmentItem,
    PromptItem,
    RankingItem,
    Refusal,
    ResponsesItem,
)
from labeling.services.text import is_storable_json

MOST = 2_000_000  # bytes of JSON that one conversation may have
NO_META = "{}"
BLOCK = 1_000  # identities that are drawn at once


@dataclass(slots=True)
class Order:
    key: str
    ranks: Sequence[int | None]
    unacceptable: Sequence[bool]
    origin: str


@dataclass(slots=True)
class Prepared:
    """One item. The prompt's part is there for each kind; the others are empty where they do not belong to it."""

    kind: type[Conversation]
    prompt_key: str
    messages: str
    split: str | None
    meta: str = NO_META
    answer_key: str = ""  # of a demonstration or judgment
    origin: str = ""
    reply: str = ""
    good: bool = False
    set_key: str = ""
    responses: Sequence[Choice] = ()
    orders: list[Order] = field(default_factory=list)
    sampling: str = ""  # empty: the format's
    size: int = 0  # bytes of JSON
    line: int = 0
    file: str = ""  # the member of an archive or folder


def canonical(value: Any) -> bytes:
    """Canonical JSON, by which keys are made; refuses what no database stores."""
    try:
        found = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except (TypeError, ValueError) as error:  # half a surrogate pair, a number beyond 64 bits, a nest too deep
        raise Refusal(_why(error)) from None
    if b"\\u0000" in found and not is_storable_json(orjson.loads(found)):
        raise Refusal("contains a NUL or half a surrogate pair")
    return found


def key(value: Any) -> str:
    return hashlib.sha256(canonical(value)).hexdigest()


def prepare(item: Conversation, format: str) -> Prepared:
    """Raises `Refusal` for an item that cannot be stored."""
    messages = canonical(item.messages)
    row = Prepared(type(item), hashlib.sha256(messages).hexdigest(), messages.decode(), item.split)
    row.size = len(messages)
    if isinstance(item, PromptItem | DemonstrationItem | ResponsesItem) and item.meta:
        row.meta = canonical(item.meta).decode()
        row.size += len(row.meta)
    if isinstance(item, DemonstrationItem):
        _demonstration(row, item, format)
    elif isinstance(item, RankingItem):
        _ranking(row, item, format)
    elif isinstance(item, ResponsesItem):
        _responses(row, item.responses)
    elif isinstance(item, JudgmentItem):
        _responses(row, [item.response])
        row.origin = origin(format, item.annotator)
        row.good = item.good
        row.answer_key = key({"set": row.set_key, "good": item.good, "annotator": item.annotator})
    if row.size > MOST:
        raise Refusal(f"is longer than {MOST} bytes")
    return row


def _demonstration(row: Prepared, item: DemonstrationItem, format: str) -> None:
    reply = [turn.to_json() for turn in item.reply]
    row.reply = canonical(item.reply).decode()
    row.size += len(row.reply)
    row.answer_key = key({"prompt": row.prompt_key, "reply": reply, "annotator": item.annotator})
    row.origin = origin(format, item.annotator)


def _ranking(row: Prepared, item: RankingItem, format: str) -> None:
    _responses(row, item.responses)
    row.sampling = canonical(item.sampling).decode() if item.sampling else ""
    for order in item.orders:
        plain = {
            "set": row.set_key, "ranks": order.ranks, "unacceptable": order.unacceptable, "annotator": order.annotator
        }  # fmt: skip
        row.orders.append(
            Order(key(plain), order.ranks, order.unacceptable, origin(format, order.annotator))
        )  # fmt: skip


def _responses(row: Prepared, responses: Sequence[Choice]) -> None:
    listed = [(one.text, one.source) for one in responses]
    block = canonical({"imported": row.prompt_key, "responses": listed})
    row.set_key = hashlib.sha256(block).hexdigest()
    row.responses = responses
    row.size += len(block)


def origin(format: str, annotator: str) -> str:
    """Our own records name the annotator in full already, whoever that was."""
    parts = [annotator] if format == own.NAME and annotator else [format, annotator]
    return ":".join(part for part in parts if part)[:120]


def split_of(prompt_key: str, heldout_share: float) -> str:
    """By the content, not by chance: the same prompt lands in the same split in every import."""
    place = int(hashlib.sha256(f'"split:{prompt_key}"'.encode()).hexdigest()[:13], 16) / 16**13
    return "heldout" if place < heldout_share else "train"


def identities() -> Iterator[str]:
    """UUIDs of version 7 without end: their time comes first, so that an index of them grows at its end."""
    while True:
        start = f"{time.time_ns() // 1_000_000:012x}7"
        digits = os.urandom(9 * BLOCK).hex()
        for at in range(0, len(digits), 18):
            yield f"{start}{digits[at : at + 3]}8{digits[at + 3 : at + 18]}"


def _why(error: Exception) -> str:
    sentence = str(error)
    if "surrogate" in sentence or "UTF-8" in sentence:
        return "contains a NUL or half a surrogate pair"
    if "64-bit" in sentence or "Integer" in sentence:
        return "contains a number beyond 64 bits"
    if "ecursion" in sentence:
        return "nests too deeply"
    return f"cannot be stored: {sentence}"
