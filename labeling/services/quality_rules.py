"""A project's rules of quality, as they are stored in `Project.quality` and changed over the API."""

from dataclasses import asdict, dataclass, field, fields
from typing import Any

from labeling.models.work import Kind
from labeling.services.bodies import Body, is_finite

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


def changed(body: Body, stored: dict[str, Any], plain: Any) -> dict[str, Any]:
    """What to store once `plain` is laid over what is there. Problems go to `body`, by dotted field."""
    if not isinstance(plain, dict):
        body.problem("quality", "must be an object of rules", code="wrong_type")
        return stored
    known = {one.name for one in fields(Rules)}
    for name, value in plain.items():
        path = f"quality.{name}"[:100]
        if name not in known:
            body.problem(path, f"is not a rule; known: {', '.join(sorted(known))}", code="unknown_field")
        elif name in SHARES:
            if value is not None and not (is_finite(value) and 0 <= value <= 1):
                body.problem(path, "must be a number from 0 to 1, or null", code="out_of_range")
        elif name in COUNTS:
            least, most = COUNTS[name]
            body.is_whole(path, value, least=least, most=most)
        elif not _are_seconds(value):
            kinds = ", ".join(Kind.values)
            body.problem(path, f"must map {kinds} to seconds from 0 to {MOST_SECONDS}", code="out_of_range")
    rules = {**stored, **plain}
    least, window = rules.get("least", Rules.least), rules.get("window", Rules.window)
    if isinstance(least, int) and isinstance(window, int) and least > window:
        body.problem("quality.least", "must not be above the window", code="out_of_range")
    return rules


def _are_seconds(value: Any) -> bool:
    return isinstance(value, dict) and all(
        kind in Kind.values and is_finite(seconds) and 0 <= seconds <= MOST_SECONDS for kind, seconds in value.items()
    )
