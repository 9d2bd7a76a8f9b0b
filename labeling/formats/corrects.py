"""Prompts with right and wrong answers: the right ones tie for the first place, the wrong ones for the second."""

from collections.abc import Iterator
from typing import Any

from labeling.formats.items import Choice, Item, Order, RankingItem, Refusal, asked, text, turns, waiting

NAME = "corrects"


def matches(record: Any) -> bool:
    return isinstance(record, dict) and {"prompt", "corrects", "incorrects"} <= set(record)


def read(record: Any) -> Iterator[Item]:
    prompt = record.get("prompt")
    messages = waiting(turns(prompt, "prompt")) if isinstance(prompt, list) else asked(text(record, "prompt"))
    right, wrong = (_texts(record, key) for key in ("corrects", "incorrects"))
    if set(right) & set(wrong):
        raise Refusal("an answer is both right and wrong")
    yield RankingItem(
        messages=messages,
        responses=tuple(Choice(text=one, source="answer key") for one in (*right, *wrong)),
        orders=(Order(ranks=(1,) * len(right) + (2,) * len(wrong), annotator="answer key"),),
    )


def _texts(record: dict[str, Any], key: str) -> list[str]:
    value = record.get(key)
    if not isinstance(value, list) or not value or not all(isinstance(one, str) for one in value):
        raise Refusal(f"{key} must be a list of one or more texts")
    return value
