"""Text that both databases can store."""

import re

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def is_storable(text: str) -> bool:
    """PostgreSQL takes no NUL, and UTF-8 has no lone surrogates."""
    return not _UNSTORABLE.search(text)


def storable(text: str) -> str:
    """The text with what cannot be stored replaced. For what models write; people are told instead."""
    return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", text)
