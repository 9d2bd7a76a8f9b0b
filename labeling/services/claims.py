"""The statements that claim a slot, for SQLite and for PostgreSQL.

Their cost does not grow with the backlog: each walks a partial index in order and stops at the first slot
that fits. What it steps over is what others hold at this moment, and what this labeler has done of
tasks that still want others.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection
from django.db.backends.utils import CursorWrapper

from labeling.models import sql
from labeling.models.work import Kind

_FITS = """
    s.project_id = %s AND s.kind = %s AND s.free_at <= %s
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

_CLAIM = {
    # INDEXED BY makes SQLite fail rather than scan.
    "sqlite": """
        UPDATE labeling_slot SET state = 'leased', labeler_id = %s, token = %s, free_at = %s, ahead = %s
        WHERE id = (
            SELECT s.id FROM labeling_slot s INDEXED BY {index} WHERE {fits} {beyond} ORDER BY {order} LIMIT 1
        )
        RETURNING id, task_id, shuffle
    """,
    # Without SKIP LOCKED those who ask at once would wait for each other and then be told that nothing waits.
    "postgresql": """
        WITH chosen AS MATERIALIZED (
            SELECT s.id FROM labeling_slot s WHERE {fits} {beyond} ORDER BY {order} LIMIT 1
            FOR UPDATE OF s SKIP LOCKED
        )
        UPDATE labeling_slot t SET state = 'leased', labeler_id = %s, token = %s, free_at = %s, ahead = %s
        FROM chosen WHERE t.id = chosen.id
        RETURNING t.id, t.task_id, t.shuffle
    """,
}

# As things were before the claim: the claimed slot does not count against its task's other slots.
_FITTED = _FITS.replace("m.labeler_id = %s", "m.labeler_id = %s AND m.id <> %s")
_BEFORE = "SELECT s.shuffle FROM labeling_slot s {indexed} WHERE {fits} {beyond} ORDER BY s.shuffle DESC LIMIT 1"

_WAITS = "SELECT s.id FROM labeling_slot s {indexed} WHERE {fits} ORDER BY s.priority DESC, s.id LIMIT 1"

_BY_PRIORITY = {"index": "slot_by_priority", "beyond": "", "order": "s.priority DESC, s.id"}
_BY_SHUFFLE = {"index": "slot_by_shuffle", "beyond": "AND s.shuffle >= %s", "order": "s.shuffle, s.id"}


@dataclass(frozen=True)
class Claim:
    token: UUID
    slot_id: int
    task_id: int
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


def waits(*, project_id: int, kind: Kind, labeler_id: int, now: datetime) -> bool:
    """Whether a slot waits that would fit this labeler."""
    indexed = "INDEXED BY slot_by_priority" if sql.is_sqlite() else ""
    fits = [project_id, str(kind), sql.time(now), labeler_id, labeler_id]
    return sql.first(_WAITS.format(indexed=indexed, fits=_FITS), fits) is not None


def claim(
    *,
    project_id: int,
    kind: Kind,
    labeler_id: int,
    token: UUID,
    random_share: float,
    now: datetime,
    ends: datetime,
    ahead: bool = False,
) -> Claim | None:
    """Lease the best slot, or with probability `random_share` one drawn at random; None where none fits."""
    fits = [project_id, str(kind), sql.time(now), labeler_id, labeler_id]
    lease = [labeler_id, sql.key(token), sql.time(ends), ahead]
    at_random = random_share > 0 and random.random() < random_share
    with sql.cursor() as cursor:
        row = None
        if at_random:
            # The first slot at or after a random point of the shuffled circle.
            row = _claim(cursor, _BY_SHUFFLE, fits, lease, [random.random()])
            row = row or _claim(cursor, _BY_SHUFFLE, fits, lease, [0.0])
        else:
            row = _claim(cursor, _BY_PRIORITY, fits, lease, [])
        if row is None:
            return None
        slot_id, task_id, shuffle = row
        probability = 0.0 if at_random else 1.0 - random_share
        if random_share > 0:
            probability += random_share * _gap(cursor, [*fits[:4], slot_id, fits[4]], shuffle)
        return Claim(token, slot_id, task_id, at_random, probability)


def _claim(cursor: CursorWrapper, how: dict[str, str], fits: list, lease: list, beyond: list) -> tuple | None:
    statement = _CLAIM[connection.vendor].format(fits=_FITS, **how)
    values = [*lease, *fits, *beyond] if sql.is_sqlite() else [*fits, *beyond, *lease]
    cursor.execute(statement, values)
    return cursor.fetchone()


def _gap(cursor: CursorWrapper, fits: list, shuffle: float) -> float:
    """How much of the circle leads to a slot: the distance from the waiting slot before it."""
    indexed = "INDEXED BY slot_by_shuffle" if sql.is_sqlite() else ""
    cursor.execute(_BEFORE.format(fits=_FITTED, beyond="AND s.shuffle < %s", indexed=indexed), [*fits, shuffle])
    row = cursor.fetchone()
    if row is not None:
        return shuffle - row[0]
    cursor.execute(_BEFORE.format(fits=_FITTED, beyond="", indexed=indexed), fits)
    row = cursor.fetchone()
    return 1.0 if row is None else 1.0 + shuffle - row[0]
