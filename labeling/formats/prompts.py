"""Bare prompts: JSON strings, or objects with a prompt as text or messages. Plain lines with this format named."""

from collections.abc import Iterator
from typing import Any

from labeling.formats.items import Item, PromptItem, asked, text, turns, waiting

NAME = "prompts"


def matches(record: Any) -> bool:
    return isinstance(record, str) or (isinstance(record, dict) and isinstance(record.get("prompt"), (str, list)))


def read(record: Any) -> Iterator[Item]:
    if isinstance(record, str):
        yield PromptItem(messages=asked(record))
        return
    prompt = record["prompt"] if "prompt" in record else record.get("messages")
    yield PromptItem(
        messages=waiting(turns(prompt, "prompt")) if isinstance(prompt, list) else asked(text(record, "prompt"))
    )
