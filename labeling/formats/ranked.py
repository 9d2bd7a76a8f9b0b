"""Ranked lists: a prompt, responses with ids, and groups of ids from best to worst; a group's members tie."""

from collections.abc import Iterator
from typing import Any

from labeling.formats.items import Choice, Item, Order, RankingItem, Refusal, asked, text, turns, waiting

NAME = "ranked"


def matches(record: Any) -> bool:
    return isinstance(record, dict) and "responses" in record and ("ranking_groups" in record or "ranking" in record)


def read(record: Any) -> Iterator[Item]:
    prompt = record.get("prompt")
    messages = turns(prompt, "prompt") if isinstance(prompt, list) else asked(text(record, "prompt"))
    responses = record.get("responses")
    if not isinstance(responses, list) or len(responses) < 2 or not all(isinstance(one, dict) for one in responses):
        raise Refusal("responses must be a list of two or more objects")
    ids = [text(one, "id") for one in responses]
    if len(set(ids)) != len(ids):
        raise Refusal("responses repeat an id")
    bad = tuple(one.get("unacceptable") is True for one in responses)
    groups = record["ranking_groups"] if "ranking_groups" in record else [[id] for id in record["ranking"]]
    yield RankingItem(
        messages=waiting(messages),
        responses=tuple(Choice(text=text(one, "text"), source=str(one.get("model") or "unknown")) for one in responses),
        orders=(
            Order(
                ranks=_ranks(ids, groups),
                annotator=str(record.get("judge") or "")[:80],
                unacceptable=bad if any(bad) else (),
            ),
        ),
    )


def _ranks(ids: list[str], groups: Any) -> tuple[int | None, ...]:
    if not isinstance(groups, list) or not all(isinstance(group, list) and group for group in groups):
        raise Refusal("ranking_groups must be a list of lists of response ids")
    ranks: dict[str, int] = {}
    for place, group in enumerate(groups, start=1):
        for id in group:
            if not isinstance(id, str) or id not in ids:
                raise Refusal(f"the ranking names {id!r:.40}, which is not a response")
            if id in ranks:
                raise Refusal(f"the ranking names {id!r:.40} twice")
            ranks[id] = place
    if len(ranks) < 2:
        raise Refusal("the ranking must order two or more responses")
    return tuple(ranks.get(id) for id in ids)
