"""Texts to pretrain on: objects with a text, or a plain text file with this format named."""

from collections.abc import Iterator
from typing import Any

from labeling.formats.items import DocumentItem, Item, Refusal, text

NAME = "corpus"


def matches(record: Any) -> bool:
    return isinstance(record, dict) and isinstance(record.get("text"), str) and "role" not in record


def read(record: Any) -> Iterator[Item]:
    content = record if isinstance(record, str) else text(record, "text")
    if not content.strip():
        raise Refusal("the text is empty")
    yield DocumentItem(text=content)
