"""Dolly: instruction, context, response, category."""

from collections.abc import Iterator
from typing import Any

from labeling.formats.items import Item, demonstrated, extras, instructed, text

NAME = "dolly"


def matches(record: Any) -> bool:
    return isinstance(record, dict) and {"instruction", "context", "response"} <= set(record)


def read(record: Any) -> Iterator[Item]:
    meta = extras(record, "instruction", "context", "response")
    yield demonstrated(instructed(record, "context"), text(record, "response"), meta)
