"""Many rows at once, past the ORM, on both databases. Only imports use this. Values are always parameters."""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.models import Model

from labeling.models import sql

IMPORTS = 7_001  # the kind of the advisory lock
SETTINGS = {"cache_size": -65536, "mmap_size": 0, "wal_autocheckpoint": 16000, "foreign_keys": 0}


def reserve(model: type[Model], count: int) -> list[int]:
    """Keys for rows that are about to be inserted. On SQLite the caller holds the write lock."""
    table = model._meta.db_table
    if not count:
        return []
    if sql.is_sqlite():
        statement = f"""SELECT MAX(COALESCE((SELECT seq FROM sqlite_sequence WHERE name = %s), 0),
                        COALESCE((SELECT MAX(id) FROM {connection.ops.quote_name(table)}), 0))"""
        (top,) = sql.first(statement, [table]) or (0,)
        return list(range(top + 1, top + 1 + count))
    statement = "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)"
    return [row[0] for row in sql.rows(statement, [table, count])]


def keys_by(
    model: type[Model], column: str, values: Sequence[str], *, where: str, given: Sequence[Any]
) -> dict[str, int]:
    """Keys of the rows whose `column` is one of `values`, by that value. One statement, however many there are."""
    name, table = connection.ops.quote_name(column), connection.ops.quote_name(model._meta.db_table)
    among, all_values = ("IN (SELECT value FROM json_each(%s))", json.dumps(values)) if sql.is_sqlite() else (
        "= ANY(%s)", list(values))  # fmt: skip
    found = sql.rows(f"SELECT {name}, id FROM {table} WHERE {where} AND {name} {among}", [*given, all_values])
    return {value: int(pk) for value, pk in found}


def in_turn(project: int) -> None:
    """Wait until no other import writes to the project; the lock ends with the transaction. SQLite has one writer."""
    if not sql.is_sqlite():
        sql.rows("SELECT pg_advisory_xact_lock(%s, %s)", [IMPORTS, project % (1 << 31)])


def insert(model: type[Model], names: tuple[str, ...], many: Iterable[tuple[Any, ...]]) -> None:
    """Insert rows of plain database values (JSON and UUIDs as text): executemany, or COPY on PostgreSQL.

    `names` are columns; what is left out takes the model's default.
    """
    given = set(names)
    real = connections[DEFAULT_DB_ALIAS]
    rest = [
        (field.column, field.get_db_prep_save(field.get_default(), real))
        for field in model._meta.concrete_fields
        if field.column not in given and not field.null and not field.primary_key
    ]
    columns = ", ".join(connection.ops.quote_name(name or "") for name in [*names, *(name for name, _ in rest)])
    table = connection.ops.quote_name(model._meta.db_table)
    same = tuple(value for _, value in rest)
    if sql.is_sqlite():
        marks = ", ".join(["?"] * (len(names) + len(rest)))
        connection.ensure_connection()
        connection.connection.executemany(
            f"INSERT INTO {table} ({columns}) VALUES ({marks})", (row + same for row in many) if same else many
        )
    else:
        with connection.cursor() as cursor, cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
            for row in many:
                copy.write_row(row + same)


@contextmanager
def loading() -> Iterator[None]:
    """SQLite for many rows: a larger cache, fewer checkpoints, no mapping of the file into memory, and no look at the
    row that a foreign key names: whoever loads looks these up in the same transaction, while nobody else writes.
    """
    if not sql.is_sqlite():
        yield
        return
    usual = {name: sql.first(f"PRAGMA {name}", []) for name in SETTINGS}
    with connection.cursor() as cursor:
        for name, wanted in SETTINGS.items():
            cursor.execute(f"PRAGMA {name} = {wanted}")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            for name, value in usual.items():
                if value is not None:
                    cursor.execute(f"PRAGMA {name} = {int(value[0])}")
