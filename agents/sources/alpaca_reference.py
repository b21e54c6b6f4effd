"""What Alpaca says beside bars: corporate actions, assets, its calendar. docs/alpaca.md has the fields."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import orjson
import polars as pl

from agents.sources import ProviderBusyError
from lake.calendars import CALENDAR_SCHEMA
from lake.papers import ASSET_SCHEMA

_NO_ANSWER = "an answer that is not what was asked for"


def read_assets(found: Any, source: str) -> pl.DataFrame:
    """The list of assets, as ``ASSET_SCHEMA``; one without an id or a symbol is none.

    Raises:
        ProviderBusyError: It is no list.
    """
    if not isinstance(found, list):
        raise ProviderBusyError(source, _NO_ANSWER)
    rows = [
        (
            str(one["id"]),
            str(one["symbol"]),
            kind := str(one.get("class") or "us_equity"),
            one.get("exchange"),
            "24/7" if kind.startswith("crypto") else "XNYS",
            one.get("name"),
            one.get("status"),
        )
        for one in found
        if isinstance(one, dict) and one.get("id") and one.get("symbol")
    ]
    return pl.DataFrame(rows, schema=ASSET_SCHEMA, orient="row")


def read_calendar(found: Any, source: str) -> pl.DataFrame:
    """Sessions, as ``CALENDAR_SCHEMA``; a row without a date is none.

    Raises:
        ProviderBusyError: It is no list.
    """
    if not isinstance(found, list):
        raise ProviderBusyError(source, _NO_ANSWER)
    rows = [
        (day, str(one.get("open")), str(one.get("close")))
        for one in found
        if isinstance(one, dict) and (day := _day(one.get("date")))
    ]
    return pl.DataFrame(rows, schema=CALENDAR_SCHEMA, orient="row")


def read_action(kind: str, record: Mapping[str, Any]) -> tuple[Any, ...]:
    """One corporate action; ``kind`` is the plural under which Alpaca lists it."""
    day = record.get("ex_date") or record.get("effective_date") or record.get("process_date")
    split = kind in {"forward_splits", "reverse_splits"}
    new, old = _number(record.get("new_rate")), _number(record.get("old_rate"))
    ratio = new / old if split and new and old else None
    amount = record.get("rate") if kind == "cash_dividends" else None
    symbol = record.get("symbol") or record.get("source_symbol") or record.get("old_symbol")
    symbol = symbol or record.get("acquiree_symbol")
    return (
        str(record.get("id")),
        symbol,
        kind.removesuffix("s"),
        _day(day),
        _day(record.get("process_date")),
        ratio,
        _number(amount),
        orjson.dumps(record, option=orjson.OPT_SORT_KEYS).decode(),
    )


def _number(value: object) -> float | None:
    try:
        return float(str(value))
    except ValueError:
        return None


def _day(value: object) -> date | None:
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        return None
