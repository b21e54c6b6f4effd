"""What a lake holds, as a few numbers that can be compared: all rows of all tables, in no order.

When something was learnt, and under which number of a snapshot, is no part of it: a work that is
repeated after a kill does it later. Everything else is, to the bit.
"""

from contextlib import suppress

import polars as pl

import lake
from lake.errors import BarsMissingError

Content = dict[str, tuple[int, str]]

#: What a reader of bars sees.
BARS = "source, symbol, timestamp, open, high, low, close, volume, trade_count, vwap, flags"
_MINUTES = f"SELECT {BARS} FROM bars_1m UNION ALL SELECT {BARS} FROM bars_live"
_VALUES = BARS.partition("timestamp")[2]
_TABLES = {
    "minutes": _MINUTES,
    "daily": f"SELECT {BARS} FROM bars_daily",
    "revisions": f"SELECT dataset, kind, {BARS} FROM bar_revisions",
    "coverage": 'SELECT dataset, source, symbol, "start", "end" FROM coverage',
    "changes": "SELECT source, symbol, session, kind FROM changes",
    "series": "FROM series",
    "quarantine": "SELECT * EXCLUDE (recorded_at) FROM quarantine",
    "actions": "SELECT * EXCLUDE (recorded_at, superseded_at), superseded_at IS NULL FROM corporate_actions",
    "pins": "SELECT name FROM pins",
    "sessions": "FROM sessions",
    "builds": "SELECT symbol, content_hash FROM feature_builds",
    "definitions": "SELECT feature_name, hash FROM feature_definitions",
    "settings": "FROM lake_settings",
    "models": "SELECT * EXCLUDE (created_at) FROM models",
    "tags": "SELECT model_id, tag FROM model_tags",
    "runs": "SELECT * EXCLUDE (created_at) FROM simulations",
    "curves": "FROM simulation_equity",
    "orders": "FROM simulation_orders",
    "searches": "SELECT * EXCLUDE (created_at) FROM searches",
    "trials": "FROM search_trials",
}
_HASHED = "SELECT count(*), coalesce(sum(hash(t)::HUGEINT), 0)::VARCHAR FROM ({}) t"


def content(store: lake.Lake) -> Content:
    """Rows of every table and their hash, from one snapshot."""
    with store.reading() as connection:
        connection.execute("BEGIN TRANSACTION READ ONLY")
        tables = {**_TABLES}
        made = connection.execute(
            """SELECT table_name FROM duckdb_tables() WHERE database_name = 'lake'
               AND starts_with(table_name, 'features_') ORDER BY 1"""
        ).fetchall()
        tables |= {name: f'FROM "{name}"' for (name,) in made}
        query = " UNION ALL ".join(
            f"SELECT '{name}', * FROM ({_HASHED.format(table)})" for name, table in tables.items()
        )
        return {name: (rows, digest) for name, rows, digest in connection.execute(query).fetchall()}


def twice(store: lake.Lake) -> int:
    """How many keys of minute bars are stored more than once."""
    query = f"SELECT count(*) - count(DISTINCT (source, symbol, timestamp)) FROM ({_MINUTES})"
    return int(store.sql(query).item())


def series_of(store: lake.Lake) -> list[tuple[str, str, str]]:
    """Every series: dataset, source, symbol."""
    return store.sql("SELECT dataset, source, symbol FROM series ORDER BY ALL").rows()


def readers_content(
    store: lake.Lake,
    table: str,
    series: list[tuple[str, str, str]],
    **asked: object,
) -> tuple[int, str]:
    """The same number for what :meth:`lake.Lake.bars` answers of some series together.

    Args:
        table: ``minutes`` or ``daily``.
        series: As :func:`series_of` gives them; of other datasets they are passed over.
        asked: ``as_of`` or ``snapshot``.
    """
    dataset = {"minutes": "bars_1m", "daily": "bars_daily"}[table]
    parts = []
    for source, symbol in [one[1:] for one in series if one[0] == dataset]:
        with suppress(BarsMissingError):  # a series of which every bar was withdrawn
            parts.append(store.bars(symbol, source=source, dataset=dataset, **asked))
    if not parts:
        return 0, "0"
    with store.reading() as connection:
        connection.register("seen", pl.concat(parts))
        row = connection.execute(_HASHED.format(f"SELECT {BARS} FROM seen")).fetchone()
    return row[0], row[1]
