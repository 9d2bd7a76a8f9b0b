"""Reading what a client sent: every problem is collected by field, then refused together."""

import math
from collections.abc import Sequence
from typing import Any

from labeling import errors
from labeling.services.text import is_storable

# Largest whole number that both databases store in a plain integer column.
LARGEST = 2_147_483_647


class Body:
    """Takes fields out of a JSON object one at a time; `finish` refuses what was wrong or left over."""

    def __init__(self, plain: Any) -> None:
        self._problems: dict[str, tuple[str, str]] = {}
        if not isinstance(plain, dict):
            raise errors.Invalid("The body must be a JSON object.", fields={"body": "must be an object"})
        self._left = dict(plain)

    def problem(self, field: str, sentence: str, *, code: str = "invalid") -> None:
        """Note the first problem of a field."""
        self._problems.setdefault(field, (code, sentence))

    def take(self, field: str) -> Any:
        return self._left.pop(field, None)

    def has(self, field: str) -> bool:
        return self._left.get(field) is not None

    def __contains__(self, field: str) -> bool:
        """Whether it was sent, null or not."""
        return field in self._left

    def text(self, field: str, *, most: int, required: bool = False) -> str:
        return self.checked_text(field, self.take(field), most=most, required=required)

    def checked_text(self, field: str, value: Any, *, most: int, required: bool = False) -> str:
        if value is None or value == "":
            if required:
                self.problem(field, "is missing", code="missing")
            return ""
        if not isinstance(value, str):
            self.problem(field, "must be a text", code="wrong_type")
        elif len(value) > most:
            self.problem(field, f"has {len(value)} characters; at most {most} are taken", code="too_long")
        elif not is_storable(value):
            self.problem(field, "contains a NUL or half a surrogate pair", code="bad_characters")
        else:
            return value
        return ""

    def whole(self, field: str, *, least: int, most: int = LARGEST) -> int | None:
        value = self.take(field)
        if value is None or self.is_whole(field, value, least=least, most=most):
            return value  # type: ignore[no-any-return]
        return None

    def is_whole(self, field: str, value: Any, *, least: int, most: int = LARGEST) -> bool:
        if type(value) is not int:
            self.problem(field, "must be a whole number", code="wrong_type")
        elif not least <= value <= most:
            self.problem(field, f"must be from {least} to {most}", code="out_of_range")
        else:
            return True
        return False

    def truth(self, field: str) -> bool:
        value = self.take(field)
        if value is None or isinstance(value, bool):
            return bool(value)
        self.problem(field, "must be true or false", code="wrong_type")
        return False

    def mapping(self, field: str) -> dict[str, Any]:
        value = self.take(field)
        if value is None or isinstance(value, dict):
            return value or {}
        self.problem(field, "must be an object", code="wrong_type")
        return {}

    def texts(self, field: str) -> list[str]:
        value = self.take(field)
        if value is None:
            return []
        if isinstance(value, list) and all(isinstance(one, str) for one in value):
            return value
        self.problem(field, "must be a list of texts", code="wrong_type")
        return []

    def finish(self) -> None:
        for field in self._left:
            self.problem(str(field), "is not a known field", code="unknown_field")
        if self._problems:
            codes = {code for code, _ in self._problems.values()}
            raise errors.Invalid(
                code=codes.pop() if len(codes) == 1 else "invalid",
                fields={field: sentence for field, (_, sentence) in self._problems.items()},
            )


def messages(body: Body, field: str, value: Any, *, most: int, roles: Sequence[str]) -> list[dict[str, str]]:
    """A conversation as stored: role, content and name of every turn."""
    if not isinstance(value, list) or not value:
        body.problem(field, "must be a list of one or more messages", code="wrong_type")
        return []
    found = []
    for index, one in enumerate(value):
        path = f"{field}.{index}"
        if not isinstance(one, dict):
            body.problem(path, "must be an object with role and content", code="wrong_type")
            continue
        if unknown := set(one) - {"role", "content", "name"}:
            body.problem(f"{path}.{min(unknown)}", "is not a known field", code="unknown_field")
        if one.get("role") not in roles:
            body.problem(f"{path}.role", f"must be one of {', '.join(roles)}", code="bad_role")
        if not isinstance(one.get("content"), str):
            body.problem(f"{path}.content", "must be a text", code="wrong_type")
        content = body.checked_text(f"{path}.content", one.get("content"), most=most)
        name = body.checked_text(f"{path}.name", one.get("name"), most=200)
        found.append({"role": str(one.get("role")), "content": content, "name": name})
    return found


def is_finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
