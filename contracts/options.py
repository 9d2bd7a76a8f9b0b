"""What a run config is made of: options with help and range, checked when a config is made.

Where to read next: `contracts/configs.py` has the configs.
"""

from __future__ import annotations

import math
from dataclasses import asdict, field, fields
from typing import Any


class ConfigError(ValueError):
    """A config is refused. `fields` maps each field's name to one sentence on what is wrong."""

    def __init__(self, problems: dict[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {problem}" for name, problem in problems.items()))
        self.fields = problems


def option(
    default: Any,
    help: str,
    *,
    above: float | None = None,
    least: float | None = None,
    most: float | None = None,
    choices: tuple[str, ...] | None = None,
) -> Any:
    """A config field: default, help with unit and source, and the range that is accepted."""
    return field(
        default=default,
        metadata={"help": help, "above": above, "least": least, "most": most, "choices": choices},
    )


class Config:
    """Checks every field against its option when made."""

    def __post_init__(self) -> None:
        problems = {}
        for f in fields(self):  # type: ignore[arg-type]
            problem = problem_of(f.type, getattr(self, f.name), f.metadata)
            if problem:
                problems[f.name] = problem
        problems.update({name: text for name, text in self.conflicts().items() if name not in problems})
        if problems:
            raise ConfigError(problems)

    def conflicts(self) -> dict[str, str]:
        """Problems between fields, by the field to change."""
        return {}

    def needs(self, name: str) -> bool:  # noqa: ARG002
        """Whether a run of this config takes the required input of that name. A kind's choices may spare one."""
        return True

    def to_json(self) -> dict[str, Any]:
        return asdict(self)  # type: ignore[call-overload, no-any-return]


def widened(type_name: Any, value: Any) -> Any:
    """A whole number where a float is expected is that float."""
    if type_name == "float" and type(value) is int and abs(value) < 1e300:
        return float(value)
    return value


def problem_of(type_name: Any, value: Any, rule: Any) -> str:
    """What is wrong with a value by its option's rule, "" where nothing is."""
    expected = {"int": int, "float": float, "bool": bool, "str": str}[type_name]
    if type(value) is not expected:
        return f"expected {type_name}, found {type(value).__name__}"
    if isinstance(value, float) and not math.isfinite(value):
        return f"must be finite, found {value}"
    if rule["choices"] is not None and value not in rule["choices"]:
        return f"must be one of {', '.join(rule['choices'])}; found {value!r}"
    if rule["above"] is not None and value <= rule["above"]:
        return f"must be above {rule['above']}, found {value}"
    if rule["least"] is not None and value < rule["least"]:
        return f"must be at least {rule['least']}, found {value}"
    if rule["most"] is not None and value > rule["most"]:
        return f"must be at most {rule['most']}, found {value}"
    return ""
