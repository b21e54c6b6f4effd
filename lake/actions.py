"""Corporate actions: stored with what was known when, and applied when bars are read.

Bars are stored raw. A split on ``ex_date`` with ``ratio`` new shares per old divides every price
before that session by the ratio and multiplies every volume by it, so the newest bars stay raw.
"""

from dataclasses import dataclass
from datetime import date

import duckdb
import polars as pl

from lake.catalog import Catalog
from lake.errors import InvalidError

ACTION_SCHEMA = pl.Schema(
    {
        "action_id": pl.String(),
        "symbol": pl.String(),
        "kind": pl.String(),  # forward_split, reverse_split, cash_dividend, ...
        "ex_date": pl.Date(),
        "process_date": pl.Date(),  # when the provider books it; null where it does not say
        "ratio": pl.Float64(),  # new shares per old; null where it is no split
        "amount": pl.Float64(),  # USD per share; null where it is no dividend
        "details": pl.String(),  # the provider's own record, as JSON
    }
)
ADJUSTMENTS = ("raw", "split")
_PRICES = ("open", "high", "low", "close", "vwap")


class AdjustmentError(InvalidError):
    """An adjustment that does not exist."""

    def __init__(self, adjust: str) -> None:
        super().__init__(adjust)
        self.adjust = adjust

    def __str__(self) -> str:
        return f"{self.adjust!r} is not an adjustment. Use one of {', '.join(ADJUSTMENTS)}."


def check_adjustment(adjust: str) -> str:
    """The adjustment itself.

    Raises:
        AdjustmentError: There is no such adjustment.
    """
    if adjust not in ADJUSTMENTS:
        raise AdjustmentError(adjust)
    return adjust


def provider_of(source: str) -> str:
    """The provider of a source: actions belong to companies, not to feeds.

    >>> provider_of("alpaca:iex")
    'alpaca'
    """
    return source.partition(":")[0]


@dataclass(frozen=True)
class Answered:
    """What a provider said about corporate actions.

    Attributes:
        source: Provider and feed; actions belong to the provider.
        actions: As ``ACTION_SCHEMA``.
        symbols: Whom the answer is about.
        start: First process date asked for.
        end: Last one, included.
    """

    source: str
    actions: pl.DataFrame
    symbols: tuple[str, ...]
    start: date
    end: date


def commit_actions(catalog: Catalog, answered: Answered) -> int:
    """Store corporate actions as the provider tells them now; the same ones again change nothing.

    A changed action supersedes the old one, and one that a complete answer no longer has is
    withdrawn: a split that was issued again under another number must not count twice. What is
    superseded stays, for as-of reads. One row in ``changes`` names the ex date of each action that
    came or went: prices adjusted for it change in every session before.

    Returns:
        How many actions were new, changed or withdrawn.
    """
    provider = provider_of(answered.source)
    incoming = answered.actions.cast(ACTION_SCHEMA).unique(
        "action_id", keep="last", maintain_order=True
    )
    with catalog.reading() as connection:
        fresh, gone = _differing(connection, provider, incoming, answered)
        if fresh.is_empty() and gone.is_empty():
            return 0
    with catalog.writing() as transaction:
        run, now = transaction.connection, transaction.recorded_at
        fresh, gone = _differing(run, provider, incoming, answered)
        run.register("fresh", fresh)
        run.register("gone", gone)
        run.execute(
            """UPDATE corporate_actions SET superseded_at = ? WHERE source = ? AND superseded_at IS NULL
               AND (action_id IN (SELECT action_id FROM fresh)
                    OR action_id IN (SELECT action_id FROM gone))""",
            [now, provider],
        )
        columns = ", ".join(ACTION_SCHEMA.names())
        run.execute(
            f"INSERT INTO corporate_actions (source, {columns}, recorded_at) SELECT ?, {columns}, ? FROM fresh",
            [provider, now],
        )
        run.execute(
            """INSERT INTO changes SELECT DISTINCT ?, series.source, symbol, touched.ex_date, 'actions', ?
               FROM (SELECT symbol, ex_date FROM fresh UNION SELECT symbol, ex_date FROM gone) touched
               JOIN series USING (symbol) WHERE split_part(series.source, ':', 1) = ?""",
            [transaction.commit_id, now, provider],
        )
    return fresh.height + gone.join(fresh, on="action_id", how="anti").height


def splits(connection: duckdb.DuckDBPyConnection, source: str, symbols: list[str]) -> pl.DataFrame:
    """The splits that have happened: ``symbol``, ``ex_date``, ``ratio`` (new shares per old).

    Providers announce splits weeks ahead. One counts from the first stored bar of its ex date on:
    until then the newest prices are still those people trade at.
    """
    return connection.execute(
        """SELECT DISTINCT symbol, ex_date, ratio FROM corporate_actions a
           WHERE source = ? AND list_contains(?, symbol) AND superseded_at IS NULL
             AND kind IN ('forward_split', 'reverse_split', 'split') AND ratio > 0
             AND ex_date <= (SELECT max((b.timestamp AT TIME ZONE 'America/New_York')::DATE)
                             FROM bars_1m b WHERE b.source = ? AND b.symbol = a.symbol)
           ORDER BY symbol, ex_date""",
        [provider_of(source), symbols, source],
    ).pl()


def split_adjusted(bars: pl.DataFrame, splits_known: pl.DataFrame) -> pl.DataFrame:
    """The bars with prices and volume in today's shares.

    Args:
        bars: With ``symbol``, ``session_date``, prices and ``volume``.
        splits_known: ``symbol``, ``ex_date``, ``ratio``.
    """
    factor = pl.lit(1.0)
    for symbol, ex_date, ratio in splits_known.iter_rows():
        before = (pl.col("symbol") == symbol) & (pl.col("session_date") < ex_date)
        factor = pl.when(before).then(factor * ratio).otherwise(factor)
    adjusted = bars.with_columns(factor.alias("_shares"))
    return adjusted.with_columns(
        *(pl.col(name) / pl.col("_shares") for name in _PRICES),
        pl.col("volume") * pl.col("_shares"),
    ).drop("_shares")


def _differing(
    connection: duckdb.DuckDBPyConnection,
    provider: str,
    incoming: pl.DataFrame,
    answered: Answered,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What is new or changed, and what the answer should have had and has not."""
    names = ACTION_SCHEMA.names()
    known = connection.execute(
        f"SELECT {', '.join(names)} FROM corporate_actions WHERE source = ? AND superseded_at IS NULL",
        [provider],
    ).pl()
    known = known.cast(ACTION_SCHEMA)
    asked = pl.col("symbol").is_in(answered.symbols) & pl.col("process_date").is_between(
        answered.start, answered.end
    )
    fresh = incoming.join(known, on=names, how="anti", nulls_equal=True)
    return fresh, known.filter(asked).join(incoming, on="action_id", how="anti")
