"""Rounds of upkeep for tests: live bars before one, and that readers learn the same after it."""

from datetime import UTC, datetime, timedelta

from polars.testing import assert_frame_equal

from lake.upkeep import Plan
from tests.market import OPEN, SOURCE

LATER = datetime.now(UTC) + timedelta(days=400)
#: Everything at once: all snapshots but the newest and the pinned ones, all replaced files.
ALL = Plan(LATER, keep=timedelta(0), replaced_kept=timedelta(0))
CURRENT = "(FROM bars_1m UNION ALL FROM bars_live)"


def live(store, *minutes, symbol="SPY", source=SOURCE):
    """Bars as a live batch leaves them: plain rows in bars_live."""
    with store.writing() as transaction:
        for minute in minutes:
            transaction.connection.execute(
                "INSERT INTO bars_live VALUES (?, ?, ?, 1, 2, 1, 2, 10, 1, 1.5, 0, ?)",
                [source, symbol, OPEN + timedelta(minutes=minute), transaction.recorded_at],
            )


def at(store, snapshot):
    with store.reading() as connection:
        return [
            connection.execute(f"FROM {table} AT (VERSION => {snapshot}) ORDER BY ALL").pl()
            for table in ("bars_1m", "bars_live", "bar_revisions")
        ]


def same(before, after):
    for left, right in zip(before, after, strict=True):
        assert_frame_equal(left, right)
