"""JSON, strictly: keys that come twice, NaN and numbers beyond a float's reach are told, not passed over."""

import json
import math
from typing import Any


class Decoder:
    """One that notes what a value breaks instead of stopping, so that the next value can still be found."""

    def __init__(self) -> None:
        self.problem = ""
        self._json = json.JSONDecoder(
            object_pairs_hook=self._once, parse_constant=self._constant, parse_float=self._finite
        )

    def decode(self, text: str) -> Any:
        """Raises ValueError for what is no JSON, RecursionError for what nests too deeply."""
        self.problem = ""
        return self._json.decode(text)

    def raw_decode(self, text: str, start: int) -> tuple[Any, int]:
        self.problem = ""
        return self._json.raw_decode(text, start)

    def _once(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            keys = [key for key, _ in pairs]
            twice = next(key for key in found if keys.count(key) > 1)
            self.problem = f"the key {twice!r:.40} comes twice"
        return found

    def _constant(self, name: str) -> None:
        self.problem = f"{name} is no JSON number"

    def _finite(self, digits: str) -> float:
        value = float(digits)
        if not math.isfinite(value):
            self.problem = f"the number {digits:.20} is beyond reach"
        return value
