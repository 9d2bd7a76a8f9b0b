"""Many rows at once, past the ORM, on both databases: for imports and exports. Values are always parameters."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connection, connections, transaction
from django.db.models import Model

from labeling.models import sql

IMPORTS = 7_001  # the kind of the advisory lock
LOADING = {"cache_size": -65536, "mmap_size": 0, "wal_autocheckpoint": 64000, "foreign_keys": 0}
READING = {"cache_size": -16384, "mmap_size": 0}


def recognize(staged: str, model: type[Model], column: str, *, where: str, given: Sequence[Any]) -> None:
    """Mark the staged rows whose `key` some row of the model has in `column`, and give them its key."""
    table, name = connection.ops.quote_name(model._meta.db_table), connection.ops.quote_name(column)
    same = f"FROM {table} AS kept WHERE {where} AND kept.{name} = {staged}.key"
    sql.change(
        f"UPDATE {staged} SET new = 0, id = (SELECT kept.id {same}) WHERE EXISTS (SELECT 1 {same})", [*given, *given]
    )


def number(staged: str, model: type[Model], *, where: str = "new <> 0", new: str = "new = 1, ") -> int:
    """Give the staged rows keys of their own, in their order. On SQLite the caller holds the write lock."""
    if not sql.is_sqlite():
        key: Any = f"nextval(pg_get_serial_sequence('{model._meta.db_table}', 'id'))"
        return sql.change(f"UPDATE {staged} SET {new}id = {key} WHERE {where}", [])
    table = model._meta.db_table
    statement = f"""SELECT MAX(COALESCE((SELECT seq FROM sqlite_sequence WHERE name = %s), 0),
                    COALESCE((SELECT MAX(id) FROM {connection.ops.quote_name(table)}), 0))"""
    (top,) = sql.first(statement, [table]) or (0,)
    return sql.change(f"UPDATE {staged} SET {new}id = %s + n WHERE {where}", [top])


def in_turn(project: int) -> None:
    """Wait until no other import writes to the project; the lock ends with the transaction. SQLite has one writer."""
    if not sql.is_sqlite():
        sql.rows("SELECT pg_advisory_xact_lock(%s, %s)", [IMPORTS, project % (1 << 31)])


def insert(model: type[Model], columns: dict[str, str], source: str, values: Sequence[Any] = ()) -> None:
    """Insert rows out of others: `columns` name what each takes, `source` is the statement from FROM on.

    `values` are the parameters of both, in their order. What is left out takes the model's default.
    """
    real = connections[DEFAULT_DB_ALIAS]
    rest = {
        field.column: field.get_db_prep_save(field.get_default(), real)
        for field in model._meta.concrete_fields
        if field.column not in columns and not field.null and not field.primary_key
    }
    names = ", ".join(connection.ops.quote_name(name or "") for name in [*rest, *columns])
    taken = ", ".join([*["%s"] * len(rest), *columns.values()])
    table = connection.ops.quote_name(model._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {table} ({names}) SELECT {taken} {source}", [*rest.values(), *values])


@contextmanager
def staged(tables: dict[str, dict[str, str]], block: bytes, *, dry_run: bool) -> Iterator[None]:
    """A transaction that sees a serialized database's tables by their names; in a dry run, one that stores nothing.

    SQLite attaches the database as it is. PostgreSQL, and SQLite within a transaction, get temporary tables.
    """
    if sql.is_sqlite() and not connection.in_atomic_block:
        with _attached(block), nullcontext() if dry_run else sql.writing():
            yield
        return
    with transaction.atomic() if dry_run else sql.writing():
        with closing(sqlite3.connect(":memory:")) as base:
            base.deserialize(block)
            for name, columns in tables.items():
                _copy(base, name, columns)
        yield
        with connection.cursor() as cursor:
            for name in tables:
                cursor.execute(f"DROP TABLE {name}")


@contextmanager
def _attached(block: bytes) -> Iterator[None]:
    """Attached anew for each block: SQLite would take one that comes in its place for what it knows already."""
    connection.ensure_connection()
    raw = connection.connection
    raw.execute("ATTACH ':memory:' AS staged")
    try:
        raw.deserialize(block, name="staged")
        yield
    finally:
        raw.execute("DETACH staged")


def _copy(base: sqlite3.Connection, name: str, columns: dict[str, str]) -> None:
    rows = base.execute(f"SELECT * FROM {name} ORDER BY 1")
    types = columns if not sql.is_sqlite() else dict.fromkeys(columns, "")
    listed = ", ".join(f'"{column}" {type}' for column, type in types.items())
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TEMPORARY TABLE {name} ({listed})")
        if sql.is_sqlite():
            connection.connection.executemany(f"INSERT INTO {name} VALUES ({', '.join('?' * len(columns))})", rows)
            return
        with cursor.copy(f"COPY {name} FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)


@contextmanager
def loading() -> Iterator[None]:
    """SQLite for many rows: a larger cache, fewer checkpoints, no mapping of the file into memory, and no look at the
    row that a foreign key names: whoever loads looks these up in the same transaction, while nobody else writes.
    """
    with _set(LOADING):
        yield


@contextmanager
def reading() -> Iterator[None]:
    """SQLite without its file in memory: a large one would count as the process's own, up to the whole mapping."""
    with _set(READING):
        yield


@contextmanager
def _set(settings: dict[str, int]) -> Iterator[None]:
    if not sql.is_sqlite():
        yield
        return
    usual = {name: sql.first(f"PRAGMA {name}", []) for name in settings}
    _pragmas(settings)
    try:
        yield
    finally:
        _pragmas({name: int(value[0]) for name, value in usual.items() if value is not None})


def _pragmas(values: dict[str, int]) -> None:
    with connection.cursor() as cursor:
        for name, value in values.items():
            cursor.execute(f"PRAGMA {name} = {value}")
