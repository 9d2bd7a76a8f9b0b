"""Plain SQL for the hot path, on both databases: there, building a query by the ORM costs more than running it.

Only hand-out and submission use this; statements are constants, values are always parameters.
"""

import fcntl
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, connection, connections, transaction
from django.db.models import Field, Model

# (vendor, model, column names) -> (the statement up to VALUES, the placeholders of one row, the fields)
_inserts: dict[tuple[str, type[Model], tuple[str, ...]], tuple[str, str, list[tuple[Field, Any]]]] = {}
_MISSING = object()


@contextmanager
def writing() -> Iterator[None]:
    """A transaction that writes.

    On SQLite, the processes queue for it at a file lock, which wakes the next one at once. SQLite itself has those
    who wait sleep and try again, for up to a tenth of a second at a time, while others overtake them.
    """
    if is_sqlite() and not connection.in_atomic_block and not connection.is_in_memory_db():  # type: ignore[attr-defined]
        with Path(f"{connection.settings_dict['NAME']}.queue").open("w") as queue:
            fcntl.flock(queue, fcntl.LOCK_EX)
            with transaction.atomic():
                yield
    else:
        with transaction.atomic():
            yield


@contextmanager
def batch() -> Iterator[None]:
    """Send the statements within, whose results nobody reads, in one round trip where the database is a server."""
    if is_sqlite():
        yield
    else:
        connection.ensure_connection()
        with connection.connection.pipeline():
            yield


def first(statement: str, values: Sequence[Any]) -> tuple[Any, ...] | None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchone()


def rows(statement: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall()


def change(statement: str, values: Sequence[Any]) -> int:
    """How many rows were changed."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.rowcount


def insert(model: type[Model], **values: Any) -> int:
    """Insert one row and return its key. What is left out takes the model's default."""
    names = tuple(values)
    start, marks, fields = _insert(model, names)
    row = _row(fields, values)
    with connection.cursor() as cursor:
        cursor.execute(f"{start} ({marks}) RETURNING id", row)
        return int(cursor.fetchone()[0])


def add(model: type[Model], **values: Any) -> None:
    """Insert one row whose key nobody needs."""
    insert_many(model, [values])


def insert_many(model: type[Model], many: Sequence[dict[str, Any]]) -> None:
    """Insert rows that give the same names, in one statement."""
    start, marks, fields = _insert(model, tuple(many[0]))
    flat = [value for values in many for value in _row(fields, values)]
    with connection.cursor() as cursor:
        cursor.execute(f"{start} {', '.join([f'({marks})'] * len(many))}", flat)


def is_sqlite() -> bool:
    return connection.vendor == "sqlite"


def key(value: UUID) -> Any:
    """A UUID as a parameter."""
    return value.hex if is_sqlite() else value


def time(value: datetime) -> Any:
    return connection.ops.adapt_datetimefield_value(value)


def as_uuid(value: UUID | str) -> UUID:
    """A UUID out of a row."""
    return value if isinstance(value, UUID) else UUID(value)


def as_json(value: Any) -> Any:
    """A JSON column out of a row."""
    return json.loads(value) if isinstance(value, (str, bytes)) else value


def _insert(model: type[Model], names: tuple[str, ...]) -> tuple[str, str, list[tuple[Field, Any]]]:
    known = _inserts.get((connection.vendor, model, names))
    if known is None:
        given = set(names)
        fields = [
            (field, field.attname if field.attname in given else _MISSING)
            for field in model._meta.concrete_fields
            if not field.primary_key
        ]
        assert given <= {field.attname for field, _ in fields}, given
        columns = ", ".join(connection.ops.quote_name(field.column or "") for field, _ in fields)
        start = f"INSERT INTO {connection.ops.quote_name(model._meta.db_table)} ({columns}) VALUES"
        known = (start, ", ".join(["%s"] * len(fields)), fields)
        _inserts[connection.vendor, model, names] = known
    return known


def _row(fields: list[tuple[Field, Any]], values: dict[str, Any]) -> list[Any]:
    # Not `connection`: that stands in for the real one and looks it up at each use.
    real = connections[DEFAULT_DB_ALIAS]
    return [
        field.get_db_prep_save(field.get_default() if name is _MISSING else values[name], real)
        for field, name in fields
    ]
