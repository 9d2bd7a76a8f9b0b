"""A batch of prepared items becomes rows, each content once; or is only counted, in a dry run.

Rows are written in bulk with keys reserved before, not through the ORM: this is where a million records go through.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from django.db import models

from labeling.formats.items import DemonstrationItem, JudgmentItem, PromptItem, RankingItem, ResponsesItem
from labeling.models import bulk, sql
from labeling.models.answers import Answer, Demonstration, RankedResponse
from labeling.models.judgments import Judgment
from labeling.models.projects import Project
from labeling.models.prompts import EvaluationSet, Prompt, Response, RolloutSet, Source
from labeling.models.work import Kind
from labeling.services import preparing, sources
from labeling.services.preparing import Order, Prepared


class Counts(Protocol):
    stored: int
    duplicates: int
    prompts: int
    demonstrations: int
    rankings: int
    judgments: int
    responses: int


@dataclass(slots=True)
class Seen:
    """Keys that a dry run would have stored, on the disk: their number has no limit."""

    _base: sqlite3.Connection = field(default_factory=lambda: sqlite3.connect(""))

    def __post_init__(self) -> None:
        self._base.execute("CREATE TABLE seen (kind TEXT, key TEXT, PRIMARY KEY (kind, key)) WITHOUT ROWID")

    def among(self, kind: str, keys: Sequence[str]) -> set[str]:
        found: set[str] = set()
        for start in range(0, len(keys), 900):
            some = keys[start : start + 900]
            marks = ",".join("?" * len(some))
            statement = f"SELECT key FROM seen WHERE kind = ? AND key IN ({marks})"
            found |= {one for (one,) in self._base.execute(statement, [kind, *some])}
        return found

    def add(self, kind: str, keys: Iterable[str]) -> None:
        self._base.executemany("INSERT OR IGNORE INTO seen VALUES (?, ?)", ((kind, one) for one in keys))


class Writer:
    """Stores batches for one import. A batch is one transaction, which the caller opens."""

    def __init__(
        self,
        *,
        project: Project,
        format: str,
        now: datetime,
        dry_run: bool,
        evaluation_set: EvaluationSet | None = None,
    ) -> None:
        self.project, self.format, self.now = project, format, now
        self.seen = Seen() if dry_run else None
        self._evaluation = evaluation_set.pk if evaluation_set else None
        self._sources: dict[str, int] = {}
        self._time = sql.time(now)

    def store(self, batch: Sequence[Prepared], counts: Counts) -> list[int]:
        """Adds to the counts. Returns the keys of the batch's bare prompts, for tasks; none in a dry run."""
        if self.seen is None:
            bulk.in_turn(self.project.pk)
        prompts = self._prompts(batch, counts)
        sets = self._sets(batch, prompts, counts)
        self._demonstrations([row for row in batch if row.kind is DemonstrationItem], prompts, counts)
        self._rankings([row for row in batch if row.kind is RankingItem], prompts, sets, counts)
        self._judgments([row for row in batch if row.kind is JudgmentItem], prompts, sets, counts)
        return [prompts[row.prompt_key] for row in batch if row.kind is PromptItem] if self.seen is None else []

    def _prompts(self, batch: Sequence[Prepared], counts: Counts) -> dict[str, int]:
        """The key of each prompt by its hash, and -1 for a new one in a dry run."""
        first: dict[str, Prepared] = {}
        for row in batch:
            first.setdefault(row.prompt_key, row)
        known = self._known(Prompt, "content_hash", list(first))
        new = [row for key, row in first.items() if key not in known]
        fresh = {id(row) for row in new}
        for row in batch:
            if row.kind is PromptItem:
                is_new = id(row) in fresh
                counts.prompts += is_new
                _count(counts, is_new)
        if self._evaluation and known and self.seen is None:
            Prompt.objects.filter(pk__in=known.values()).update(evaluation_set=self._evaluation)
        share = self.project.heldout_share
        found = {**known, **self._reserve(Prompt, [row.prompt_key for row in new])}
        self._insert(
            Prompt,
            ("id", "uuid", "project_id", "content_hash", "messages", "split", "meta", "created_at",
             "evaluation_set_id"),
            lambda: (
                (found[row.prompt_key], uuid, self.project.pk, row.prompt_key, row.messages,
                 row.split or preparing.split_of(row.prompt_key, share), row.meta, self._time, self._evaluation)
                for row, uuid in zip(new, preparing.identities(len(new)), strict=True)
            ),
        )  # fmt: skip
        return found

    def _sets(self, batch: Sequence[Prepared], prompts: dict[str, int], counts: Counts) -> dict[str, Sequence[int]]:
        """The keys of each set's responses, in their order, with the set's own key before them."""
        first: dict[str, Prepared] = {}
        for row in batch:
            if row.set_key:
                is_first = row.set_key not in first
                first.setdefault(row.set_key, row)
                if row.kind is ResponsesItem and not is_first:
                    _count(counts, False)
        if not first:
            return {}
        known = self._known(RolloutSet, "content_hash", list(first))
        new = {key: row for key, row in first.items() if key not in known}
        for key, row in first.items():
            if row.kind is ResponsesItem:
                counts.responses += len(row.responses) if key in new else 0
                _count(counts, key in new)
        made = self._reserve(RolloutSet, list(new))
        if self.seen is not None:
            return dict.fromkeys(first, ())
        sampling = preparing.canonical({"imported": self.format}).decode()
        self._insert(
            RolloutSet,
            ("id", "uuid", "project_id", "prompt_id", "content_hash", "sampling", "created_at"),
            lambda: (
                (made[key], uuid, self.project.pk, prompts[row.prompt_key], key, row.sampling or sampling, self._time)
                for (key, row), uuid in zip(new.items(), preparing.identities(len(new)), strict=True)
            ),
        )
        sources = self._source_keys({one.source for row in new.values() for one in row.responses})
        total = sum(len(row.responses) for row in new.values())
        keys = bulk.reserve(Response, total)
        found: dict[str, Sequence[int]] = {}
        rows, at = [], 0
        for (set_key, row), start in zip(new.items(), _starts(new.values()), strict=True):
            found[set_key] = [made[set_key], *keys[start : start + len(row.responses)]]
            for index, one in enumerate(row.responses):
                rows.append((keys[at], made[set_key], index, one.text, sources[one.source]))
                at += 1
        names = ("id", "uuid", "rollout_set_id", "index", "text", "source_id")
        uuids = preparing.identities(total)
        self._insert(Response, names, lambda: ((row[0], uuid, *row[1:]) for row, uuid in zip(rows, uuids, strict=True)))
        found.update(_responses_of(known))
        return found

    def _demonstrations(self, batch: Sequence[Prepared], prompts: dict[str, int], counts: Counts) -> None:
        first: dict[str, Prepared] = {}
        for row in batch:
            first.setdefault(row.answer_key, row)
        new = self._new(Answer, "body_hash", list(first), len(batch), counts, "labeler_id IS NULL")
        counts.demonstrations += len(new)
        self._answers(Kind.DEMONSTRATION, [(new[key], key, prompts[first[key].prompt_key], None, first[key].origin)
                                           for key in new])  # fmt: skip
        self._insert(Demonstration, ("answer_id", "reply"), lambda: ((new[key], first[key].reply) for key in new))

    def _rankings(
        self, batch: Sequence[Prepared], prompts: dict[str, int], sets: dict[str, Sequence[int]], counts: Counts
    ) -> None:
        first: dict[str, tuple[Prepared, Order]] = {}
        given = 0
        for row in batch:
            for order in row.orders:
                given += 1
                first.setdefault(order.key, (row, order))
        new = self._new(Answer, "body_hash", list(first), given, counts, "labeler_id IS NULL")
        counts.rankings += len(new)
        if self.seen is not None or not new:
            return
        rows, ranked = [], []
        for key, pk in new.items():
            row, order = first[key]
            set_key, *responses = sets[row.set_key]
            rows.append((pk, key, prompts[row.prompt_key], set_key, order.origin))
            marks = order.unacceptable or (False,) * len(responses)
            ranked += [(pk, *one) for one in zip(responses, order.ranks, marks, strict=True)]
        self._answers(Kind.RANKING, rows)
        self._insert(RankedResponse, ("answer_id", "response_id", "rank", "unacceptable"), lambda: ranked)

    def _judgments(
        self, batch: Sequence[Prepared], prompts: dict[str, int], sets: dict[str, Sequence[int]], counts: Counts
    ) -> None:
        first: dict[str, Prepared] = {}
        for row in batch:
            first.setdefault(row.answer_key, row)
        new = self._new(Judgment, "body_hash", list(first), len(batch), counts)
        counts.judgments += len(new)
        names = ("id", "uuid", "project_id", "prompt_id", "response_id", "good", "origin", "body_hash", "created_at")
        self._insert(
            Judgment,
            names,
            lambda: (
                (pk, uuid, self.project.pk, prompts[first[key].prompt_key], sets[first[key].set_key][1],
                 first[key].good, first[key].origin, key, self._time)
                for (key, pk), uuid in zip(new.items(), preparing.identities(len(new)), strict=True)
            ),
        )  # fmt: skip

    def _answers(self, kind: Kind, rows: Sequence[tuple[int, str, int, int | None, str]]) -> None:
        names = ("id", "uuid", "project_id", "kind", "body_hash", "prompt_id", "rollout_set_id", "origin",
                 "idempotency_key", "created_at")  # fmt: skip
        self._insert(
            Answer,
            names,
            lambda: (
                (pk, uuid, self.project.pk, kind.value, key, prompt, rollout_set, origin, "", self._time)
                for (pk, key, prompt, rollout_set, origin), uuid in zip(
                    rows, preparing.identities(len(rows)), strict=True
                )
            ),
        )

    def _new(
        self, model: type[models.Model], column: str, keys: list[str], given: int, counts: Counts, where: str = ""
    ) -> dict[str, int]:
        """Those of the keys that are not stored yet, with a primary key for each. Counts all that were given."""
        if not keys:
            return {}
        known = self._known(model, column, keys, where)
        made = self._reserve(model, [key for key in keys if key not in known])
        counts.stored += len(made)
        counts.duplicates += given - len(made)
        return made

    def _known(self, model: type[models.Model], column: str, keys: list[str], where: str = "") -> dict[str, int]:
        condition = "project_id = %s" + (f" AND {where}" if where else "")
        known = bulk.keys_by(model, column, keys, where=condition, given=[self.project.pk])
        if self.seen is not None:
            known.update(dict.fromkeys(self.seen.among(model.__name__, keys), -1))
        return known

    def _reserve(self, model: type[models.Model], keys: list[str]) -> dict[str, int]:
        if self.seen is not None:
            self.seen.add(model.__name__, keys)
            return dict.fromkeys(keys, -1)
        return dict(zip(keys, bulk.reserve(model, len(keys)), strict=True))

    def _insert(self, model: type[models.Model], names: tuple[str, ...], rows: Any) -> None:
        if self.seen is None:
            bulk.insert(model, names, rows())

    def _source_keys(self, names: set[str]) -> dict[str, int]:
        for name in names - set(self._sources):
            self._sources[name] = sources.register(
                project=self.project, kind=Source.Kind.OUTSIDE, name=name[:200], reference=name[:200], now=self.now
            ).pk
        return self._sources


def _starts(rows: Iterable[Prepared]) -> Iterable[int]:
    at = 0
    for row in rows:
        yield at
        at += len(row.responses)


def _responses_of(known: dict[str, int]) -> dict[str, Sequence[int]]:
    """The stored sets' own keys and those of their responses, in order."""
    found: dict[int, list[int]] = {pk: [pk] for pk in known.values()}
    rows = Response.objects.filter(rollout_set__in=list(found)).order_by("rollout_set_id", "index")
    for set_id, pk in rows.values_list("rollout_set_id", "pk"):
        found[set_id].append(pk)
    return {key: found[pk] for key, pk in known.items()}


def _count(counts: Counts, new: bool) -> None:
    counts.stored += new
    counts.duplicates += not new
