"""Alpaca: instruction, input, and output or response; LLaMA-Factory adds system and history."""

from collections.abc import Iterator
from typing import Any

from labeling.formats.items import Item, demonstrated, instructed, text

NAME = "alpaca"


def matches(record: Any) -> bool:
    return isinstance(record, dict) and "instruction" in record and bool({"output", "response"} & set(record))


def read(record: Any) -> Iterator[Item]:
    yield demonstrated(instructed(record), text(record, "output" if "output" in record else "response"))
