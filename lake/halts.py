"""When trading of a symbol was halted, as status messages and the exchanges' reports say it."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import duckdb
import polars as pl

from lake.actions import provider_of
from lake.errors import InvalidError
from lake.schema import UTC_TIME, check_symbol

if TYPE_CHECKING:
    from lake.store import Lake

#: What :func:`commit_halts` takes, a row a halt.
HALT_SCHEMA = pl.Schema(
    {
        "source": pl.String(),  # whose status message it was, like alpaca:sip
        "symbol": pl.String(),
        "start": UTC_TIME,
        "end": UTC_TIME,  # the first moment of trading again; null while it lasts
        "reason": pl.String(),  # the provider's code or words
    }
)
#: Market-wide halts since 2016 (all on level 1): New York Stock Exchange, MWCB working group, 2021.
_MARKET_WIDE: tuple[tuple[datetime, datetime], ...] = (
    (datetime(2020, 3, 9, 13, 34, 13, tzinfo=UTC), datetime(2020, 3, 9, 13, 49, 13, tzinfo=UTC)),
    (datetime(2020, 3, 12, 13, 35, 44, tzinfo=UTC), datetime(2020, 3, 12, 13, 50, 44, tzinfo=UTC)),
    (datetime(2020, 3, 16, 13, 30, 1, tzinfo=UTC), datetime(2020, 3, 16, 13, 45, 1, tzinfo=UTC)),
    (datetime(2020, 3, 18, 16, 56, 17, tzinfo=UTC), datetime(2020, 3, 18, 17, 11, 17, tzinfo=UTC)),
)


class HaltError(InvalidError):
    """A halt that ends before it starts."""

    def __init__(self, symbol: str, start: str) -> None:
        super().__init__(symbol, start)
        self.symbol, self.start = symbol, start

    def __str__(self) -> str:
        return f"The halt of {self.symbol} from {self.start} ends before it starts. Nothing was written."


def commit_halts(lake: "Lake", halts: pl.DataFrame) -> int:
    """Store halts as a source tells them now; the same ones again change nothing.

    Key: source, symbol and start. A halt that has ended meanwhile is told again with its end, and
    the newest word holds. One transaction.

    Args:
        lake: To write to.
        halts: As ``HALT_SCHEMA``.

    Returns:
        How many were new or changed.

    Raises:
        SymbolError: A symbol is not a ticker. Nothing was written.
        HaltError: One ends before it starts. Nothing was written.
    """
    told = halts.select(HALT_SCHEMA.names()).cast(HALT_SCHEMA)
    told = told.unique(["source", "symbol", "start"], keep="last", maintain_order=True)
    for symbol, start, end in told.select("symbol", "start", "end").iter_rows():
        if end is not None and end < start:
            raise HaltError(check_symbol(symbol), start.isoformat())
        check_symbol(symbol)
    with lake.reading() as connection:
        if _fresh(told, _newest(connection)).is_empty():
            return 0
    with lake.writing() as transaction:
        fresh = _fresh(told, _newest(transaction.connection))
        transaction.connection.register("fresh", fresh)
        transaction.connection.execute(
            """INSERT INTO halts SELECT source, symbol, "start", "end", reason, ? FROM fresh""",
            [transaction.recorded_at],
        )
    return fresh.height


def halts_of(
    lake: "Lake", source: str, symbols: Sequence[str]
) -> dict[str, list[tuple[datetime, datetime | None]]]:
    """The halts that hold for a source's symbols, market-wide ones too: start, end or None.

    A halt holds for every feed of its provider.
    """
    found: dict[str, list[tuple[datetime, datetime | None]]] = {}
    market = [] if provider_of(source) == "sandbox" else [*_MARKET_WIDE]
    for symbol in symbols:
        found[symbol] = [*market]
    with lake.reading() as connection:
        rows = _newest(connection).filter(pl.col("symbol").is_in([*symbols]))
    for name, symbol, start, end, _ in rows.iter_rows():
        if provider_of(name) == provider_of(source):
            found[symbol].append((start, end))
    return found


def _newest(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """The newest word on each halt."""
    return connection.execute(
        """SELECT source, symbol, "start", "end", reason FROM halts
           QUALIFY row_number() OVER (PARTITION BY source, symbol, "start" ORDER BY recorded_at DESC) = 1"""
    ).pl()


def _fresh(told: pl.DataFrame, held: pl.DataFrame) -> pl.DataFrame:
    return told.join(held, on=HALT_SCHEMA.names(), how="anti", nulls_equal=True)
