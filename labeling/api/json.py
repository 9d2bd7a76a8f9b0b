"""JSON in and out by orjson, which refuses NaN, lone surrogates and broken UTF-8."""

from collections.abc import Mapping
from decimal import Decimal
from typing import IO, Any
from uuid import UUID

import orjson
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer


def dumps(value: Any) -> bytes:
    """Times as ISO 8601 in UTC with Z, UUIDs as text, decimals as text."""
    return orjson.dumps(value, default=_plain, option=orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS)


def loads(block: bytes) -> Any:
    try:
        return orjson.loads(block)
    except orjson.JSONDecodeError as error:
        raise ParseError(f"The body is not JSON: {error}.", code="not_json") from None


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
