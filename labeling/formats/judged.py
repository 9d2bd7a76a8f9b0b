"""Two outputs and which is better: alpaca_eval's annotations, and LLMBar's pairs.

alpaca_eval's `preference` is 1 or 2, 0 or 1.5 for a draw, or a judge's probability between 1 and 2.
"""

import math
from collections.abc import Iterator
from typing import Any

from labeling.formats.items import Choice, Item, Order, RankingItem, Refusal, asked, instructed, text

NAME = "judged"


def matches(record: Any) -> bool:
    return (
        isinstance(record, dict)
        and {"output_1", "output_2"} <= set(record)
        and bool({"preference", "label"} & set(record))
    )


def read(record: Any) -> Iterator[Item]:
    first, second = text(record, "output_1"), text(record, "output_2")
    if first == second:
        raise Refusal("output_1 and output_2 are the same")
    yield RankingItem(
        messages=instructed(record) if "instruction" in record else asked(text(record, "input")),
        responses=(
            Choice(text=first, source=str(record.get("generator_1") or "first")[:200]),
            Choice(text=second, source=str(record.get("generator_2") or "second")[:200]),
        ),
        orders=(Order(ranks=_ranks(record), annotator=str(record.get("annotator") or "")[:80]),),
    )


def _ranks(record: dict[str, Any]) -> tuple[int, int]:
    name = "preference" if "preference" in record else "label"
    given = record[name]
    if isinstance(given, bool) or not isinstance(given, (int, float)) or not math.isfinite(given):
        raise Refusal(f"{name} must be a number; found {given!r:.40}")
    if given in (0, 1.5):
        return 1, 1
    if not 1 <= given <= 2:
        raise Refusal(f"{name} must be 0 for a draw, or from 1 to 2; found {given!r:.40}")
    return (1, 2) if given < 1.5 else (2, 1)
