"""JSON out by orjson, quickly; JSON in by the standard library, strictly."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import IO, Any
from uuid import UUID

import orjson
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer

from labeling import errors


def dumps(value: Any) -> bytes:
    """Times as ISO 8601 in UTC with Z, UUIDs as text, decimals as text."""
    return orjson.dumps(value, default=_plain, option=orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS)


def loads(block: bytes) -> Any:
    """Strict: a key that repeats within an object is refused, and so are NaN and numbers beyond 64 bits' reach."""
    try:
        return json.loads(block, object_pairs_hook=_once, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise errors.Invalid(
            f"The body is not JSON: {error}.", code="not_json", fields={"body": "is not JSON"}
        ) from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in found if keys.count(key) > 1)
        raise errors.Invalid(
            "A key comes twice in one object of the body.", code="duplicate_key", fields={twice: "comes twice"}
        )
    return found


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


class OrjsonRenderer(BaseRenderer):
    media_type = "application/json"
    format = "json"
    charset = None

    def render(self, data: Any, media_type: str | None = None, context: Mapping[str, Any] | None = None) -> bytes:
        return b"" if data is None else dumps(data)


class OrjsonParser(BaseParser):
    media_type = "application/json"

    def parse(self, stream: IO[Any], media_type: str | None = None, context: Mapping[str, Any] | None = None) -> Any:
        return loads(stream.read() or b"{}")


def _plain(value: Any) -> Any:
    if isinstance(value, (Decimal, UUID)):
        return str(value)
    if isinstance(value, (set, frozenset, tuple)):
        return list(value)
    # REST framework's own lazy strings and ReturnDicts
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(type(value).__name__)
