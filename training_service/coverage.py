"""What joining costs: how many rows each context symbol has none for, and where they lie."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from training_service.joining import Beside

WORST = 10
_ZONE = "America/New_York"


def _counts(name: str) -> pl.List:
    return pl.List(pl.Struct({name: pl.String, "lost": pl.Int64}))


SCHEMA: Mapping[str, Any] = {
    "primary": pl.String,
    "symbol": pl.String,
    "rows": pl.Int64,
    "lost": pl.Int64,
    "share": pl.Float64,
    "worst_session": pl.Date,
    "worst_lost": pl.Int64,
    "worst_sessions": _counts("session"),
    "by_half_hour": _counts("from"),
    "by_month": _counts("month"),
    "filled": pl.Int64,
    "median_age": pl.Float64,
    "greatest_age": pl.Float64,
    "empty_columns": pl.List(pl.String),
}


def of_context(primary: str, rows: pl.DataFrame, one: Beside) -> dict[str, Any]:
    """What one context symbol costs a primary one.

    Args:
        primary: The primary symbol.
        rows: Its ``timestamp`` and ``session_date`` before the join.
        one: What the context symbol has for them.
    """
    ages = one.ages[one.found]
    old = ages[ages > 0]
    return {
        "primary": primary,
        "symbol": one.symbol,
        "rows": one.rows,
        **_lost(rows, ~one.found),
        "filled": len(old),
        "median_age": float(np.median(old)) if len(old) else None,
        "greatest_age": float(old.max()) if len(old) else None,
    }


def of_primary(primary: str, rows: pl.DataFrame, context: Iterable[Beside]) -> dict[str, Any]:
    """What all context symbols together cost a primary one; for panels, which have several."""
    lost = np.zeros(rows.height, dtype=np.bool_)
    for one in context:
        lost |= ~one.found
    return {"primary": primary, "symbol": primary, "rows": rows.height, **_lost(rows, lost)}


def report(costs: Iterable[Mapping[str, Any]], empty: Mapping[str, list[str]]) -> pl.DataFrame:
    """A row a cost.

    Args:
        costs: Of :func:`of_context` and :func:`of_primary`.
        empty: The columns of each context symbol that are null in every row.

    Returns:
        ``primary`` and ``symbol`` (the same where a panel tells of a primary itself), ``rows`` (the
        symbol's own), ``lost`` (of the primary's rows, for which it has none) and their ``share``;
        ``worst_session`` with ``worst_lost``; lists of where rows are lost: ``worst_sessions`` (ten at
        most, the worst first), ``by_half_hour`` (from when, New York) and ``by_month``; ``filled``: rows
        beside which an older bar stands, with their ``median_age`` and ``greatest_age`` in minutes (null
        where there are none); ``empty_columns``. The other context symbols do not count in any of these.
    """
    rows = [
        {
            "filled": 0,
            **one,
            "empty_columns": [] if one["symbol"] == one["primary"] else empty[one["symbol"]],
        }
        for one in costs
    ]
    return pl.DataFrame(rows, schema=dict(SCHEMA))


def _lost(rows: pl.DataFrame, which: NDArray[np.bool_]) -> dict[str, Any]:
    lost = rows.select("timestamp", "session_date").filter(pl.Series(which))
    sessions = lost["session_date"].value_counts(name="lost")
    worst = sessions.sort("lost", "session_date", descending=True).head(WORST)
    local = lost["timestamp"].dt.convert_time_zone(_ZONE)
    first = worst.row(0) if worst.height else (None, 0)
    return {
        "lost": lost.height,
        "share": lost.height / rows.height if rows.height else 0.0,
        "worst_session": first[0],
        "worst_lost": first[1],
        "worst_sessions": [{"session": f"{day}", "lost": count} for day, count in worst.rows()],
        "by_half_hour": _counted(local.dt.truncate("30m").dt.strftime("%H:%M"), "from"),
        "by_month": _counted(lost["session_date"].dt.strftime("%Y-%m"), "month"),
    }


def _counted(values: pl.Series, name: str) -> list[dict[str, Any]]:
    return values.alias(name).value_counts(name="lost").sort(name).to_dicts()
