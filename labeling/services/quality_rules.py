"""A project's rules of quality, as they are stored in `Project.quality` and changed over the API."""

from dataclasses import asdict, dataclass, field, fields
from typing import Any

from labeling import errors
from labeling.models.work import Kind
from labeling.services.bodies import is_finite

SHARES = ("gold_accuracy", "self_consistency", "fast_share", "review_below", "stop_agreement")
COUNTS = {"window": (1, 200), "least": (1, 200), "stop_answers": (2, 50)}
MOST_SECONDS = 3_600


@dataclass(frozen=True, kw_only=True)
class Rules:
    """A labeler who breaks a rule is warned, and paused where the work after the warning breaks one too.

    Shares are from 0 to 1; null switches a rule off.
    """

    minimum_seconds: dict[str, float] = field(default_factory=dict)  # of active time by kind of task; absent: none
    gold_accuracy: float | None = None  # of pairs: less breaks the rule
    self_consistency: float | None = None  # of pairs: less breaks the rule
    fast_share: float | None = None  # of answers below the minimum of active time: more breaks the rule
    window: int = 20  # newest gold items, repeats or answers that a rule looks at
    least: int = 5  # fewer than so many break no rule
    review_below: float | None = 0.5  # agreement of an item's labelers: less sends it to review
    stop_agreement: float | None = None  # agreement from which an item takes no more answers
    stop_answers: int = 2  # answers before an item may stop


def of(stored: dict[str, Any]) -> Rules:
    return Rules(**stored)


def described(stored: dict[str, Any]) -> dict[str, Any]:
    """Every rule, as the API gives them."""
    return asdict(of(stored))


def changed(stored: dict[str, Any], plain: Any) -> dict[str, Any]:
    """What to store once `plain` is laid over what is there. Refuses by dotted field."""
    if not isinstance(plain, dict):
        raise errors.Invalid(fields={"quality": "must be an object of rules"}, code="wrong_type")
    problems: dict[str, str] = {}
    known = {one.name for one in fields(Rules)}
    for name, value in plain.items():
        if name not in known:
            problems[f"quality.{name}"[:100]] = f"is not a rule; known: {', '.join(sorted(known))}"
        elif name in SHARES:
            if value is not None and not (is_finite(value) and 0 <= value <= 1):
                problems[f"quality.{name}"] = "must be a number from 0 to 1, or null"
        elif name in COUNTS:
            least, most = COUNTS[name]
            if type(value) is not int or not least <= value <= most:
                problems[f"quality.{name}"] = f"must be a whole number from {least} to {most}"
        elif not _are_seconds(value):
            problems["quality.minimum_seconds"] = (
                f"must map {', '.join(Kind.values)} to seconds from 0 to {MOST_SECONDS}"
            )
    rules = {**stored, **plain}
    if not problems and rules.get("least", Rules.least) > rules.get("window", Rules.window):
        problems["quality.least"] = "must not be above the window"
    if problems:
        raise errors.Invalid(fields=problems)
    return rules


def _are_seconds(value: Any) -> bool:
    return isinstance(value, dict) and all(
        kind in Kind.values and is_finite(seconds) and 0 <= seconds <= MOST_SECONDS for kind, seconds in value.items()
    )
