"""JSON as bytes, straight from the columns of a frame: no Python object per value."""

import json
from collections.abc import Mapping
from typing import Any

import orjson
import polars as pl
import polars.selectors as cs
from fastapi import Response

_JSON = "application/json"
_OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_SERIALIZE_NUMPY
#: RFC 3339 in UTC; fractions of a second only where there are some.
_RFC_3339 = "%Y-%m-%dT%H:%M:%S%.fZ"


def json_response(
    body: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Plain values as JSON; frames and bytes of :func:`rows` may lie inside."""
    content = orjson.dumps(body, default=_fallback, option=_OPTIONS)
    return Response(content, status, dict(headers or {}), _JSON)


def rows(frame: pl.DataFrame) -> orjson.Fragment:
    """A frame as a JSON list with one object a row.

    NaN, infinities and nulls become null; times must be UTC and are written with Z.
    """
    texts = cs.datetime().dt.strftime(_RFC_3339)
    return orjson.Fragment(frame.with_columns(texts).write_json())


def parsed_rows(frame: pl.DataFrame, *names: str) -> list[dict[str, Any]]:
    """Rows as dicts, with the named columns, which hold JSON texts, as what they say.

    Python's own parser reads them, for Python's own writer may have put NaN there.
    """
    facts: list[dict[str, Any]] = orjson.loads(orjson.dumps(rows(frame)))
    for row in facts:
        row.update({name: json.loads(row[name] or "null") for name in names})
    return facts


def _fallback(value: object) -> object:
    if isinstance(value, pl.DataFrame):
        return rows(value)
    raise TypeError(type(value).__name__)
