"""A batch of prepared items as the tables of a small SQLite database, each content once. Pure: another process does it.

The database that keeps the rows takes them from there by a few statements (`import_rows`), at a third of the cost of
rows that are handed over one by one. Rows name each other by `n`, their place in their table; `id` is the key that the
writer gives them.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain

from labeling.formats.items import DemonstrationItem, JudgmentItem, PromptItem, RankingItem, ResponsesItem
from labeling.services import preparing
from labeling.services.preparing import Order, Prepared

_HEAD = {"n": "bigint", "id": "bigint", "new": "integer", "uuid": "uuid", "key": "text"}
# table -> column -> its type on PostgreSQL; SQLite needs none
TABLES: dict[str, dict[str, str]] = {
    "staged_prompt": {**_HEAD, "messages": "jsonb", "split": "text", "meta": "jsonb", "bare": "integer",
                      "waits": "integer"},
    "staged_set": {**_HEAD, "prompt": "bigint", "sampling": "jsonb", "unranked": "integer"},
    "staged_response": {"n": "bigint", "id": "bigint", "uuid": "uuid", "place": "integer", "grp": "bigint",
                        "source": "bigint", "text": "text"},
    "staged_source": {"n": "bigint", "id": "bigint", "name": "text"},
    "staged_answer": {**_HEAD, "kind": "text", "prompt": "bigint", "grp": "bigint", "origin": "text"},
    "staged_reply": {"answer": "bigint", "reply": "jsonb"},
    "staged_rank": {"answer": "bigint", "response": "bigint", "rank": "integer", "unacceptable": "boolean"},
    "staged_judgment": {**_HEAD, "prompt": "bigint", "response": "bigint", "good": "boolean", "origin": "text"},
}  # fmt: skip
# What the writer fills in. Until then `id` is as long as any key, so that no row has to move for its own.
LATER = {"id": 1 << 40, "new": 2}
TOGETHER = 20  # rows a statement


@dataclass(slots=True)
class Staged:
    """A batch as a serialized database, with what of it is known before any other is asked."""

    block: bytes
    given: dict[str, int] = field(default_factory=dict)  # items of the batch, repeated ones too, by what they become


def stage(batch: Sequence[Prepared], *, heldout_share: float, format: str) -> Staged:
    """The format is all that is said of responses whose records do not tell how they came about."""
    rows = _Rows(heldout_share, preparing.canonical({"imported": format}).decode())
    for row in batch:
        rows.take(row)
    base = sqlite3.connect(":memory:", isolation_level=None)
    try:
        base.execute("BEGIN")
        for name, columns in TABLES.items():
            base.execute(f"CREATE TABLE {name} ({', '.join(_column(column) for column in columns)})")
            _insert(base, name, [column for column in columns if column not in ("n", *LATER)], rows.tables[name])
        base.execute("COMMIT")
        return Staged(base.serialize(), rows.given)
    finally:
        base.close()


def _insert(base: sqlite3.Connection, table: str, columns: list[str], rows: list[Sequence[object]]) -> None:
    """Several rows a statement: what a statement costs by itself is more than a row."""
    start, row = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ", f"({', '.join('?' * len(columns))})"
    even = len(rows) - len(rows) % TOGETHER
    blocks = (tuple(chain.from_iterable(rows[at : at + TOGETHER])) for at in range(0, even, TOGETHER))
    base.executemany(start + ", ".join([row] * TOGETHER), blocks)
    base.executemany(start + row, rows[even:])


def _column(name: str) -> str:
    return "n INTEGER PRIMARY KEY" if name == "n" else f"{name} DEFAULT {LATER[name]}" if name in LATER else name


class _Rows:
    """The tables' rows as they come together; the first item of each content counts."""

    def __init__(self, heldout_share: float, sampling: str) -> None:
        self._share, self._sampling = heldout_share, sampling
        self.given = {"prompts": 0, "demonstrations": 0, "rankings": 0, "judgments": 0, "sets": 0}
        self.tables: dict[str, list[Sequence[object]]] = {name: [] for name in TABLES}
        self._prompts: dict[str, int] = {}  # key -> n
        self._sets: dict[str, tuple[int, int]] = {}  # key -> n, and the n of its first response
        self._sources: dict[str, int] = {}  # name -> n
        self._answers: set[str] = set()
        self._identities = preparing.identities()

    def take(self, row: Prepared) -> None:
        prompt = self._prompt(row)
        if row.kind is PromptItem:
            self.given["prompts"] += 1
            return
        if row.kind is DemonstrationItem:
            self.given["demonstrations"] += 1
            if answer := self._answer("demonstration", row.answer_key, prompt, None, row.origin):
                self.tables["staged_reply"].append((answer, row.reply))
            return
        grp, first = self._set(row, prompt)
        if row.kind is RankingItem:
            for order in row.orders:
                self._ranking(order, prompt, grp, first)
        elif row.kind is JudgmentItem:
            self.given["judgments"] += 1
            if row.answer_key not in self._answers:
                self._answers.add(row.answer_key)
                self.tables["staged_judgment"].append(
                    (next(self._identities), row.answer_key, prompt, first, row.good, row.origin)
                )

    def _prompt(self, row: Prepared) -> int:
        """The prompt's n. `bare` says that its first item in the batch is the prompt alone, `waits` that any is."""
        bare, prompts = row.kind is PromptItem, self.tables["staged_prompt"]
        known = self._prompts.get(row.prompt_key)
        if known is None:
            split = row.split or preparing.split_of(row.prompt_key, self._share)
            prompts.append((next(self._identities), row.prompt_key, row.messages, split, row.meta, bare, bare))
            known = self._prompts[row.prompt_key] = len(prompts)
        elif bare:
            prompts[known - 1] = (*prompts[known - 1][:-1], True)
        return known

    def _set(self, row: Prepared, prompt: int) -> tuple[int, int]:
        unranked = row.kind is ResponsesItem
        self.given["sets"] += unranked
        known = self._sets.get(row.set_key)
        if known is not None:
            return known
        sets, responses = self.tables["staged_set"], self.tables["staged_response"]
        sets.append((next(self._identities), row.set_key, prompt, row.sampling or self._sampling, unranked))
        found = self._sets[row.set_key] = len(sets), len(responses) + 1
        for place, one in enumerate(row.responses):
            responses.append((next(self._identities), place, found[0], self._source(one.source), one.text))
        return found

    def _source(self, name: str) -> int:
        if name not in self._sources:
            self.tables["staged_source"].append((name,))
            self._sources[name] = len(self._sources) + 1
        return self._sources[name]

    def _ranking(self, order: Order, prompt: int, grp: int, first: int) -> None:
        self.given["rankings"] += 1
        if answer := self._answer("ranking", order.key, prompt, grp, order.origin):
            marks = order.unacceptable or (False,) * len(order.ranks)
            self.tables["staged_rank"] += [
                (answer, first + place, rank, mark)
                for place, (rank, mark) in enumerate(zip(order.ranks, marks, strict=True))
            ]

    def _answer(self, kind: str, key: str, prompt: int, grp: int | None, origin: str) -> int:
        """Its n; 0 where the batch has it already."""
        if key in self._answers:
            return 0
        self._answers.add(key)
        answers = self.tables["staged_answer"]
        answers.append((next(self._identities), key, kind, prompt, grp, origin))
        return len(answers)
