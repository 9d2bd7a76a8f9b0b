"""PandaLM's test set: two responses and several annotators' choices; 0 is a tie, 1 and 2 name the better one."""

import re
from collections.abc import Iterator
from typing import Any

from labeling.formats.items import Choice, Item, Order, RankingItem, Refusal, instructed, text

NAME = "pandalm"
_RANKS = {0: (1, 1), 1: (1, 2), 2: (2, 1)}
_ANNOTATOR = re.compile(r"annotator\d+")


def matches(record: Any) -> bool:
    return isinstance(record, dict) and {"response1", "response2", "instruction"} <= set(record)


def read(record: Any) -> Iterator[Item]:
    sources = str(record.get("cmp_key") or "").split("_")
    first, second = sources if len(sources) == 2 else ("first", "second")
    orders = []
    for name in sorted(key for key in record if _ANNOTATOR.fullmatch(key)):
        vote = record[name]
        if type(vote) is not int or vote not in _RANKS:
            raise Refusal(f"{name} must be 0, 1 or 2; found {vote!r:.40}")
        orders.append(Order(ranks=_RANKS[vote], annotator=name))
    if not orders:
        raise Refusal("there is no annotator1")
    yield RankingItem(
        messages=instructed(record),
        responses=(
            Choice(text=text(record, "response1"), source=first),
            Choice(text=text(record, "response2"), source=second),
        ),
        orders=tuple(orders),
    )
