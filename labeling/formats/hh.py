"""Anthropic's HH pairs: two whole dialogues as text, alike up to the last reply."""

import re
from collections.abc import Iterator
from typing import Any

from labeling.formats.items import Item, Refusal, Turn, pair, text

NAME = "hh"
_MARK = re.compile(r"\n\n(Human|Assistant):")


def matches(record: Any) -> bool:
    return isinstance(record, dict) and isinstance(record.get("chosen"), str) and bool(_MARK.match(record["chosen"]))


def read(record: Any) -> Iterator[Item]:
    chosen, rejected = _dialogue(text(record, "chosen")), _dialogue(text(record, "rejected"))
    if chosen[:-1] != rejected[:-1]:
        raise Refusal("chosen and rejected differ before the last reply")
    yield pair(chosen[:-1], chosen[-1].content, rejected[-1].content, "hh-rlhf")


def _dialogue(content: str) -> tuple[Turn, ...]:
    if not _MARK.match(content):
        raise Refusal("a dialogue must begin with a Human or Assistant mark")
    pieces = _MARK.split(content)[1:]
    roles = {"Human": "user", "Assistant": "assistant"}
    dialogue = tuple(
        Turn(role=roles[who], content=said.removeprefix(" "))
        for who, said in zip(pieces[::2], pieces[1::2], strict=True)
    )
    if dialogue[-1].role != "assistant":
        raise Refusal("a dialogue must end with the assistant")
    return dialogue
