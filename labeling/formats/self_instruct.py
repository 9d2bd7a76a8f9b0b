"""Self-instruct tasks: an instruction with instances, each an input and its output."""

from collections.abc import Iterator
from typing import Any

from labeling.formats.items import Item, Refusal, demonstrated, extras, instructed, text

NAME = "self_instruct"


def matches(record: Any) -> bool:
    return isinstance(record, dict) and {"instruction", "instances"} <= set(record)


def read(record: Any) -> Iterator[Item]:
    instances = record.get("instances")
    if not isinstance(instances, list) or not instances or not all(isinstance(one, dict) for one in instances):
        raise Refusal("instances must be a list of one or more objects")
    meta = extras(record, "instruction", "instances")
    for one in instances:
        messages = instructed({"instruction": record.get("instruction"), "input": one.get("input")})
        yield demonstrated(messages, text(one, "output"), meta)
