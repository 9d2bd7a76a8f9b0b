"""Conversations as messages: one that ends with the assistant is a demonstration, else a prompt."""

from collections.abc import Iterator
from typing import Any

from labeling.formats.items import DemonstrationItem, Item, PromptItem, Refusal, turns, waiting

NAME = "chat"


def matches(record: Any) -> bool:
    return isinstance(record, dict) and any(isinstance(record.get(key), list) for key in ("messages", "conversations"))


def read(record: Any) -> Iterator[Item]:
    key = "messages" if "messages" in record else "conversations"
    messages = turns(record[key], key)
    if record.get("label", True) is not True:
        raise Refusal("the conversation is marked as undesirable: it demonstrates nothing")
    if messages[-1].role != "assistant":
        yield PromptItem(messages=messages)
        return
    if not messages[-1].content.strip():
        raise Refusal("the last reply is empty")
    yield DemonstrationItem(messages=waiting(messages[:-1]), reply=messages[-1:])
