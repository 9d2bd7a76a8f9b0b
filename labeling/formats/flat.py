"""Messages that name their parent, as Open-Assistant's flat exports do: put together to trees, read as these.

The one format whose records need each other, so all of them are held at once, up to a limit.
"""

from collections.abc import Iterator
from typing import Any

from labeling.formats import oasst
from labeling.formats.items import Item, Refusal, Unreadable, text

NAME = "messages"
MOST = 500_000


def matches(record: Any) -> bool:
    return isinstance(record, dict) and "text" in record and "role" in record and bool(_PARENT & set(record))


_PARENT = {"parent_id", "parent_message_id"}
_OWN = ("message_id", "user_message_id")


def read_all(records: Iterator[tuple[Any, Any]]) -> Iterator[tuple[Any, tuple[Item, ...] | Refusal]]:
    """(place, items) of each tree at its root's place, and a `Refusal` for each message that is in no tree."""
    messages: dict[str, dict[str, Any]] = {}
    places: dict[str, Any] = {}
    for place, record in records:
        if len(messages) >= MOST:
            raise Unreadable(f"holds more than {MOST} messages that name their parents; use trees instead")
        try:
            if isinstance(record, Refusal):
                raise record
            if not isinstance(record, dict):
                raise Refusal(f"must be an object; found {type(record).__name__}")
            identity = _identity(record)
            if identity in messages:
                raise Refusal(f"the message {identity!r:.40} comes twice")
        except Refusal as refusal:
            yield place, refusal
            continue
        messages[identity], places[identity] = {**record, "replies": []}, place
    roots = []
    for identity, message in messages.items():
        parent = _parent(message)
        if parent is None:
            roots.append(identity)
        elif parent in messages:
            messages[parent]["replies"].append(message)
    reached: set[str] = set()
    for root in roots:
        reached |= _below(messages[root])
        try:
            yield places[root], tuple(oasst.read(messages[root]))
        except Refusal as refusal:
            yield places[root], refusal
    for identity, message in messages.items():
        if identity not in reached:
            parent = _parent(message)
            missing = parent not in messages
            reason = (
                f"its parent {parent!r:.40} is not there" if missing else "its ancestors lead nowhere, or in a circle"
            )
            yield places[identity], Refusal(reason)


def _below(root: dict[str, Any]) -> set[str]:
    found, waiting = set(), [root]
    while waiting:
        message = waiting.pop()
        found.add(_identity(message))
        waiting.extend(message["replies"])
    return found


def _identity(message: dict[str, Any]) -> str:
    return text(message, next((key for key in _OWN if key in message), _OWN[0]))


def _parent(message: dict[str, Any]) -> str | None:
    return next((message[key] for key in _PARENT if isinstance(message.get(key), str) and message[key]), None)
