"""Bare prompts: JSON strings, objects with a prompt or question, or first turns. Plain lines with this format named.

A record's other fields are kept in the prompt's meta.
"""

from collections.abc import Iterator
from typing import Any

from labeling.formats.items import Item, PromptItem, Refusal, asked, extras, instructed, text, turns, waiting

NAME = "prompts"
_TEXTS = ("prompt", "question")
_OURS = ("rankloop_id", "split")


def matches(record: Any) -> bool:
    if isinstance(record, str):
        return True
    return isinstance(record, dict) and (
        isinstance(record.get("prompt"), (str, list))
        or isinstance(record.get("question"), str)
        or isinstance(record.get("turns"), list)
        or ("instruction" in record and not {"output", "response", "chosen"} & set(record))
    )


def read(record: Any) -> Iterator[Item]:
    if isinstance(record, str):
        yield PromptItem(messages=asked(record))
        return
    for key in ("prompt", "messages"):
        if isinstance(record.get(key), list):
            messages = waiting(turns(record[key], key))
            yield PromptItem(
                messages=messages,
                meta=extras(record, key, *(_OURS if "rankloop_id" in record else ())),
                split=_split(record),
            )
            return
    if "turns" in record:
        # Later turns follow on replies that are not there yet: they stay in the meta.
        said = record["turns"]
        if not isinstance(said, list) or not said or not all(isinstance(one, str) for one in said):
            raise Refusal("turns must be a list of one or more texts")
        yield PromptItem(messages=asked(said[0]), meta=extras(record))
    elif "instruction" in record and "prompt" not in record:
        yield PromptItem(messages=instructed(record), meta=extras(record, "instruction", "input", "system", "history"))
    else:
        key = next((key for key in _TEXTS if key in record), "prompt")
        yield PromptItem(
            messages=asked(text(record, key)),
            meta=extras(record, key, *(_OURS if "rankloop_id" in record else ())),
            split=_split(record),
        )


def _split(record: dict[str, Any]) -> str | None:
    """Of our own exports only: what others call a split is not whether we may train on it."""
    return record.get("split") if "rankloop_id" in record and record.get("split") in ("train", "heldout") else None
