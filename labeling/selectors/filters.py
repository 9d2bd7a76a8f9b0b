"""Which annotations an export or a snapshot takes, as people write it, checked."""

import math
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils.dateparse import parse_datetime

from labeling import errors
from labeling.models.prompts import Prompt


@dataclass(frozen=True, kw_only=True)
class Filters:
    """Which annotations. None takes all."""

    split: str | None = None  # train or heldout
    since: datetime | None = None
    until: datetime | None = None
    labelers: list[str] | None = None  # usernames; imported answers have none and are left out
    without_labelers: list[str] | None = None
    imported: bool | None = None  # True: only imported ones; False: only our labelers'
    late: bool | None = None
    sources: list[UUID] | None = None  # at least one response is of one of these
    runs: list[UUID] | None = None  # rollout sets of these runs
    policies: list[str] | None = None  # at least one response is of a source with one of these names
    flags: list[str] | None = None  # at least one response has one of these flags
    without_flags: list[str] | None = None  # no response has any of these
    limit: int | None = None  # the first so many
    # Of rankings only:
    weights: str | None = None  # none, or reliability: each ranking weighs what its labeler's reliability says
    merge: str | None = None  # none, or merged: one ranking per rollout set
    min_agreement: float | None = None  # pairwise, 0 to 1; items on which nobody could disagree are taken
    min_rankings: int | None = None  # of the rollout set, by different people


_ALWAYS = ("split", "since", "until", "limit")
# The filters that tell records of a kind apart; any other would change nothing, and is refused.
OF_KIND = {
    "prompts": _ALWAYS,
    "demonstrations": (*_ALWAYS, "labelers", "without_labelers", "imported", "late"),
    "judgments": (*_ALWAYS, "sources", "policies"),
    "rankings": tuple(f.name for f in fields(Filters)),
}
CHOICES = {"split": Prompt.Split.values, "weights": ["none", "reliability"], "merge": ["none", "merged"]}


def parse(plain: dict[str, Any]) -> Filters:
    """Checked filters; refuses unknown names and wrong types."""
    problems: dict[str, str] = {}
    values: dict[str, Any] = {}
    known = {f.name: str(f.type) for f in fields(Filters)}
    for name, value in plain.items():
        if name not in known:
            problems[name] = f"unknown filter; known are {', '.join(known)}"
        elif value is not None:
            try:
                values[name] = _value(known[name], value)
            except (ValueError, TypeError) as error:
                problems[name] = str(error)
    for name, choices in CHOICES.items():
        if name not in problems and values.get(name) not in (None, *choices):
            problems[name] = f"must be {' or '.join(choices)}"
    if not 0 <= values.get("min_agreement", 0) <= 1:
        problems["min_agreement"] = "must be from 0 to 1"
    if problems:
        raise errors.Invalid("A filter is wrong.", code="bad_filter", fields=problems)
    return Filters(**values)


def check(filters: Filters, kind: str) -> None:
    """Refuse filters that have no effect on the kind: who sets one expects that it has."""
    known = OF_KIND[kind]
    given = [name for name, value in vars(filters).items() if value is not None and value != "none"]
    if idle := [name for name in given if name not in known]:
        told = f"has no effect on {kind}; these have: {', '.join(known)}"
        raise errors.Invalid("A filter is wrong.", code="bad_filter", fields=dict.fromkeys(idle, told))


def _value(type_name: str, value: Any) -> Any:
    expected = type_name.removesuffix(" | None")
    if expected == "datetime.datetime":
        if isinstance(value, datetime):
            return value
        parsed = parse_datetime(value) if isinstance(value, str) else None
        if parsed is None or parsed.tzinfo is None:
            raise ValueError("must be a time with its zone, such as 2030-01-31T12:00:00Z")
        return parsed
    if expected.startswith("list"):
        if not isinstance(value, list) or not all(isinstance(one, (str, UUID)) for one in value):
            raise ValueError("must be a list of texts")
        return [UUID(str(one)) for one in value] if "UUID" in expected else value
    if expected == "int" and (type(value) is not int or value < 1):
        raise ValueError("must be a whole number from 1")
    if expected == "bool" and type(value) is not bool:
        raise ValueError("must be true or false")
    if expected == "float":
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise ValueError("must be a number")
        return float(value)
    if expected == "str" and not isinstance(value, str):
        raise ValueError("must be a text")
    return value


def plain(filters: dict[str, Any]) -> dict[str, Any]:
    """Filters as JSON, for what is kept of them."""
    return {
        name: value.isoformat()
        if isinstance(value, datetime)
        else [str(one) for one in value]
        if isinstance(value, list)
        else value
        for name, value in filters.items()
    }
