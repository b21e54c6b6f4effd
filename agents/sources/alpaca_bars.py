"""Alpaca's pages of bars, from their JSON into columns.

Nearly every page has one plain form: no spaces, each bar with the same eight fields in the same
order. Such a page is cut at its commas into columns at once, which takes some 60 % of the time of making
an object of each bar first. Whatever is different in any way is read as JSON, bar by bar.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import polars as pl

from lake import BAR_SCHEMA

#: Field of a bar at Alpaca and what it becomes here.
FIELDS = {
    "t": "timestamp",
    "o": "open",
    "h": "high",
    "l": "low",
    "c": "close",
    "v": "volume",
    "n": "trade_count",
    "vw": "vwap",
}
_BEGIN, _END = b'{"bars":{', b'},"next_page_token":'
_SYMBOL = re.compile(rb'"([A-Z0-9./-]+)":\[(?=\{)')
_TIME = "%Y-%m-%dT%H:%M:%SZ"
_NO_BAR = (KeyError, TypeError, ValueError, OverflowError, pl.exceptions.PolarsError)


def loads(body: bytes) -> Any:
    """An answer; ``bars`` is a frame already, as ``BAR_SCHEMA``, where they have the plain form.

    NaN may be in it too, which is no JSON, but which one bad bar would spoil a page with.

    Raises:
        ValueError: It is no JSON.
    """
    if body.startswith(_BEGIN) and (plain := _plain(body)) is not None:
        return plain
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return json.loads(body)


def bars_of(found: Mapping[str, Sequence[Mapping[str, Any]] | None]) -> pl.DataFrame:
    """Columns from Alpaca's objects. What cannot be read becomes null, for the checks to judge."""
    bars = [bar for some in found.values() for bar in some or ()]
    names = [name for name, some in found.items() for _ in some or ()]
    try:
        columns = [_strictly(bars, field, name) for field, name in FIELDS.items()]
    except _NO_BAR:
        columns = [_leniently(bars, field, name) for field, name in FIELDS.items()]
    return pl.DataFrame([pl.Series("symbol", names, dtype=pl.String), *columns], schema=BAR_SCHEMA)


def _plain(body: bytes) -> dict[str, Any] | None:
    """The answer if all of it has the plain form; else None."""
    end = body.rfind(_END)
    pieces = _pieces(body[len(_BEGIN) : end]) if end > 0 else None
    if not pieces:
        return None
    try:
        rest = orjson.loads(b"{" + body[end + 2 :])
        text = b"".join(b"," + piece for piece in pieces.values())
        order = [*orjson.loads(text[1 : text.index(b"}") + 1])]
        if [*rest] != ["next_page_token"] or {*order} != {*FIELDS}:
            return None
        columns = _columns(text, order)
    except _NO_BAR:
        return None
    counts = [piece.count(b"}") for piece in pieces.values()]
    if columns is None or columns.height != sum(counts):
        return None
    names = [
        pl.repeat(name, count, dtype=pl.String, eager=True)
        for name, count in zip(pieces, counts, strict=True)
    ]
    symbol = pl.concat(names).alias("symbol")
    bars = columns.insert_column(0, symbol).select(BAR_SCHEMA.names())
    return {"bars": bars, **rest}


def _pieces(text: bytes) -> dict[str, bytes] | None:
    """The bars of each symbol, between their brackets; None where that cannot be told."""
    found: dict[str, bytes] = {}
    at = 0
    while (name := _SYMBOL.match(text, at)) is not None:
        end = text.find(b"}]", name.end()) + 1
        symbol = name[1].decode()
        if not end or symbol in found:
            return None
        found[symbol] = text[name.end() : end]
        at = end + 1
        if at == len(text):
            return found
        if text[at : at + 1] != b",":
            return None
        at += 1
    return None


def _columns(text: bytes, order: Sequence[str]) -> pl.DataFrame | None:
    """Bars, each after a comma, cut at every comma; None if a bar differs from the others.

    Args:
        text: Like ``,{"c":1.5,"t":"..."},{"c":1.6,...``; what ends a row is its ``}``.
        order: Of the fields in every bar.

    Raises:
        PolarsError: A value is not of its column's type.
    """
    cut = pl.read_csv(
        text,
        has_header=False,
        eol_char="}",
        quote_char=None,
        schema=dict.fromkeys(["", *order], pl.String),
    )
    begins = {field: f'"{field}":' for field in order}
    begins[order[0]] = "{" + begins[order[0]]
    same = [pl.col(field).str.starts_with(begin) for field, begin in begins.items()]
    alike = pl.all_horizontal(pl.col("").is_null(), *same).fill_null(value=False).all()
    values = [
        _value(pl.col(field).str.slice(len(begin)), FIELDS[field])
        for field, begin in begins.items()
    ]
    found = cut.select(*values, alike=alike)
    return found.drop("alike") if found["alike"].all() else None


def _value(text: pl.Expr, name: str) -> pl.Expr:
    if name == "timestamp":
        times = text.str.to_datetime(f'"{_TIME}"', time_unit="us", time_zone="UTC")
        return times.alias(name)
    return text.cast(BAR_SCHEMA[name]).alias(name)


def _strictly(bars: Sequence[Mapping[str, Any]], field: str, name: str) -> pl.Series:
    """A column whose every value is there and of its type, which is fast to tell."""
    values = [bar[field] for bar in bars]
    if name == "timestamp":
        texts = pl.Series(name, values, dtype=pl.String)
        return texts.str.to_datetime(_TIME, time_unit="us", time_zone="UTC")
    return pl.Series(name, values, dtype=BAR_SCHEMA[name])


def _leniently(bars: Sequence[Any], field: str, name: str) -> pl.Series:
    """A column with null where a value is absent or no such value."""
    found = [bar.get(field) if isinstance(bar, dict) else None for bar in bars]
    simple = [value if isinstance(value, str | int | float) else None for value in found]
    values = pl.Series(name, simple, strict=False)
    if name == "timestamp":
        return _read_time(values)
    return values.cast(BAR_SCHEMA[name], strict=False)


def _read_time(texts: pl.Series) -> pl.Series:
    texts = texts.cast(pl.String, strict=False)
    times = texts.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%#z", time_unit="us", strict=False)
    return times.dt.convert_time_zone("UTC")
