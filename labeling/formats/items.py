"""What readers yield: one item per thing to store, or a refusal of a record. Pure data."""

from dataclasses import dataclass, field
from typing import Any

ROLES = {
    "system": "system",
    "user": "user",
    "human": "user",
    "prompter": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "function_call": "assistant",
    "tool": "tool",
    "function": "tool",
    "observation": "tool",
}


class Refusal(Exception):
    """One record cannot be taken. The text is the reason."""


class Unreadable(Exception):
    """A whole file cannot be taken."""


@dataclass(frozen=True, kw_only=True)
class Turn:
    role: str
    content: str
    name: str = ""

    def to_json(self) -> dict[str, str]:
        return {"role": self.role, "content": self.content, "name": self.name}


@dataclass(frozen=True, kw_only=True)
class PromptItem:
    messages: tuple[Turn, ...]
    meta: dict[str, Any] = field(default_factory=dict)
    split: str | None = None  # None: the project decides


@dataclass(frozen=True, kw_only=True)
class DemonstrationItem:
    messages: tuple[Turn, ...]
    reply: tuple[Turn, ...]
    annotator: str = ""
    split: str | None = None


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One response, and who or what wrote it."""

    text: str
    source: str


@dataclass(frozen=True, kw_only=True)
class Order:
    """One annotator's ranks, by position of the response: 1 is best, equal is tied, None is not ranked."""

    ranks: tuple[int | None, ...]
    annotator: str = ""
    unacceptable: tuple[bool, ...] = ()  # empty: none is


@dataclass(frozen=True, kw_only=True)
class RankingItem:
    messages: tuple[Turn, ...]
    responses: tuple[Choice, ...]
    orders: tuple[Order, ...]
    split: str | None = None


Item = PromptItem | DemonstrationItem | RankingItem


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
    if not isinstance(value, dict):
        raise Refusal(f"{key} must be an object with role and content")
    named = value.get("role", value.get("from"))
    role = ROLES.get(named) if isinstance(named, str) else None
    if role is None:
        raise Refusal(f"{key} has the role {named!r:.40}, which is none of {', '.join(ROLES)}")
    content = value.get("content", value.get("value"))
    if not isinstance(content, str):
        raise Refusal(f"{key} must have a text as its content")
    name = value.get("name") or ""
    if not isinstance(name, str):
        raise Refusal(f"{key} must have a text as its name")
    return Turn(role=role, content=content, name=name)


def asked(content: str) -> tuple[Turn, ...]:
    if not content.strip():
        raise Refusal("the prompt is empty")
    return (Turn(role="user", content=content),)


def instructed(record: dict[str, Any]) -> tuple[Turn, ...]:
    """An instruction and, where there is one, its input, as one user turn."""
    instruction = text(record, "instruction")
    given = record.get("input") or ""
    if not isinstance(given, str):
        raise Refusal("input must be a text")
    return asked(f"{instruction}\n\n{given}" if given.strip() else instruction)


def waiting(messages: tuple[Turn, ...]) -> tuple[Turn, ...]:
    """The same messages, if an assistant's reply can follow."""
    if not messages:
        raise Refusal("there is no prompt before the reply")
    if messages[-1].role == "assistant":
        raise Refusal("the prompt ends with the assistant, whose reply is wanted")
    return messages


def pair(messages: tuple[Turn, ...], chosen: str, rejected: str, source: str) -> RankingItem:
    if chosen == rejected:
        raise Refusal("chosen and rejected are the same")
    return RankingItem(
        messages=waiting(messages),
        responses=(Choice(text=chosen, source=source), Choice(text=rejected, source=source)),
        orders=(Order(ranks=(1, 2)),),
    )
