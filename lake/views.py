"""The views SQL users see; they are stored in the lake and work from any DuckDB."""

from lake.datasets import BARS_1M, BARS_DAILY, Dataset
from lake.macros import MACROS
from lake.sqltext import quoted
from lake.timeframes import minute_bars, resampled

#: What each column of bars holds, for SQL users; DuckLake 1.0 keeps comments on columns of tables only.
COLUMN_COMMENTS: dict[str, str] = {
    "source": "provider and feed, like alpaca:sip; bars of two sources never mix",
    "symbol": "ticker, in capitals",
    "timestamp": "opening of the bar, UTC; the bar is known one timeframe later",
    "open": "first price, USD per share, as traded",
    "high": "highest price, USD per share, as traded",
    "low": "lowest price, USD per share, as traded",
    "close": "last price, USD per share, as traded",
    "volume": "shares, as traded",
    "trade_count": "trades; null where the source does not count",
    "vwap": "mean price weighted by volume, USD per share; null where the source does not say",
    "flags": "sum of 1: open outside the range, 2: close outside, 4: vwap outside, 8: no volume",
    "recorded_at": "when the lake learnt these values, UTC",
}
#: The tables whose columns these are.
COMMENTED: tuple[str, ...] = ("bars_1m", "bars_live", "bars_daily")


def current(dataset: Dataset) -> str:
    """SQL of all current bars of a dataset, with the columns of its table."""
    return "(" + " UNION ALL ".join(f"FROM lake.main.{table}" for table in dataset.tables) + ")"


def _shown(dataset: Dataset) -> str:
    """SQL of the bars of a dataset, of the one source per symbol that is shown."""
    shown = f"SELECT (symbol, source) FROM lake.main.shown_sources WHERE dataset = '{dataset.name}'"
    return minute_bars(current(dataset), only=f"(b.symbol, b.source) IN ({shown})")


_NEWEST_SCANS = """
    FROM lake.main.gap_scans QUALIFY recorded_at = max(recorded_at) OVER (PARTITION BY dataset, source, symbol, session_date)"""


def _macros() -> str:
    rows = ", ".join(
        f"({quoted(name)}, {quoted(macro.parameters)}, {quoted(macro.comment)}, {quoted(macro.example)})"
        for name, macro in MACROS.items()
    )
    return f"SELECT * FROM (VALUES {rows}) m (name, parameters, comment, example)"


#: The views SQL users see, in the order in which they are made, with their comments.
VIEWS: dict[str, tuple[str, str]] = {
    "shown_sources": (
        """
        SELECT dataset, symbol, min_by(source, (
            CASE WHEN source = (SELECT value FROM lake.main.lake_settings WHERE name = 'default_source') THEN 0
                 WHEN source LIKE 'sandbox:%' THEN 2 ELSE 1 END, source)) AS source
        FROM lake.main.series GROUP BY dataset, symbol""",
        "which source `bars` shows for each symbol: the configured one where it has the symbol, else the only one that has",
    ),
    "bars": (
        _shown(BARS_1M),
        "1-minute bars, raw, one source per symbol; timestamp is the opening in UTC",
    ),
    "bars_5m": (
        resampled("FROM lake.main.bars", "5min"),
        "5-minute bars of each session, regular and extended hours apart",
    ),
    "bars_1h": (
        resampled("FROM lake.main.bars", "1h"),
        "1-hour bars of each session, anchored at its open, regular and extended hours apart",
    ),
    "bars_1d": (
        resampled("FROM lake.main.bars", "1d"),
        "daily bars of the regular hours; timestamp is the session's open",
    ),
    "daily": (
        f"SELECT * REPLACE (true AS is_regular) FROM ({_shown(BARS_DAILY)})",
        "the provider's own daily bars, raw, one source per symbol; timestamp is midnight in New York, in UTC",
    ),
    "completeness": (
        f"SELECT * EXCLUDE (holes) FROM ({_NEWEST_SCANS})",
        "regular minutes of each scanned session: expected = present + the five classes of absence; of bars_daily 1",
    ),
    "absences": (
        f"""
        SELECT dataset, source, symbol, session_date, hole."start" AS "start", hole."end" AS "end",
               CASE WHEN dataset = 'bars_1m' THEN date_diff('minute', hole."start", hole."end") END AS minutes,
               hole.class AS class, hole.fetched AS fetched, hole.asked AS asked,
               nullif(hole.asked_at, TIMESTAMPTZ '1970-01-01 00:00:00+00') AS asked_at, recorded_at
        FROM (SELECT * EXCLUDE (holes), unnest(holes) AS hole FROM ({_NEWEST_SCANS}))""",
        "holes by the newest scan: class says why, fetched how many answers lack it, asked how often it was asked for again",
    ),
    "list_members": (
        """
        SELECT name, unnest(symbols) AS symbol, valid_from,
               lead(valid_from) OVER (PARTITION BY name ORDER BY valid_from) AS valid_to, recorded_at
        FROM (FROM lake.main.symbol_lists QUALIFY recorded_at = max(recorded_at) OVER (PARTITION BY name, valid_from))""",
        "members of each named list as they are known now, from valid_from (inside) to valid_to (outside, null: until today)",
    ),
    "macros": (
        _macros(),
        "the macros of the lake: what each takes, what it gives, and a call",
    ),
}
