"""Plain SQL for the hot path, on both databases: there, building a query by the ORM costs more than running it.

Only hand-out and submission use this; statements are constants, values are always parameters.
"""

import fcntl
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, connection, connections, transaction
from django.db.models import DateTimeField, JSONField, Model, UUIDField

# (vendor, model, column names) -> (the statement up to VALUES, the placeholders of one row, its columns)
_inserts: dict[tuple[str, type[Model], tuple[str, ...]], tuple[str, str, list["_Column"]]] = {}


# The changes of a batch that is open; None: there is none.
_gathered: ContextVar[list[tuple[str, Sequence[Any]]] | None] = ContextVar("gathered", default=None)


class _Column(NamedTuple):
    name: str
    default: Callable[[], Any] | None  # None: the value is given
    convert: Callable[[Any, Any], Any] | None  # None: the database's driver takes the value as it is


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
    """Send the changes within, whose results nobody reads, as one statement where the database is a server.

    They must touch different rows: none of them sees what the others do.
    """
    if is_sqlite():
        yield
        return
    gathered: list[tuple[str, Sequence[Any]]] = []
    outer = _gathered.set(gathered)
    try:
        yield
    finally:
        _gathered.reset(outer)
    parts = ", ".join(f"part{number} AS ({statement})" for number, (statement, _) in enumerate(gathered))
    with cursor() as opened:
        opened.execute(f"WITH {parts} SELECT 1", [value for _, values in gathered for value in values])


def cursor() -> Any:
    """A cursor whose statements PostgreSQL parses and plans once per connection rather than at every call.

    The ORM's own cursors merge the values into the text, so that no two statements are alike.
    """
    real: Any = connections[DEFAULT_DB_ALIAS]
    if real.vendor == "sqlite":
        return real.cursor()
    from django.db.backends.postgresql.base import ServerBindingCursor

    real.ensure_connection()
    raw = ServerBindingCursor(real.connection)  # type: ignore[call-arg]
    return real.make_debug_cursor(raw) if real.queries_logged else real.make_cursor(raw)


def first(statement: str, values: Sequence[Any]) -> tuple[Any, ...] | None:
    with cursor() as opened:
        opened.execute(statement, values)
        return opened.fetchone()


def rows(statement: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    with cursor() as opened:
        opened.execute(statement, values)
        return opened.fetchall()


def change(statement: str, values: Sequence[Any]) -> int:
    """How many rows were changed; within a batch, 0, because that is not known yet."""
    gathered = _gathered.get()
    if gathered is not None:
        gathered.append((statement, values))
        return 0
    with cursor() as opened:
        opened.execute(statement, values)
        return int(opened.rowcount)


def insert(model: type[Model], **values: Any) -> int:
    """Insert one row and return its key. What is left out takes the model's default."""
    names = tuple(values)
    start, marks, columns = _insert(model, names)
    row = _row(columns, values)
    with cursor() as opened:
        opened.execute(f"{start} ({marks}) RETURNING id", row)
        return int(opened.fetchone()[0])


def add(model: type[Model], **values: Any) -> None:
    """Insert one row whose key nobody needs."""
    insert_many(model, [values])


def insert_many(model: type[Model], many: Sequence[dict[str, Any]]) -> None:
    """Insert rows that give the same names, in one statement."""
    start, marks, columns = _insert(model, tuple(many[0]))
    flat = [value for values in many for value in _row(columns, values)]
    change(f"{start} {', '.join([f'({marks})'] * len(many))}", flat)


def is_sqlite() -> bool:
    return connections[DEFAULT_DB_ALIAS].vendor == "sqlite"


def key(value: UUID) -> Any:
    """A UUID as a parameter."""
    return value.hex if is_sqlite() else value


def time(value: datetime) -> Any:
    return connection.ops.adapt_datetimefield_value(value)


def as_uuid(value: UUID | str) -> UUID:
    """A UUID out of a row."""
    return value if isinstance(value, UUID) else UUID(value)


def as_time(value: datetime | str) -> datetime:
    """A time out of a row."""
    found = datetime.fromisoformat(value) if isinstance(value, str) else value
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def as_json(value: Any) -> Any:
    """A JSON column out of a row."""
    return json.loads(value) if isinstance(value, (str, bytes)) else value


_CONVERTED = (DateTimeField, JSONField, UUIDField)


def _insert(model: type[Model], names: tuple[str, ...]) -> tuple[str, str, list[_Column]]:
    known = _inserts.get((connection.vendor, model, names))
    if known is None:
        given = set(names)
        fields = [field for field in model._meta.concrete_fields if not field.primary_key]
        assert given <= {field.attname for field in fields}, given
        columns = [
            _Column(
                field.attname,
                None if field.attname in given else field.get_default,
                field.get_db_prep_save if isinstance(field, _CONVERTED) else None,
            )
            for field in fields
        ]
        names_in_sql = ", ".join(connection.ops.quote_name(field.column or "") for field in fields)
        start = f"INSERT INTO {connection.ops.quote_name(model._meta.db_table)} ({names_in_sql}) VALUES"
        known = (start, ", ".join(["%s"] * len(fields)), columns)
        _inserts[connection.vendor, model, names] = known
    return known


def _row(columns: list[_Column], values: dict[str, Any]) -> list[Any]:
    # Not `connection`: that stands in for the real one and looks it up at each use.
    real = connections[DEFAULT_DB_ALIAS]
    row = []
    for name, default, convert in columns:
        value = default() if default else values[name]
        row.append(convert(value, real) if convert else value.value if isinstance(value, Enum) else value)
    return row
