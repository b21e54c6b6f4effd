"""The views and macros SQL users see; they are stored in the lake and work from any DuckDB."""

from lake.datasets import BARS_1M, Dataset
from lake.timeframes import minute_bars, resampled


def current(dataset: Dataset) -> str:
    """SQL of all current bars of a dataset, with the columns of its table."""
    return "(" + " UNION ALL ".join(f"FROM lake.main.{table}" for table in dataset.tables) + ")"


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
        minute_bars(
            current(BARS_1M),
            only="(b.symbol, b.source) IN (SELECT (symbol, source) FROM lake.main.shown_sources WHERE dataset = 'bars_1m')",
        ),
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
}
