"""Alpaca: instruction, input, output."""

from collections.abc import Iterator
from typing import Any

from labeling.formats.items import DemonstrationItem, Item, Refusal, Turn, instructed, text

NAME = "alpaca"


def matches(record: Any) -> bool:
    return isinstance(record, dict) and {"instruction", "output"} <= set(record)


def read(record: Any) -> Iterator[Item]:
    output = text(record, "output")
    if not output.strip():
        raise Refusal("output is empty")
    yield DemonstrationItem(messages=instructed(record), reply=(Turn(role="assistant", content=output),))
