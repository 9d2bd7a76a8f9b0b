"""Our own exports and snapshots, so that what goes out comes back the same."""

from collections.abc import Iterator
from typing import Any

from contracts.records import DemonstrationRecord, Message, PromptRecord, RankingRecord, RecordError
from labeling.formats.items import Choice, DemonstrationItem, Item, Order, PromptItem, RankingItem, Refusal, Turn

NAME = "rankloop"


def matches(record: Any) -> bool:
    return isinstance(record, dict) and (
        {"prompt_id", "group", "responses"} <= set(record)
        or {"prompt_id", "reply"} <= set(record)
        or {"id", "messages", "split"} <= set(record)
    )


def read(record: Any) -> Iterator[Item]:
    if not isinstance(record, dict):
        raise Refusal("must be an object")
    try:
        if "group" in record:
            yield _ranking(RankingRecord.from_json(record))
        elif "reply" in record:
            demonstration = DemonstrationRecord.from_json(record)
            yield DemonstrationItem(
                messages=_turns(demonstration.prompt),
                reply=_turns(demonstration.reply),
                annotator=demonstration.labeler,
                split=demonstration.split,
            )
        else:
            prompt = PromptRecord.from_json(record)
            yield PromptItem(messages=_turns(prompt.messages), meta=prompt.meta, split=prompt.split)
    except RecordError as error:
        raise Refusal(str(error)) from None


def _ranking(ranking: RankingRecord) -> RankingItem:
    return RankingItem(
        messages=_turns(ranking.prompt),
        responses=tuple(
            Choice(text=one.text, source=one.source.removeprefix("outside:") or "unknown") for one in ranking.responses
        ),
        orders=(
            Order(
                ranks=tuple(one.rank for one in ranking.responses),
                annotator=ranking.labeler,
                unacceptable=tuple(one.unacceptable for one in ranking.responses),
            ),
        ),
        split=ranking.split,
        sampling=ranking.sampling,
    )


def _turns(messages: tuple[Message, ...]) -> tuple[Turn, ...]:
    return tuple(Turn(role=one.role, content=one.content, name=one.name) for one in messages)
