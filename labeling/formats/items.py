"""What readers yield: one item per thing to store, or a refusal of a record. Pure data."""

import contextlib
import json
from dataclasses import dataclass, field
from typing import Any

ROLES = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "prompter": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "bot": "assistant",
    "model": "assistant",
    "function_call": "assistant",
    "tool": "tool",
    "function": "tool",
    "observation": "tool",
}
EXTRAS = 4_000  # characters of a record's other fields that are kept as a prompt's meta


class Refusal(Exception):
    """One record cannot be taken. The text is the reason."""


class Unreadable(Exception):
    """A whole file cannot be taken, or its rest. `counts` says what was done before that came out."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.counts: dict[str, Any] = {}


@dataclass(frozen=True, kw_only=True, slots=True)
class Turn:
    """Fields in the alphabet's order: their JSON as it stands is the canonical one that hashes are taken of."""

    content: str
    name: str = ""
    role: str

    def to_json(self) -> dict[str, str]:
        return {"role": self.role, "content": self.content, "name": self.name}


@dataclass(frozen=True, kw_only=True, slots=True)
class PromptItem:
    messages: tuple[Turn, ...]
    meta: dict[str, Any] = field(default_factory=dict)
    split: str | None = None  # None: the project decides


@dataclass(frozen=True, kw_only=True, slots=True)
class DemonstrationItem:
    messages: tuple[Turn, ...]
    reply: tuple[Turn, ...]
    annotator: str = ""
    meta: dict[str, Any] = field(default_factory=dict)  # of the prompt
    split: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """One response, and who or what wrote it."""

    text: str
    source: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """One annotator's ranks, by position of the response: 1 is best, equal is tied, None is not ranked."""

    ranks: tuple[int | None, ...]
    annotator: str = ""
    unacceptable: tuple[bool, ...] = ()  # empty: none is


@dataclass(frozen=True, kw_only=True, slots=True)
class RankingItem:
    messages: tuple[Turn, ...]
    responses: tuple[Choice, ...]
    orders: tuple[Order, ...]
    sampling: dict[str, Any] = field(default_factory=dict)  # how the responses came about; empty: only the format knows
    split: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class JudgmentItem:
    """One response marked good or bad by itself, as KTO trains on."""

    messages: tuple[Turn, ...]
    response: Choice
    good: bool
    annotator: str = ""
    split: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ResponsesItem:
    """Responses of one or several models to one prompt that nobody has ranked."""

    messages: tuple[Turn, ...]
    responses: tuple[Choice, ...]
    meta: dict[str, Any] = field(default_factory=dict)  # of the prompt
    split: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class DocumentItem:
    """Text to pretrain on, or a piece of it."""

    text: str
    goes_on: bool = False  # True: the next one follows without a gap


Conversation = PromptItem | DemonstrationItem | RankingItem | JudgmentItem | ResponsesItem
Item = Conversation | DocumentItem


def text(record: dict[str, Any], key: str) -> str:
    value = record.get(key)
    if not isinstance(value, str):
        raise Refusal(f"{key} must be a text; found {type(value).__name__ if key in record else 'nothing'}")
    return value


def turns(value: Any, key: str) -> tuple[Turn, ...]:
    """Messages as {role, content} or as {from, value}, whatever their roles are called."""
    if not isinstance(value, list) or not value:
        raise Refusal(f"{key} must be a list of one or more messages")
    return tuple(turn(one, f"{key}.{index}") for index, one in enumerate(value))


def turn(value: Any, key: str) -> Turn:
    """A message. Calls of tools become the text of their JSON; a list of text parts becomes one text."""
    if not isinstance(value, dict):
        raise Refusal(f"{key} must be an object with role and content")
    named = value.get("role", value.get("from"))
    role = ROLES.get(named) if isinstance(named, str) else None
    if role is None:
        raise Refusal(f"{key} has the role {named!r:.40}, which is none of {', '.join(ROLES)}")
    content = value.get("content", value.get("value"))
    if isinstance(content, list):
        content = _parts(content, key)
    if calls := value.get("tool_calls") or value.get("function_call"):
        if not isinstance(calls, (list, dict)):
            raise Refusal(f"{key}.tool_calls must be a list")
        content = "\n".join([*([content] if isinstance(content, str) and content else []), *_calls(calls, key)])
    if not isinstance(content, str):
        raise Refusal(f"{key} must have a text as its content")
    name = value.get("name") or ""
    if not isinstance(name, str):
        raise Refusal(f"{key} must have a text as its name")
    return Turn(role=role, content=content, name=name)


def _parts(parts: list[Any], key: str) -> str:
    for part in parts:
        if not isinstance(part, dict) or part.get("type") != "text" or not isinstance(part.get("text"), str):
            raise Refusal(f"{key} has a part that is not text")
    return "".join(part["text"] for part in parts)


def _calls(calls: list[Any] | dict[str, Any], key: str) -> list[str]:
    """Each call as {"name", "arguments"}, the way that models are trained to write it."""
    found = []
    for call in calls if isinstance(calls, list) else [calls]:
        called = call.get("function", call) if isinstance(call, dict) else None
        if not isinstance(called, dict) or not isinstance(called.get("name"), str):
            raise Refusal(f"{key}.tool_calls has a call without a name")
        arguments = called.get("arguments", {})
        if isinstance(arguments, str):
            # Some models write broken arguments: they stay the text that they are.
            with contextlib.suppress(ValueError, RecursionError):
                arguments = json.loads(arguments)
        found.append(json.dumps({"name": called["name"], "arguments": arguments}, ensure_ascii=False))
    return found


def asked(content: str) -> tuple[Turn, ...]:
    if not content.strip():
        raise Refusal("the prompt is empty")
    return (Turn(role="user", content=content),)


def instructed(record: dict[str, Any], given_as: str = "input") -> tuple[Turn, ...]:
    """An instruction and, where there is one, its input, as one user turn; `system` and `history` before it."""
    instruction = text(record, "instruction")
    given = record.get(given_as) or ""
    if not isinstance(given, str):
        raise Refusal(f"{given_as} must be a text")
    last = asked(f"{instruction}\n\n{given}" if given.strip() else instruction)
    return (*system(record), *_history(record), *last)


def system(record: dict[str, Any]) -> tuple[Turn, ...]:
    """The system turn that a record carries beside its messages."""
    content = record.get("system") or ""
    if not isinstance(content, str):
        raise Refusal("system must be a text")
    return (Turn(role="system", content=content),) if content.strip() else ()


def _history(record: dict[str, Any]) -> tuple[Turn, ...]:
    history = record.get("history") or []
    if not isinstance(history, list):
        raise Refusal("history must be a list of [question, reply]")
    found: list[Turn] = []
    for one in history:
        if not isinstance(one, list) or len(one) != 2 or not all(isinstance(said, str) for said in one):
            raise Refusal("history must be a list of [question, reply]")
        found += [Turn(role="user", content=one[0]), Turn(role="assistant", content=one[1])]
    return tuple(found)


def waiting(messages: tuple[Turn, ...]) -> tuple[Turn, ...]:
    """The same messages, if an assistant's reply can follow."""
    if not messages:
        raise Refusal("there is no prompt before the reply")
    if messages[-1].role == "assistant":
        raise Refusal("the prompt ends with the assistant, whose reply is wanted")
    if not any(message.content.strip() for message in messages):
        raise Refusal("the prompt is empty")
    return messages


def pair(messages: tuple[Turn, ...], chosen: str, rejected: str, source: str) -> RankingItem:
    if chosen == rejected:
        raise Refusal("chosen and rejected are the same")
    return RankingItem(
        messages=waiting(messages),
        responses=(Choice(text=chosen, source=source), Choice(text=rejected, source=source)),
        orders=(Order(ranks=(1, 2)),),
    )


def demonstrated(messages: tuple[Turn, ...], content: str, meta: dict[str, Any] | None = None) -> DemonstrationItem:
    if not content.strip():
        raise Refusal("the reply is empty")
    reply = (Turn(role="assistant", content=content),)
    return DemonstrationItem(messages=waiting(messages), reply=reply, meta=meta or {})


def extras(record: dict[str, Any], *taken: str) -> dict[str, Any]:
    """A record's other fields, for a prompt's meta; none where they are long."""
    found = {key: value for key, value in record.items() if key not in taken and value is not None}
    return found if not found or len(repr(found)) <= EXTRAS else {}
