"""Staged batches become rows, each content once; or are only counted, in a dry run.

Statements move whole batches, on both databases: this is where a million records go through (docs/decisions/0030).
"""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from django.db import models

from labeling.models import bulk, sql
from labeling.models.answers import Answer, Demonstration, RankedResponse
from labeling.models.judgments import Judgment
from labeling.models.projects import Project
from labeling.models.prompts import EvaluationSet, Prompt, Response, RolloutSet, Source
from labeling.models.work import Kind
from labeling.services import sources
from labeling.services.staging import Staged


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
    """Stores staged batches for one import."""

    def __init__(
        self, *, project: Project, now: datetime, dry_run: bool, evaluation_set: EvaluationSet | None = None
    ) -> None:
        self.project, self.now = project, now
        self.seen = Seen() if dry_run else None
        self._evaluation = evaluation_set.pk if evaluation_set else None
        self._sources: dict[str, int] = {}
        self._time = sql.time(now)

    def store(self, batch: Staged, counts: Counts) -> None:
        """Adds to the counts. The caller has the batch's tables open, in one transaction."""
        if self.seen is None:
            bulk.in_turn(self.project.pk)
        self._prompts(batch.given["prompts"], counts)
        self._sets(batch.given["sets"], counts)
        self._answers(batch.given, counts)
        self._judgments(batch.given["judgments"], counts)

    def waiting(self) -> list[int]:
        """The keys of the open batch's prompts that came by themselves, for tasks."""
        return [pk for (pk,) in sql.rows("SELECT id FROM staged_prompt WHERE waits = 1 ORDER BY n", [])]

    def hashes(self) -> list[str]:
        return [key for (key,) in sql.rows("SELECT key FROM staged_prompt ORDER BY n", [])]

    def _prompts(self, given: int, counts: Counts) -> None:
        self._settle("staged_prompt", Prompt, "content_hash")
        new = _count("FROM staged_prompt WHERE new = 1 AND bare = 1")
        counts.prompts += new
        _told(counts, new, given)
        if self.seen is not None:
            return
        if self._evaluation:
            known = "SELECT id FROM staged_prompt WHERE new = 0"
            sql.change(f"UPDATE labeling_prompt SET evaluation_set_id = %s WHERE id IN ({known})", [self._evaluation])
        bulk.insert(
            Prompt,
            {"id": "id", "uuid": "uuid", "content_hash": "key", "messages": "messages", "split": "split",
             "meta": "meta", "project_id": "%s", "created_at": "%s", "evaluation_set_id": "%s"},
            "FROM staged_prompt WHERE new = 1 ORDER BY n",
            [self.project.pk, self._time, self._evaluation],
        )  # fmt: skip

    def _sets(self, given: int, counts: Counts) -> None:
        self._settle("staged_set", RolloutSet, "content_hash")
        new = _count("FROM staged_set WHERE new = 1 AND unranked = 1")
        _told(counts, new, given)
        counts.responses += _count(
            "FROM staged_response JOIN staged_set ON staged_set.n = grp WHERE new = 1 AND unranked = 1"
        )
        if self.seen is not None:
            return
        bulk.insert(
            RolloutSet,
            {"id": "s.id", "uuid": "s.uuid", "content_hash": "s.key", "sampling": "s.sampling", "prompt_id": "p.id",
             "project_id": "%s", "created_at": "%s"},
            "FROM staged_set AS s JOIN staged_prompt AS p ON p.n = s.prompt WHERE s.new = 1 ORDER BY s.n",
            [self.project.pk, self._time],
        )  # fmt: skip
        for n, name in sql.rows("SELECT n, name FROM staged_source", []):
            sql.change("UPDATE staged_source SET id = %s WHERE n = %s", [self._source(name), n])
        bulk.number("staged_response", Response, where="grp IN (SELECT n FROM staged_set WHERE new = 1)", new="")
        sql.change(
            """UPDATE staged_response SET id = r.id FROM staged_set AS s
               JOIN labeling_response AS r ON r.rollout_set_id = s.id
               WHERE s.new = 0 AND s.n = staged_response.grp AND r."index" = staged_response.place""",
            [],
        )
        bulk.insert(
            Response,
            {"id": "r.id", "uuid": "r.uuid", "index": "r.place", "text": "r.text", "rollout_set_id": "s.id",
             "source_id": "o.id"},
            """FROM staged_response AS r JOIN staged_set AS s ON s.n = r.grp JOIN staged_source AS o ON o.n = r.source
               WHERE s.new = 1 ORDER BY r.n""",
        )  # fmt: skip

    def _answers(self, given: dict[str, int], counts: Counts) -> None:
        self._settle("staged_answer", Answer, "body_hash", "labeler_id IS NULL")
        demonstrations, rankings = (
            _count("FROM staged_answer WHERE new = 1 AND kind = %s", kind)
            for kind in (Kind.DEMONSTRATION, Kind.RANKING)
        )
        counts.demonstrations += demonstrations
        counts.rankings += rankings
        _told(counts, demonstrations + rankings, given["demonstrations"] + given["rankings"])
        if self.seen is not None:
            return
        bulk.insert(
            Answer,
            {"id": "a.id", "uuid": "a.uuid", "kind": "a.kind", "body_hash": "a.key", "prompt_id": "p.id",
             "rollout_set_id": "s.id", "origin": "a.origin", "project_id": "%s", "created_at": "%s",
             "idempotency_key": "''"},
            """FROM staged_answer AS a JOIN staged_prompt AS p ON p.n = a.prompt
               LEFT JOIN staged_set AS s ON s.n = a.grp WHERE a.new = 1 ORDER BY a.n""",
            [self.project.pk, self._time],
        )  # fmt: skip
        bulk.insert(
            Demonstration,
            {"answer_id": "a.id", "reply": "d.reply"},
            "FROM staged_reply AS d JOIN staged_answer AS a ON a.n = d.answer WHERE a.new = 1 ORDER BY a.n",
        )
        bulk.insert(
            RankedResponse,
            {"answer_id": "a.id", "response_id": "r.id", "rank": "k.rank", "unacceptable": "k.unacceptable"},
            """FROM staged_rank AS k JOIN staged_answer AS a ON a.n = k.answer
               JOIN staged_response AS r ON r.n = k.response WHERE a.new = 1 ORDER BY a.n, r.n""",
        )

    def _judgments(self, given: int, counts: Counts) -> None:
        self._settle("staged_judgment", Judgment, "body_hash")
        new = _count("FROM staged_judgment WHERE new = 1")
        counts.judgments += new
        _told(counts, new, given)
        if self.seen is None:
            bulk.insert(
                Judgment,
                {"id": "j.id", "uuid": "j.uuid", "good": "j.good", "origin": "j.origin", "body_hash": "j.key",
                 "prompt_id": "p.id", "response_id": "r.id", "project_id": "%s", "created_at": "%s"},
                """FROM staged_judgment AS j JOIN staged_prompt AS p ON p.n = j.prompt
                   JOIN staged_response AS r ON r.n = j.response WHERE j.new = 1 ORDER BY j.n""",
                [self.project.pk, self._time],
            )  # fmt: skip

    def _settle(self, staged: str, model: type[models.Model], column: str, where: str = "TRUE") -> None:
        """Tell the staged rows that are stored already from those that are new, and give the new ones keys."""
        bulk.recognize(staged, model, column, where=f"project_id = %s AND {where}", given=[self.project.pk])
        if self.seen is None:
            bulk.number(staged, model)
            return
        keys = [key for (key,) in sql.rows(f"SELECT key FROM {staged} WHERE new <> 0", [])]
        seen = self.seen.among(model.__name__, keys)
        for key in seen:
            sql.change(f"UPDATE {staged} SET new = 0 WHERE key = %s", [key])
        self.seen.add(model.__name__, (key for key in keys if key not in seen))
        sql.change(f"UPDATE {staged} SET new = 1 WHERE new <> 0", [])

    def _source(self, name: str) -> int:
        if name not in self._sources:
            self._sources[name] = sources.register(
                project=self.project, kind=Source.Kind.OUTSIDE, name=name[:200], reference=name[:200], now=self.now
            ).pk
        return self._sources[name]


def _count(source: str, *values: str) -> int:
    (found,) = sql.first(f"SELECT COUNT(*) {source}", values) or (0,)
    return int(found)


def _told(counts: Counts, new: int, given: int) -> None:
    counts.stored += new
    counts.duplicates += given - new
