"""Text that both databases can store."""

import re
from typing import Any

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def is_storable(text: str) -> bool:
    """PostgreSQL takes no NUL, and UTF-8 has no lone surrogates."""
    return not _UNSTORABLE.search(text)


def storable(text: str) -> str:
    """The text with what cannot be stored replaced. For what models write; people are told instead."""
    return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def is_storable_json(value: Any) -> bool:
    """The same for every text within a JSON value, keys included."""
    if isinstance(value, str):
        return is_storable(value)
    if isinstance(value, dict):
        return all(is_storable(key) and is_storable_json(one) for key, one in value.items())
    return not isinstance(value, list) or all(is_storable_json(one) for one in value)
