"""Closing prices and newest sessions straight from the files that a plan names.

The same as :mod:`lake.closes` asks DuckLake for, which plans each table anew for each question.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import polars as pl

from lake.datasets import DATASETS, Dataset
from lake.planning import Plan, Planner
from lake.scanning import Series, Span, scan
from lake.sessions import midnight

_TIME = pl.col("timestamp")
#: Regular hours, and the midnight of New York, lie in the UTC day of their session.
_DAY = _TIME.dt.date()
_ROWS = {"symbol": pl.String(), "timestamp": pl.Datetime("us", "UTC"), "close": pl.Float64()}


class FileCloses:
    """The bars of one source as they were known at a time, read from files.

    Raises:
        FileNotFoundError: Upkeep has just replaced a file; ask again, or ask DuckLake.
    """

    def __init__(self, plan: Plan, source: str, as_of: datetime | None) -> None:
        self._plan, self._source, self._as_of = plan, source, as_of

    @classmethod
    def planned(
        cls, planner: Planner, source: str, symbols: Sequence[str], as_of: datetime | None
    ) -> "FileCloses | None":
        """For some symbols; None where files do not hold the whole answer."""
        tables = {table for dataset in DATASETS.values() for table in dataset.tables_at(as_of)}
        plan = planner.plan([*sorted(tables), "sessions"], sorted({*symbols}))
        return cls(plan, source, as_of) if plan is not None else None

    def sessions(self) -> pl.DataFrame:
        """Every session: ``session_date``, ``open``, ``close``."""
        columns = ["session_date", "open", "close"]
        return scan(self._plan.files["sessions"], columns, (None, None)).collect()

    def newest(self, told: pl.DataFrame) -> pl.DataFrame:
        """As :func:`lake.closes.newest_sessions`."""
        first = midnight(told.select(pl.col("ex_date").min()).item())
        session = _TIME.max().dt.convert_time_zone("America/New_York").dt.date()
        asked = []
        for symbol in told["symbol"].unique().sort():
            frames = [
                frame
                for dataset in DATASETS.values()
                for frame in self._bars(dataset, symbol, (first, None))
            ]
            if frames:
                newest = session.alias("newest")
                asked.append(pl.concat(frames).select(pl.lit(symbol).alias("symbol"), newest))
        empty = pl.DataFrame(schema={"symbol": pl.String, "newest": pl.Date})
        return pl.concat([empty, *pl.collect_all(asked)]).drop_nulls("newest")

    def closes(self, wanted: pl.DataFrame, minutes: Dataset, daily: Dataset) -> pl.DataFrame:
        """The last close of each ``symbol``, ``day``, ``before`` of ``wanted``, from ``oldest`` on.

        Returns:
            These, ``held`` (the session of the close), ``latest`` (the last session it could be
            of) and ``close``; no row where there is none.
        """
        key = ["symbol", "day", "before"]
        asked = (
            wanted.with_columns(session_date=pl.date_ranges("oldest", "day"))
            .explode("session_date")
            .filter(~pl.col("before") | (pl.col("session_date") < pl.col("day")))
            .join(self.sessions(), on="session_date")
            .with_columns(latest=pl.col("session_date").max().over(key))
        )
        # Nearly every close is of the latest session: the others are looked at where it is not.
        found = self._closes_on(
            asked.filter(pl.col("session_date") == pl.col("latest")), minutes, daily
        )
        left = asked.join(found, on=key, how="anti")
        if not left.is_empty():
            found = pl.concat([found, self._closes_on(left, minutes, daily)])
        return found

    def _closes_on(self, asked: pl.DataFrame, minutes: Dataset, daily: Dataset) -> pl.DataFrame:
        """For each ``symbol``, ``day``, ``before`` the close of the last ``session_date`` that has one."""
        key, hours = (
            ["symbol", "session_date"],
            asked.select("session_date", "open", "close").unique(),
        )
        regular = (
            self._on(minutes, asked)
            .with_columns(session_date=_DAY)
            .join(hours.rename({"close": "closing"}), on="session_date")
            .filter(pl.col("open") <= _TIME, pl.col("closing") > _TIME)
            .sort("timestamp")
            .group_by(key, maintain_order=True)
            .agg(pl.col("close").last(), rank=pl.lit(1))
        )
        own = self._on(daily, asked).select(
            "symbol",
            session_date=_TIME.dt.convert_time_zone("America/New_York").dt.date(),
            close="close",
            rank=pl.lit(0),
        )
        return (
            asked.drop("open", "close")
            .join(pl.concat([regular, own]), on=key)
            .sort("session_date", "rank", descending=[True, False])
            .unique(["symbol", "day", "before"], keep="first", maintain_order=True)
            .select("symbol", "day", "before", held="session_date", latest="latest", close="close")
        )

    def _on(self, dataset: Dataset, asked: pl.DataFrame) -> pl.DataFrame:
        """The bars on each ``session_date`` of a ``symbol``: ``symbol timestamp close``."""
        frames = []
        for (symbol,), mine in asked.group_by("symbol", maintain_order=True):
            days = mine["session_date"].unique().sort()
            span = midnight(days[0]), midnight(days[-1] + timedelta(days=1))
            frames += [
                frame.filter(_DAY.is_in(days.implode())).select(
                    pl.lit(symbol).alias("symbol"), "timestamp", "close"
                )
                for frame in self._bars(dataset, str(symbol), span)
            ]
        return pl.concat([pl.DataFrame(schema=_ROWS), *pl.collect_all(frames)])

    def _bars(self, dataset: Dataset, symbol: str, span: Span) -> list[pl.LazyFrame]:
        series = Series(dataset, symbol, self._source, self._as_of)
        return series.frames(self._plan, ["timestamp", "close"], span)
