"""One dataclass per JSONL row that crosses between the web side and the torch side.

Each record has `to_json()` and `from_json()`, which are inverse to each other. `from_json` refuses
unknown or missing keys and wrong types with a `RecordError` that names the field.
Where to read next: `contracts/snapshots.py` writes and verifies files of these rows.
"""

from __future__ import annotations

import functools
import types
import typing
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from typing import Any, Self

ROLES = ("system", "user", "assistant", "tool")
SPLITS = ("train", "heldout")


class RecordError(ValueError):
    """A row is not of its record's form. `field` is a dotted path such as `responses.2.rank`."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}" if path else problem)
        self.field = path
        self.problem = problem


class JsonRecord:
    """Strict conversion between a frozen dataclass and plain JSON values."""

    def to_json(self) -> dict[str, Any]:
        return {f.name: _to_plain(getattr(self, f.name)) for f in fields(self)}  # type: ignore[arg-type]

    @classmethod
    def from_json(cls, value: Any, *, path: str = "") -> Self:
        return _record_from_plain(cls, value, path)  # type: ignore[no-any-return]


@dataclass(frozen=True, kw_only=True)
class Message(JsonRecord):
    """One turn of a conversation. `name` is the tool's name on tool turns, else empty."""

    role: str
    content: str
    name: str = ""

    def __post_init__(self) -> None:
        _one_of("role", self.role, ROLES)


@dataclass(frozen=True, kw_only=True)
class PromptRecord(JsonRecord):
    """A whole conversation that waits for an assistant reply, and the split it was born into."""

    id: str
    messages: tuple[Message, ...]
    split: str = "train"
    meta: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _one_of("split", self.split, SPLITS)
        if not self.messages:
            raise RecordError("messages", "a prompt needs at least one message")


@dataclass(frozen=True, kw_only=True)
class DemonstrationRecord(JsonRecord):
    """A labeler's own ideal continuation of a prompt: one assistant message, or several turns.

    `prompt` + `reply` is the conversation; the loss falls on assistant turns of `reply` only.
    """

    id: str
    prompt_id: str
    prompt: tuple[Message, ...]
    reply: tuple[Message, ...]
    split: str = "train"
    labeler: str = ""
    weight: float = 1.0
    guideline_version: int = 0

    def __post_init__(self) -> None:
        _one_of("split", self.split, SPLITS)
        if not any(message.role == "assistant" for message in self.reply):
            raise RecordError("reply", "a demonstration needs an assistant message")


@dataclass(frozen=True, kw_only=True)
class RankedResponse(JsonRecord):
    """One response of a ranking. `rank` 1 is best, equal ranks are ties, null is "not ranked".

    `token_ids` are exactly the sampled ids, stop token included when `finish_reason` is "stop";
    null where the text did not come from one of our policies.
    """

    id: str
    text: str
    rank: int | None
    unacceptable: bool = False
    token_ids: tuple[int, ...] | None = None
    finish_reason: str = "stop"
    source: str = ""
    seed: str = ""  # a whole number of any size; empty: not sampled by us
    flags: tuple[str, ...] = ()
    likert: int | None = None  # points the labeler gave, more is better; null where none were asked

    def __post_init__(self) -> None:
        if self.rank is not None and self.rank < 1:
            raise RecordError("rank", f"ranks start at 1, found {self.rank}")


@dataclass(frozen=True, kw_only=True)
class RankingRecord(JsonRecord):
    """One labeler's best-to-worst order of the responses to one prompt; ties and gaps allowed.

    A preference pair is a ranking of two, so this one record also carries pairs and comparisons.
    `group` is the same for all rankings of the same rollout set; `run` and `sampling` say how its rollouts were drawn.
    `merged_from` maps the ids of the answers that were merged into this one to their labelers; empty: it is one's own.
    """

    id: str
    prompt_id: str
    group: str
    prompt: tuple[Message, ...]
    responses: tuple[RankedResponse, ...]
    split: str = "train"
    labeler: str = ""
    weight: float = 1.0
    guideline_version: int = 0
    order_shown: tuple[str, ...] = ()
    active_ms: int | None = None  # time of work, pauses left out; null: not measured
    selection_probability: float | None = None  # that the hand-out chose this item; null: imported, or merged
    merged_from: dict[str, str] = field(default_factory=dict)
    run: str = ""  # empty: no run of ours made the responses
    sampling: dict[str, Any] = field(default_factory=dict)
    confidence: int | None = None  # 1 to 5, the labeler's own; null where it was not asked

    def __post_init__(self) -> None:
        _one_of("split", self.split, SPLITS)
        if len(self.responses) < 2:
            raise RecordError("responses", f"a ranking needs two or more, found {len(self.responses)}")
        ids = [response.id for response in self.responses]
        if len(set(ids)) != len(ids):
            raise RecordError("responses", "response ids repeat within the ranking")
        if not (self.weight >= 0 and self.weight < float("inf")):
            raise RecordError("weight", f"must be finite and not negative, found {self.weight}")


@dataclass(frozen=True, kw_only=True)
class Rollout(JsonRecord):
    """One sampled response of a policy, exactly as the model produced it.

    `token_ids` and `token_logprobs` (nats, at the sampling temperature) have equal length and include
    the stop token when `finish_reason` is "stop"; "length" means the token limit cut it off. Ids are empty where
    a server drew it, which keeps them to itself.
    """

    index: int
    text: str
    token_ids: tuple[int, ...]
    token_logprobs: tuple[float, ...]
    finish_reason: str
    seed: int

    def __post_init__(self) -> None:
        _one_of("finish_reason", self.finish_reason, ("stop", "length"))
        if self.token_ids and len(self.token_ids) != len(self.token_logprobs):
            raise RecordError("token_logprobs", "needs one log-probability per token id")


@dataclass(frozen=True, kw_only=True)
class RolloutSetRecord(JsonRecord):
    """The K rollouts of one prompt. `scores` are reward-model scores, empty where none scored them."""

    prompt_id: str
    rollouts: tuple[Rollout, ...]
    policy: str = "policy"
    scores: tuple[float, ...] = ()


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise RecordError(name, f"must be one of {', '.join(allowed)}; found {value!r}")


def _to_plain(value: Any) -> Any:
    if isinstance(value, JsonRecord):
        return value.to_json()
    if isinstance(value, (tuple, list)):
        return [_to_plain(item) for item in value]
    return value


def _record_from_plain(cls: type, value: Any, path: str) -> Any:
    if not isinstance(value, dict):
        raise RecordError(path, f"expected an object, found {type(value).__name__}")
    hints = _hints(cls)
    known = {f.name: f for f in fields(cls)}
    for name in value:
        if name not in known:
            raise RecordError(_join(path, name), "unknown field")
    arguments = {}
    for name, f in known.items():
        if name in value:
            arguments[name] = _from_plain(hints[name], value[name], _join(path, name))
        elif f.default is MISSING and f.default_factory is MISSING:
            raise RecordError(_join(path, name), "missing")
    try:
        return cls(**arguments)
    except RecordError as error:
        raise RecordError(_join(path, error.field), error.problem) from None


def _from_plain(hint: Any, value: Any, path: str) -> Any:
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        if value is None:
            return None
        (inner,) = [arm for arm in typing.get_args(hint) if arm is not type(None)]
        return _from_plain(inner, value, path)
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            raise RecordError(path, f"expected a list, found {type(value).__name__}")
        inner = typing.get_args(hint)[0]
        return tuple(_from_plain(inner, item, _join(path, str(i))) for i, item in enumerate(value))
    if origin is dict:
        if not isinstance(value, dict):
            raise RecordError(path, f"expected an object, found {type(value).__name__}")
        return value
    if is_dataclass(hint):
        return _record_from_plain(hint, value, path)  # type: ignore[arg-type]
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        raise RecordError(path, f"expected {hint.__name__}, found {type(value).__name__}")
    return value


@functools.cache
def _hints(cls: type) -> dict[str, Any]:
    """Looked up once a class: resolving them costs more than all the rest of reading a row."""
    return typing.get_type_hints(cls)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path and name else path or name
