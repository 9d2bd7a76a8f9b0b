"""Open-Assistant's message trees: replies nested in replies; rank 0 is the best among siblings.

Each turn of a prompter is a prompt; each group of two or more ranked replies to it is a ranking.
"""

from collections.abc import Iterator
from typing import Any

from labeling.formats.items import Choice, Item, Order, PromptItem, RankingItem, Refusal, Turn, turn

NAME = "oasst"


def matches(record: Any) -> bool:
    return isinstance(record, dict) and (
        ("message_tree_id" in record and "prompt" in record)
        or (
            {"message_id", "role"} <= set(record)
            and ("replies" in record or not {"parent_id", "parent_message_id"} & set(record))
        )
    )


def read(record: Any) -> Iterator[Item]:
    root = record.get("prompt", record)
    if not isinstance(root, dict):
        raise Refusal("prompt must be a message")
    # A stack, not recursion: trees may be deep.
    waiting: list[tuple[dict[str, Any], tuple[Turn, ...]]] = [(root, ())]
    while waiting:
        message, before = waiting.pop()
        if message.get("deleted"):
            continue
        path = (*before, turn({"role": message.get("role"), "content": message.get("text")}, "message"))
        replies = message.get("replies") or []
        if not isinstance(replies, list) or not all(isinstance(reply, dict) for reply in replies):
            raise Refusal("replies must be a list of messages")
        if path[-1].role == "user":
            yield PromptItem(messages=path)
            yield from _ranking(path, [reply for reply in replies if not reply.get("deleted")])
        waiting.extend((reply, path) for reply in reversed(replies))


def _ranking(path: tuple[Turn, ...], replies: list[dict[str, Any]]) -> Iterator[RankingItem]:
    replies = [reply for reply in replies if reply.get("role") == "assistant"]
    given = [reply.get("rank") for reply in replies]
    if sum(rank is not None for rank in given) < 2:
        return
    if not all(rank is None or (type(rank) is int and rank >= 0) for rank in given):
        raise Refusal("rank must be a whole number from 0")
    places = {rank: place for place, rank in enumerate(sorted({rank for rank in given if rank is not None}), start=1)}
    yield RankingItem(
        messages=path,
        responses=tuple(
            Choice(
                text=turn({"role": "assistant", "content": reply.get("text")}, "reply").content,
                source=str(reply.get("model_name") or "oasst volunteer"),
            )
            for reply in replies
        ),
        orders=(Order(ranks=tuple(None if rank is None else places[rank] for rank in given), annotator="consensus"),),
    )
