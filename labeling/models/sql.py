"""Plain SQL for the hot path, on both databases: there, building a query by the ORM costs more than running it.

Only hand-out and submission use this; statements are constants, values are always parameters.
"""

import fcntl
import os
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from enum import Enum
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

import orjson
from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.models import DateTimeField, JSONField, Model, UUIDField
from django.db.models.base import ModelState

M = TypeVar("M", bound=Model)

# (for SQLite, model, column names) -> (the statement up to VALUES, the placeholders of one row, its columns)
_inserts: dict[tuple[bool, type[Model], tuple[str, ...]], tuple[str, str, list["_Column"]]] = {}


# The changes of a batch that is open; None: there is none.
_gathered: ContextVar[list[tuple[str, Sequence[Any]]] | None] = ContextVar("gathered", default=None)

# The thread's own open queue file: a lock belongs to an opened file, not to a process.
_queues = threading.local()


class _Column(NamedTuple):
    name: str
    default: Callable[[], Any] | None  # None: the value is given
    # Takes the value, and whether it is for SQLite. None: the driver takes it as it is.
    convert: Callable[[Any, bool], Any] | None


@contextmanager
def writing() -> Iterator[None]:
    """A transaction that writes.

    On SQLite, the processes queue for it at a file lock, which wakes the next one at once. SQLite itself has those
    who wait sleep and try again, for up to a tenth of a second at a time, while others overtake them.
    """
    real: Any = connections[DEFAULT_DB_ALIAS]
    if real.vendor == "sqlite" and not real.in_atomic_block and not real.is_in_memory_db():
        queue = _queue(f"{real.settings_dict['NAME']}.queue").descriptor
        fcntl.flock(queue, fcntl.LOCK_EX)
        try:
            with transaction.atomic():
                yield
        finally:
            fcntl.flock(queue, fcntl.LOCK_UN)
    else:
        with transaction.atomic():
            yield


class _Queue:
    """An open file for one thread of one process; it closes when the thread ends."""

    def __init__(self, path: str) -> None:
        self.path, self.process = path, os.getpid()
        self.descriptor = os.open(path, os.O_CREAT | os.O_WRONLY, 0o644)

    def __del__(self) -> None:
        os.close(self.descriptor)

    def is_at(self, path: str) -> bool:
        """False too where the file was removed meanwhile, or opened before a fork."""
        return (path, os.getpid()) == (self.path, self.process) and os.fstat(self.descriptor).st_nlink > 0


def _queue(path: str) -> _Queue:
    known: _Queue | None = getattr(_queues, "known", None)
    if known is None or not known.is_at(path):
        known = _queues.known = _Queue(path)
    return known


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
    _run(f"WITH {parts} SELECT 1", [value for _, values in gathered for value in values])


def _run(statement: str, values: Sequence[Any]) -> Any:
    """Execute on the driver's own cursor, and return that.

    PostgreSQL parses and plans a statement once per connection rather than at every call: the ORM's own cursors merge
    the values into the text, so that no two statements are alike. Django's wrapper is left out where nobody listens.
    """
    real: Any = connections[DEFAULT_DB_ALIAS]
    real.ensure_connection()
    raw: Any
    if real.vendor == "sqlite":
        raw = real.connection.cursor()
        placed = _qmarks(statement)
    else:
        from django.db.backends.postgresql.base import ServerBindingCursor

        raw = ServerBindingCursor(real.connection)  # type: ignore[call-arg]
        placed = statement
    if real.queries_logged or real.execute_wrappers:
        heard = real.cursor() if real.vendor == "sqlite" else real.make_debug_cursor(raw)
        heard.execute(statement, values)
        return heard
    real.validate_no_broken_transaction()
    with real.wrap_database_errors:
        raw.execute(placed, values)
    return raw


@lru_cache(maxsize=500)
def _qmarks(statement: str) -> str:
    return re.sub("(?<!%)%s", "?", statement).replace("%%", "%")


def first(statement: str, values: Sequence[Any]) -> tuple[Any, ...] | None:
    found: tuple[Any, ...] | None = _run(statement, values).fetchone()
    return found


def rows(statement: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = _run(statement, values).fetchall()
    return found


def change(statement: str, values: Sequence[Any]) -> int:
    """How many rows were changed; within a batch, 0, because that is not known yet."""
    gathered = _gathered.get()
    if gathered is not None:
        gathered.append((statement, values))
        return 0
    return int(_run(statement, values).rowcount)


def insert(model: type[Model], **values: Any) -> int:
    """Insert one row and return its key. What is left out takes the model's default.

    With a key that the database gave before as `id`, the row may be part of a batch.
    """
    start, marks, columns = _insert(model, tuple(values))
    row = _row(columns, values)
    if "id" in values:
        change(f"{start} ({marks})", row)
        return int(values["id"])
    return int(_run(f"{start} ({marks}) RETURNING id", row).fetchone()[0])


def add(model: type[Model], **values: Any) -> None:
    """Insert one row whose key nobody needs."""
    insert_many(model, [values])


def insert_many(model: type[Model], many: Sequence[dict[str, Any]]) -> None:
    """Insert rows that give the same names, in one statement."""
    start, marks, columns = _insert(model, tuple(many[0]))
    flat = [value for values in many for value in _row(columns, values)]
    change(f"{start} {', '.join([f'({marks})'] * len(many))}", flat)


def loaded(model: type[M], related: dict[str, Model] | None = None, /, **values: Any) -> M:
    """A stored row as an instance, at a tenth of what the ORM's own takes; columns left out are read when asked for."""
    one = model.__new__(model)
    one._state = ModelState()
    one._state.adding = False
    one._state.db = DEFAULT_DB_ALIAS
    one.__dict__.update(values)
    if related:
        one._state.fields_cache.update(related)
    return one


def is_sqlite() -> bool:
    # Not the connection's vendor: to look up a thread's connection takes as long as some statements.
    return bool(connections.databases[DEFAULT_DB_ALIAS]["ENGINE"].endswith("sqlite3"))


def key(value: UUID) -> Any:
    """A UUID as a parameter."""
    return _uuid(value, is_sqlite())


def time(value: datetime) -> Any:
    """A time as a parameter."""
    return _time(value, is_sqlite())


def as_uuid(value: UUID | str) -> UUID:
    """A UUID out of a row."""
    return value if isinstance(value, UUID) else UUID(value)


def as_time(value: datetime | str) -> datetime:
    """A time out of a row."""
    found = datetime.fromisoformat(value) if isinstance(value, str) else value
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def as_json(value: Any) -> Any:
    """A JSON column out of a row."""
    return orjson.loads(value) if isinstance(value, (str, bytes)) else value


def _time(value: datetime, for_sqlite: bool) -> Any:
    return str(value.astimezone(UTC).replace(tzinfo=None)) if for_sqlite else value


def _json(value: Any, for_sqlite: bool) -> Any:
    if for_sqlite:
        return orjson.dumps(value).decode()
    from psycopg.types.json import Jsonb

    return Jsonb(value, orjson.dumps)


def _uuid(value: UUID, for_sqlite: bool) -> Any:
    return value.hex if for_sqlite else value


# By field: how its value is given to the driver; others as they are.
_CONVERSIONS: dict[type, Callable[[Any, bool], Any]] = {DateTimeField: _time, JSONField: _json, UUIDField: _uuid}


def _insert(model: type[Model], names: tuple[str, ...]) -> tuple[str, str, list[_Column]]:
    known = _inserts.get((is_sqlite(), model, names))
    if known is None:
        quoted = connections[DEFAULT_DB_ALIAS].ops.quote_name
        given = set(names)
        fields = [field for field in model._meta.concrete_fields if not field.primary_key or field.attname in given]
        assert given <= {field.attname for field in fields}, given
        columns = [
            _Column(
                field.attname,
                None if field.attname in given else field.get_default,
                _CONVERSIONS.get(type(field)),
            )
            for field in fields
        ]
        names_in_sql = ", ".join(quoted(field.column or "") for field in fields)
        start = f"INSERT INTO {quoted(model._meta.db_table)} ({names_in_sql}) VALUES"
        known = (start, ", ".join(["%s"] * len(fields)), columns)
        _inserts[is_sqlite(), model, names] = known
    return known


def _row(columns: list[_Column], values: dict[str, Any]) -> list[Any]:
    for_sqlite = is_sqlite()
    row = []
    for name, default, convert in columns:
        value = default() if default else values[name]
        if value is not None and convert:
            value = convert(value, for_sqlite)
        row.append(value.value if isinstance(value, Enum) else value)
    return row
