"""Preference pairs as TRL, LLaMA-Factory and OpenAI write them: chosen and rejected, as texts or as messages."""

from collections.abc import Iterator
from typing import Any

from labeling.formats.items import Item, Refusal, Turn, asked, instructed, pair, system, text, turn, turns

NAME = "pairs"


def matches(record: Any) -> bool:
    return isinstance(record, dict) and (
        ("rejected" in record and bool({"chosen", "prompt", "instruction"} & set(record)))
        or {"preferred_output", "non_preferred_output"} <= set(record)
    )


def read(record: Any) -> Iterator[Item]:
    if "preferred_output" in record:  # OpenAI's preference fine-tuning
        given = record.get("input")
        record = {
            "prompt": given.get("messages") if isinstance(given, dict) else given,
            "chosen": record["preferred_output"],
            "rejected": record.get("non_preferred_output"),
        }
    before = _prompt(record)
    chosen, rejected = (_said(record, key, before) for key in ("chosen", "rejected"))
    if chosen[:-1] != rejected[:-1]:
        raise Refusal("chosen and rejected differ before the last reply")
    for reply in (chosen[-1], rejected[-1]):
        if reply.role != "assistant":
            raise Refusal("chosen and rejected must end with the assistant")
    yield pair((*before, *chosen[:-1]), chosen[-1].content, rejected[-1].content, "imported")


def _prompt(record: dict[str, Any]) -> tuple[Turn, ...]:
    for key in ("prompt", "conversations", "messages"):
        if isinstance(record.get(key), list):
            return system(record) + turns(record[key], key)
    if "prompt" in record:
        return asked(text(record, "prompt"))
    if "instruction" in record:
        return instructed(record)
    return ()


def _said(record: dict[str, Any], key: str, before: tuple[Turn, ...]) -> tuple[Turn, ...]:
    """The turns after the prompt; some writers repeat the prompt in front of them."""
    value = record.get(key)
    if isinstance(value, str):
        return (Turn(role="assistant", content=value),)
    if isinstance(value, dict):
        return (turn(value, key),)
    said = turns(value, key)
    return said[len(before) :] if before and len(said) > len(before) and said[: len(before)] == before else said
