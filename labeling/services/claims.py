"""The statements that claim a slot, for SQLite and for PostgreSQL.

Their cost does not grow with the backlog: each walks a partial index in order and stops at the first slot
that fits. What it steps over is what others hold at this moment, and what this labeler has done of
tasks that still want others.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from labeling.models import sql
from labeling.models.work import Kind

_FITS = """
    s.project_id = %s AND s.kind = {kind} AND s.free_at <= %s
    AND NOT EXISTS (SELECT 1 FROM labeling_slot m WHERE m.task_id = s.task_id AND m.labeler_id = %s)
    AND NOT EXISTS (SELECT 1 FROM labeling_exclusion e WHERE e.task_id = s.task_id AND e.labeler_id = %s)
"""

# What is on the labeler's screen, or else what they fetched ahead, which comes on it now.
_UNFINISHED = """
    UPDATE labeling_slot SET ahead = FALSE, free_at = CASE WHEN reserved THEN NULL ELSE %s END
    WHERE id = (
        SELECT id FROM labeling_slot
        WHERE labeler_id = %s AND project_id = %s AND state = 'leased' AND kind IN ({kinds}) AND (%s OR NOT ahead)
        ORDER BY ahead LIMIT 1
    ) AND labeler_id = %s AND state = 'leased' RETURNING token
"""

_FETCHED_AHEAD = """
    UPDATE labeling_slot SET free_at = CASE WHEN reserved THEN NULL ELSE %s END
    WHERE labeler_id = %s AND project_id = %s AND state = 'leased' AND ahead RETURNING token, kind
"""

# A reserved slot is nobody else's: it stays and comes on the screen next.
_GIVE_BACK = """
    UPDATE labeling_slot SET state = 'open', labeler_id = NULL, token = NULL, ahead = FALSE, free_at = %s
    WHERE labeler_id = %s AND project_id = %s AND state = 'leased' AND ahead AND NOT reserved
"""

# INDEXED BY makes SQLite fail rather than scan. Without SKIP LOCKED those who ask at once would wait for each other
# and then be told that nothing waits.
_PARTS = {
    "sqlite": {
        "by_priority": "INDEXED BY slot_by_priority", "by_shuffle": "INDEXED BY slot_by_shuffle", "locked": "",
    },
    "postgresql": {"by_priority": "", "by_shuffle": "", "locked": "FOR UPDATE OF s SKIP LOCKED"},
}  # fmt: skip

_BEST = """
    SELECT s.id FROM labeling_slot s {by_priority} WHERE {fits}
    ORDER BY s.priority DESC, s.id LIMIT 1 {locked}
"""
_DRAWN = """
    SELECT s.id FROM labeling_slot s {by_shuffle} WHERE {fits} AND s.shuffle >= %s
    ORDER BY s.shuffle, s.id LIMIT 1 {locked}
"""

# How much of the circle of shuffled slots leads to slot c: its distance from the waiting slot before it. The slot
# itself still waits here; it is before no other.
_GAP = """
    COALESCE(
        c.shuffle - (
            SELECT s.shuffle FROM labeling_slot s {by_shuffle} WHERE {fits_its_kind} AND s.shuffle < c.shuffle
            ORDER BY s.shuffle DESC LIMIT 1
        ),
        1.0 + c.shuffle - (
            SELECT s.shuffle FROM labeling_slot s {by_shuffle} WHERE {fits_its_kind} ORDER BY s.shuffle DESC LIMIT 1
        )
    )
"""

# SQLite holds the write lock when it looks, so that leasing can be a second statement.
_LOOK = "SELECT c.id, c.task_id, c.kind, {gap} FROM labeling_slot c WHERE c.id = {chosen}"
_LEASE = (
    "UPDATE labeling_slot SET state = 'leased', labeler_id = %s, token = %s, free_at = %s, ahead = %s WHERE id = %s"
)
_CLAIM = """
    WITH chosen AS MATERIALIZED (SELECT {chosen} AS id),
    claimed AS (
        UPDATE labeling_slot t SET state = 'leased', labeler_id = %s, token = %s, free_at = %s, ahead = %s
        FROM chosen WHERE t.id = chosen.id RETURNING t.id, t.task_id, t.kind, t.shuffle
    )
    SELECT c.id, c.task_id, c.kind, {gap} FROM claimed c
"""


@dataclass(frozen=True)
class Claim:
    token: UUID
    slot_id: int
    task_id: int
    kind: Kind
    drawn_at_random: bool
    probability: float  # that a hand-out for this purpose chose this slot


def unfinished(*, project_id: int, labeler_id: int, kinds: Sequence[Kind], ends: datetime, begin: bool) -> UUID | None:
    """Renew what the labeler holds, expired or not, as long as nobody took it; returns its token.

    `begin`: where nothing is on their screen, what they fetched ahead comes on it.
    """
    marks = ", ".join(["%s"] * len(kinds))
    values = [sql.time(ends), labeler_id, project_id, *map(str, kinds), begin, labeler_id]
    row = sql.first(_UNFINISHED.format(kinds=marks), values)
    return sql.as_uuid(row[0]) if row else None


def fetched_ahead(*, project_id: int, labeler_id: int, ends: datetime) -> tuple[UUID, Kind] | None:
    """Renew what the labeler fetched ahead, as long as nobody took it; returns its token and kind."""
    row = sql.first(_FETCHED_AHEAD, [sql.time(ends), labeler_id, project_id])
    return (sql.as_uuid(row[0]), Kind(row[1])) if row else None


def give_back_ahead(*, project_id: int, labeler_id: int, now: datetime, token: UUID | None = None) -> bool:
    """Free what the labeler fetched ahead and has not begun, or only if it has this token; False: there is none."""
    statement, values = _GIVE_BACK, [sql.time(now), labeler_id, project_id]
    if token is not None:
        statement, values = f"{_GIVE_BACK} AND token = %s", [*values, sql.key(token)]
    return bool(sql.change(statement, values))


def waits(*, project_id: int, kind: Kind, labeler_id: int, now: datetime, besides: int = 0) -> bool:
    """Whether a slot waits that would fit this labeler, `besides` others."""
    fits = [project_id, str(kind), sql.time(now), labeler_id, labeler_id]
    statement = _filled(_BEST, _vendor(), locked="")
    return sql.first(f"{statement} OFFSET %s", [*fits, besides]) is not None


def claim(
    *,
    project_id: int,
    kinds: Sequence[Kind],
    labeler_id: int,
    token: UUID,
    random_share: float,
    now: datetime,
    ends: datetime,
    ahead: bool = False,
) -> Claim | None:
    """Lease the best slot of the first of the kinds of which any fits, or None.

    With probability `random_share` it is one drawn at random: the first at or after a random point of that kind's
    circle of shuffled slots.
    """
    at_random = random_share > 0 and random.random() < random_share
    point = random.random()
    fits = [sql.time(now), labeler_id, labeler_id]
    choice: list[Any] = []
    for kind in kinds:
        of_kind = [project_id, str(kind), *fits]
        choice += [*of_kind, point, *of_kind, 0.0] if at_random else of_kind
    gap = [project_id, *fits] * 2 if random_share > 0 else []
    lease = [labeler_id, sql.key(token), sql.time(ends), ahead]
    statement = _statement(_vendor(), len(kinds), at_random, random_share > 0)
    if sql.is_sqlite():
        row = sql.first(statement, [*gap, *choice])
        if row is not None:
            sql.change(_LEASE, [*lease, row[0]])
    else:
        row = sql.first(statement, [*choice, *lease, *gap])
    if row is None:
        return None
    probability = (0.0 if at_random else 1.0 - random_share) + random_share * row[3]
    return Claim(token, row[0], row[1], Kind(row[2]), at_random, probability)


@lru_cache
def _statement(vendor: str, kinds: int, at_random: bool, with_gap: bool) -> str:
    chosen = [_DRAWN, _DRAWN] if at_random else [_BEST]
    choices = ", ".join(f"({one})" for one in chosen * kinds)
    gap = _GAP if with_gap else "CAST(0 AS double precision)"
    whole = _LOOK if vendor == "sqlite" else _CLAIM
    return _filled(whole.format(chosen=f"COALESCE({choices}, NULL)", gap=gap), vendor)


def _filled(statement: str, vendor: str, **others: str) -> str:
    fits, fits_its_kind = _FITS.format(kind="%s"), _FITS.format(kind="c.kind")
    return statement.format(**{"fits": fits, "fits_its_kind": fits_its_kind, **_PARTS[vendor], **others})


def _vendor() -> str:
    return "sqlite" if sql.is_sqlite() else "postgresql"
