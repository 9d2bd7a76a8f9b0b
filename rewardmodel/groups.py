"""Rankings into tokenized groups: one prompt, K responses, and which beats which.

Nothing is dropped in silence: rows that teach nothing are refused and rows that are too long are cut, and
both are counted. Pairs are never stored; a group stays one unit of work.
Where to read next: `losses.py` for what a group costs.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from contracts import snapshots
from contracts.records import RankedResponse, RankingRecord
from contracts.snapshots import content_hash
from rewardmodel import chat
from rewardmodel.batches import Shape
from rewardmodel.errors import RewardModelError


class GroupError(RewardModelError):
    """Rankings cannot be trained or evaluated on. Says what was found, expected, and the remedy."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """One ranking in token ids. `pairs` holds (better, worse) positions of every decided pair."""

    id: str
    group: str
    prompt_id: str
    conversation: str  # hash of the prompt's messages: the same prompt never lies on both sides of a split
    labeler: str
    weight: float
    split: str
    prompt: tuple[int, ...]
    responses: tuple[tuple[int, ...], ...]
    response_ids: tuple[str, ...]
    sources: tuple[str, ...]
    flags: tuple[tuple[str, ...], ...]
    pairs: tuple[tuple[int, int], ...]
    ranks: tuple[int | None, ...] = ()
    likert: tuple[int | None, ...] = ()
    confidence: int | None = None
    guideline_version: int = 0

    @property
    def shape(self) -> Shape:
        return len(self.prompt), max(map(len, self.responses)), len(self.responses)

    @property
    def tokens(self) -> int:
        return len(self.prompt) + sum(map(len, self.responses))


@dataclass
class Counts:
    """What happened to the rows on their way in."""

    rankings: int = 0
    refused: Counter[str] = field(default_factory=Counter)  # reason -> rankings
    truncated: int = 0  # responses cut at their end
    prompts_cut: int = 0  # prompts cut at their start
    retokenized: int = 0  # responses whose stored ids are of another tokenizer
    unknown_tokens: int = 0  # tokens that stand for text the tokenizer cannot spell


def read(path: Path | str, tokenizer: Any, *, max_length: int) -> tuple[list[Group], Counts]:
    """Groups of a rankings snapshot or JSONL file. A snapshot is verified against its manifest first.

    Raises `SnapshotError` for bad rows and `GroupError` where no ranking is left to learn from.
    """
    path = Path(path)
    if path.is_dir():
        snapshots.verify(path)
    elif not path.is_file():
        raise GroupError(f"rankings {path}: found no such file, expected a snapshot folder or a JSONL file; check it")
    return make(snapshots.read(path, RankingRecord), tokenizer, max_length=max_length)


def make(records: Iterable[RankingRecord], tokenizer: Any, *, max_length: int) -> tuple[list[Group], Counts]:
    """Tokenize rankings. Responses keep their sampled ids where those are this tokenizer's own."""
    counts = Counts()
    made = []
    prompts: dict[str, list[int]] = {}
    replies: dict[str, tuple[int, ...]] = {}
    unknown = chat.unknown_counter(tokenizer)
    for record in records:
        counts.rankings += 1
        reason = _refusal(record)
        if reason:
            counts.refused[reason] += 1
            continue
        conversation = content_hash([message.to_json() for message in record.prompt])
        if conversation not in prompts:
            prompts[conversation] = chat.encode_prompt(tokenizer, record.prompt)
        responses = [_response_ids(response, tokenizer, replies, counts) for response in record.responses]
        if not all(responses):
            counts.refused["a response has no tokens"] += 1
            continue
        counts.unknown_tokens += sum(map(unknown, (prompts[conversation], *responses)))
        prompt, cut = fit(prompts[conversation], responses, max_length)
        counts.prompts_cut += len(prompt) < len(prompts[conversation])
        counts.truncated += sum(len(short) < len(whole) for short, whole in zip(cut, responses, strict=True))
        made.append(
            Group(
                id=record.id,
                group=record.group,
                prompt_id=record.prompt_id,
                conversation=conversation,
                labeler=record.labeler,
                weight=record.weight,
                split=record.split,
                prompt=tuple(prompt),
                responses=tuple(map(tuple, cut)),
                response_ids=tuple(response.id for response in record.responses),
                sources=tuple(response.source for response in record.responses),
                flags=tuple(response.flags for response in record.responses),
                pairs=decided_pairs(record.responses),
                ranks=tuple(response.rank for response in record.responses),
                likert=tuple(response.likert for response in record.responses),
                confidence=record.confidence,
                guideline_version=record.guideline_version,
            )
        )
    if not made:
        raise GroupError(
            f"found {counts.rankings} rankings of which none can be learned from ({_listed(counts.refused)}), "
            "expected at least one with a decided pair; collect rankings with an order"
        )
    return made, counts


def decided_pairs(responses: Sequence[RankedResponse]) -> tuple[tuple[int, int], ...]:
    """(better, worse) positions. Equal ranks decide nothing, nor does a rank against "not ranked".

    An unacceptable response is below every ranked acceptable one; among themselves ranks decide.
    """
    pairs = []
    for i, a in enumerate(responses):
        for j, b in enumerate(responses):
            if i == j or a.rank is None or a.unacceptable > b.unacceptable:
                continue
            below = b.unacceptable and not a.unacceptable
            if below or (b.rank is not None and a.rank < b.rank):
                pairs.append((i, j))
    return tuple(pairs)


def margins(group: Group, by: str) -> list[float]:
    """For each decided pair, how clearly it was decided, in units of `by`; 0 where nothing says so.

    `likert`: points between the two, 0 where points contradict the order. `confidence`: the labeler's
    beyond 1. `ranks`: places between the two, 0 where one of them has no rank.
    """
    if by == "confidence":
        return [float((group.confidence or 1) - 1)] * len(group.pairs)
    marks = group.likert if by == "likert" else tuple(None if rank is None else -rank for rank in group.ranks)
    found = []
    for i, j in group.pairs:
        better, worse = (marks[i], marks[j]) if marks else (None, None)
        found.append(0.0 if better is None or worse is None else float(max(0, better - worse)))
    return found


def fit(
    prompt: Sequence[int], responses: Sequence[Sequence[int]], max_length: int
) -> tuple[Sequence[int], list[Sequence[int]]]:
    """Cut to `max_length` tokens together: first the prompt's start, down to half, then the responses' ends.

    No stop token is put where one was cut off.
    """
    longest = max(map(len, responses))
    room = max(max_length - longest, max_length // 2)
    kept = prompt[-room:] if len(prompt) > room else prompt
    return kept, [response[: max_length - len(kept)] for response in responses]


def split(groups: Sequence[Group], *, share: float, seed: int) -> tuple[list[Group], list[Group]]:
    """(train, held out), never with one prompt on both sides.

    The rankings' own split holds where it holds out anything; else `share` of the prompts is drawn.
    """
    if any(group.split == "heldout" for group in groups):
        held = {group.conversation for group in groups if group.split == "heldout"}
    else:
        conversations = sorted({group.conversation for group in groups})
        random.Random(f"split {seed}").shuffle(conversations)
        held = set(conversations[: min(max(1, round(share * len(conversations))), len(conversations) - 1)])
    train = [group for group in groups if group.conversation not in held]
    heldout = [group for group in groups if group.conversation in held and group.split == "heldout"] or [
        group for group in groups if group.conversation in held
    ]
    if not train or not heldout:
        raise GroupError(
            f"found {len(train)} rankings to train on and {len(heldout)} held out, expected at least one of each, "
            "of different prompts; rank more prompts, or check their split"
        )
    return train, heldout


def together(groups: Sequence[Group]) -> list[list[int]]:
    """Positions of the rankings that order the same responses, set by set in order of appearance: one pass is enough
    for all of a set's labelers."""
    sets: dict[tuple[tuple[int, ...], tuple[tuple[int, ...], ...]], list[int]] = {}
    for position, group in enumerate(groups):
        sets.setdefault((group.prompt, group.responses), []).append(position)
    return list(sets.values())


def normalized_weights(groups: Sequence[Group]) -> list[float]:
    """Labeler weights with mean 1, so that the learning rate means the same whatever their unit."""
    mean = sum(group.weight for group in groups) / len(groups)
    return [group.weight / mean for group in groups]


def _refusal(record: RankingRecord) -> str:
    if record.weight == 0:
        return "its weight is 0"
    if not decided_pairs(record.responses):
        return "no decided pair: all tied, unranked or unacceptable"
    return ""


def _response_ids(
    response: RankedResponse, tokenizer: Any, replies: dict[str, tuple[int, ...]], counts: Counts
) -> tuple[int, ...]:
    """The sampled ids if they spell the stored text in this tokenizer, else the text's own ids."""
    if response.token_ids:
        if (
            max(response.token_ids) < len(tokenizer)
            and min(response.token_ids) >= 0
            and chat.decode_reply(tokenizer, response.token_ids) == response.text
        ):
            return response.token_ids
        counts.retokenized += 1
    key = f"{response.finish_reason} {response.text}"
    if key not in replies:
        replies[key] = tuple(chat.encode_reply(tokenizer, response.text, ended=response.finish_reason != "length"))
    return replies[key]


def _listed(refused: Counter[str]) -> str:
    return "; ".join(f"{count}: {reason}" for reason, count in refused.most_common()) or "the file is empty"
