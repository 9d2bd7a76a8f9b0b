"""Conversations as messages (OpenAI chat, ShareGPT): one that ends with the assistant demonstrates, others are prompts.

The definitions of tools that come beside the messages are kept in the prompt's meta.
"""

from collections.abc import Iterator
from typing import Any

from labeling.formats.items import DemonstrationItem, Item, PromptItem, Refusal, system, turns, waiting

NAME = "chat"


def matches(record: Any) -> bool:
    return isinstance(record, dict) and any(isinstance(record.get(key), list) for key in ("messages", "conversations"))


def read(record: Any) -> Iterator[Item]:
    key = "messages" if "messages" in record else "conversations"
    messages = system(record) + turns(record.get(key), key)
    if record.get("label", True) is not True:
        raise Refusal("the conversation is marked as undesirable: it demonstrates nothing")
    meta = {"tools": record["tools"]} if record.get("tools") else {}
    if messages[-1].role != "assistant":
        yield PromptItem(messages=waiting(messages), meta=meta)
        return
    if not messages[-1].content.strip():
        raise Refusal("the last reply is empty")
    yield DemonstrationItem(messages=waiting(messages[:-1]), reply=messages[-1:], meta=meta)
