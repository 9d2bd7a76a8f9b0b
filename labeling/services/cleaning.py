"""Cleaning of what is imported: each step is a switch, and counts what it finds, in a dry run too.

What a step leaves out is counted under its name in the report. Personal data that is to be refused, and prompts of
evaluation sets, which are never let in, are refused records with file, line and reason.
Needs datasketch for near-duplicates and py3langid for languages, which load when first asked for.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import orjson

from labeling.formats.items import Conversation, DemonstrationItem, JudgmentItem, PromptItem, RankingItem, ResponsesItem
from labeling.formats.tables import needed
from labeling.models.projects import Project
from labeling.services import evaluations, nearness
from labeling.services.batches import Report
from labeling.services.bodies import Body
from labeling.services.pii import find, mask
from labeling.services.preparing import Prepared

PII = ("", "mark", "mask", "refuse")
FEW_WORDS = 3  # fewer different words in a long text are no text
SHARE_OF_LETTERS = 0.3
LONG = 40  # characters from which the two above are asked


@dataclass(frozen=True, kw_only=True)
class Steps:
    """Which steps are on; none is, unless asked for."""

    near_duplicates: bool = False
    languages: tuple[str, ...] = ()  # ISO 639-1; empty: all
    least_characters: int = 0
    most_characters: int = 0  # 0: no limit
    quality: bool = False
    pii: str = ""  # "", mark, mask or refuse
    toxicity: bool = False

    def to_plain(self) -> dict[str, Any]:
        return {**vars(self), "languages": list(self.languages)}

    @classmethod
    def from_plain(cls, plain: Any) -> "Steps":
        body = Body(plain)
        pii = body.text("pii", most=10)
        if pii not in PII:
            body.problem("pii", f"must be one of {', '.join(PII[1:])}, or empty")
        languages = body.texts("languages")
        if not all(re.fullmatch(r"[a-z]{2}", one) for one in languages):
            body.problem("languages", "must be codes of two letters, such as en")
        steps = cls(
            near_duplicates=body.truth("near_duplicates"),
            languages=tuple(languages),
            least_characters=body.whole("least_characters", least=0) or 0,
            most_characters=body.whole("most_characters", least=0) or 0,
            quality=body.truth("quality"),
            pii=pii,
            toxicity=body.truth("toxicity"),
        )
        body.finish()
        return steps


class Cleaner:
    """The steps of one import."""

    def __init__(
        self, *, project: Project, steps: Steps, walled: bool, alive: Callable[[], None] = nearness.nothing
    ) -> None:
        """`walled` is off for an evaluation set's own prompts."""
        self.project, self.steps = project, steps
        self._words = _pattern(project.blocked_words) if steps.toxicity else None
        self._languages = needed("py3langid", "Language filters") if steps.languages else None
        self._walled = walled and evaluations.exist(project)
        self._near = None
        if steps.near_duplicates or self._walled:
            self._near = nearness.Index(project=project, only_evaluation=not steps.near_duplicates, alive=alive)
            self._near.fill()

    @property
    def has_nothing_to_do(self) -> bool:
        return self.steps == NOTHING and self._near is None

    def item(self, item: Conversation, report: Report) -> Conversation | str | None:
        """The item as it is to be stored; why it is refused; or None where a step leaves it out."""
        if self.steps == NOTHING:
            return item
        texts = list(_texts(item))
        name = self._fault(" ".join(turn.content for turn in item.messages if turn.role == "user"), texts)
        if name:
            _count(report, name)
            return None
        if not self.steps.pii:
            return item
        kinds = sorted({kind for text in texts for kind in find(text)})
        if not kinds:
            return item
        _count(report, "pii")
        if self.steps.pii == "refuse":
            return f"contains personal data: {', '.join(kinds)}"
        if self.steps.pii == "mask":
            return _masked(item)
        if isinstance(item, PromptItem | DemonstrationItem | ResponsesItem):
            return replace(item, meta={**item.meta, "pii": kinds})
        return item

    def sift(self, batch: list[Prepared], report: Report, name: str) -> list[Prepared]:
        """What of a batch goes on: nothing that is nearly there, and nothing of an evaluation set."""
        if self._near is None:
            return batch
        texts = {row.prompt_key: row.messages for row in batch}
        walled = self._evaluated(set(texts)) if self._walled else set()
        found = self._near.near({key: asked(messages) for key, messages in texts.items() if key not in walled})
        kept = []
        for row in batch:
            near = found.get(row.prompt_key, "evaluation")
            if near == "evaluation" and self._walled:
                _count(report, "evaluation_set")
                file = f"{name}:{row.file}" if row.file else name
                report.refuse(file, row.line, evaluations.REFUSED)
            elif near == "prompt" and self.steps.near_duplicates:
                _count(report, "near_duplicates")
            else:
                kept.append(row)
        return kept

    def remember(self) -> None:
        """Keep what the next ones are compared with. In the transaction that stores the batch."""
        if self._near is not None and self.steps.near_duplicates:
            self._near.store()

    def forget(self) -> None:
        """The batch was taken back: what it brought is not there."""
        if self._near is not None:
            self._near.forget()

    def _fault(self, asked: str, texts: list[str]) -> str:
        """The name of the first step that leaves the item out; empty: none does."""
        steps = self.steps
        if len(asked.strip()) < steps.least_characters or 0 < steps.most_characters < len(asked):
            return "length"
        if steps.quality and not all(is_text(text) for text in texts):
            return "quality"
        if self._languages is not None and self._languages.classify(asked)[0] not in steps.languages:
            return "language"
        if self._words is not None and any(self._words.search(text) for text in texts):
            return "toxicity"
        return ""

    def _evaluated(self, keys: set[str]) -> set[str]:
        return evaluations.among(self.project, keys)


NOTHING = Steps()


def asked(messages: str) -> str:
    """What people say in a conversation that is stored as JSON."""
    return " ".join(one["content"] for one in orjson.loads(messages) if one["role"] == "user")


def is_text(text: str) -> bool:
    """False for what is long and has hardly a letter, or the same few words again and again."""
    text = text.strip()
    if len(text) < LONG:
        return True
    letters = sum(char.isalpha() for char in text)
    spaced = len(text.split()) > 1
    return letters >= SHARE_OF_LETTERS * len(text) and (not spaced or len(set(text.lower().split())) >= FEW_WORDS)


def _pattern(words: Iterable[str]) -> re.Pattern[str] | None:
    listed = [re.escape(word) for word in words if word]
    return re.compile(rf"(?<!\w)(?:{'|'.join(listed)})(?!\w)", re.I) if listed else None


def _texts(item: Conversation) -> Iterable[str]:
    yield from (turn.content for turn in item.messages)
    if isinstance(item, DemonstrationItem):
        yield from (turn.content for turn in item.reply)
    if isinstance(item, RankingItem | ResponsesItem):
        yield from (one.text for one in item.responses)
    if isinstance(item, JudgmentItem):
        yield item.response.text


def _masked(item: Conversation) -> Conversation:
    turns = tuple(replace(turn, content=mask(turn.content)) for turn in item.messages)
    if isinstance(item, DemonstrationItem):
        return replace(item, messages=turns, reply=tuple(replace(one, content=mask(one.content)) for one in item.reply))
    if isinstance(item, RankingItem | ResponsesItem):
        return replace(
            item, messages=turns, responses=tuple(replace(one, text=mask(one.text)) for one in item.responses)
        )
    if isinstance(item, JudgmentItem):
        return replace(item, messages=turns, response=replace(item.response, text=mask(item.response.text)))
    return replace(item, messages=turns)


def _count(report: Report, name: str) -> None:
    report.cleaned[name] = report.cleaned.get(name, 0) + 1
