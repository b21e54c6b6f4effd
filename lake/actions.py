"""Corporate actions: stored with what was known when, and given to readers with what adjusting needs.

Bars are stored raw. What an action does to older prices and volumes is :mod:`lake.adjustment`.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

import duckdb
import polars as pl

from lake.adjustment import (
    ADJUSTMENTS,
    APPLIED,
    DIVIDENDS,
    SPIN_OFFS,
    AdjustmentError,
    adjusted,
    check_adjustment,
)
from lake.catalog import Catalog
from lake.closes import closes, newest_sessions

if TYPE_CHECKING:
    from lake.planning import Planner

__all__ = [
    "ACTION_SCHEMA",
    "ADJUSTMENTS",
    "KNOWN_SCHEMA",
    "AdjustmentError",
    "Answered",
    "check_adjustment",
    "commit_actions",
    "known_actions",
    "provider_of",
    "split_adjusted",
    "splits",
]

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
#: What :func:`known_actions` gives, a row an action that counts.
KNOWN_SCHEMA = pl.Schema(
    {
        "symbol": pl.String(),
        "ex_date": pl.Date(),
        "kind": pl.String(),
        "ratio": pl.Float64(),  # new shares per old, of a stock dividend too
        "amount": pl.Float64(),  # USD per old share: cash, or what is handed out at its ex day's close
        "details": pl.String(),
        "prior_close": pl.Float64(),  # of dividends: the raw close before the ex date
        "ex_close": pl.Float64(),  # of spin-offs: the raw close of the ex date
    }
)


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


def known_actions(
    connection: duckdb.DuckDBPyConnection,
    source: str,
    symbols: list[str],
    *,
    as_of: datetime | None = None,
    adjust: str = "all",
    files: "Planner | None" = None,
) -> pl.DataFrame:
    """The actions that count for a source's bars, with the closes their factors need.

    Providers announce actions weeks ahead. One counts from the first stored bar of its ex date on:
    until then the newest prices are still those people trade at. One that a provider lists twice
    under two numbers, alike in kind, day and worth, counts once.

    Args:
        connection: A reading one, in UTC.
        source: Whose bars; the actions are its provider's, the closes its own.
        symbols: Whose actions.
        as_of: Actions and bars as the lake knew them then; None for now.
        adjust: Only kinds that this adjustment applies.
        files: Of the lake: closes are then read from files, several times as fast.

    Returns:
        As ``KNOWN_SCHEMA``, sorted by symbol, ex date and kind. A value that the lake does not hold
        is null: no close, an amount in another currency.

    Raises:
        AdjustmentError: There is no such adjustment.
    """
    told = _told(connection, source, symbols, as_of, APPLIED[check_adjustment(adjust)])
    if told.is_empty():
        return KNOWN_SCHEMA.to_frame()
    happened = newest_sessions(connection, source, told, as_of, files)
    told = told.join(happened, on="symbol").filter(pl.col("ex_date") <= pl.col("newest"))
    sought = [
        told.filter(pl.col("kind").is_in(DIVIDENDS)).select(
            "symbol", day=pl.col("ex_date"), before=True
        ),
        told.filter(pl.col("kind").is_in(SPIN_OFFS)).select(
            "symbol", day=pl.col("ex_date"), before=False
        ),
        told.filter(pl.col("kind").is_in(SPIN_OFFS) & pl.col("new_symbol").is_not_null()).select(
            symbol=pl.col("new_symbol"), day=pl.col("ex_date"), before=False
        ),
    ]
    found = closes(connection, source, pl.concat(sought).unique(), as_of, files)
    return _valued(told, found)


def splits(connection: duckdb.DuckDBPyConnection, source: str, symbols: list[str]) -> pl.DataFrame:
    """The splits that have happened: ``symbol``, ``ex_date``, ``ratio`` (new shares per old)."""
    known = known_actions(connection, source, symbols, adjust="split")
    return known.filter(pl.col("ratio") > 0).select("symbol", "ex_date", "ratio")


def split_adjusted(bars: pl.DataFrame, splits_known: pl.DataFrame) -> pl.DataFrame:
    """The bars with prices and volume in today's shares.

    Args:
        bars: With ``symbol``, ``session_date``, prices and ``volume``.
        splits_known: ``symbol``, ``ex_date``, ``ratio``.
    """
    return adjusted(bars, splits_known.with_columns(kind=pl.lit("split")), "split")


def _told(
    connection: duckdb.DuckDBPyConnection,
    source: str,
    symbols: list[str],
    as_of: datetime | None,
    kinds: tuple[str, ...],
) -> pl.DataFrame:
    """What the provider says (said at ``as_of``) about these symbols, each action once."""
    known = "superseded_at IS NULL"
    if as_of is not None:
        known = "recorded_at <= $as_of AND (superseded_at IS NULL OR superseded_at > $as_of)"
    rows = connection.execute(
        f"""SELECT symbol, ex_date, kind, ratio, amount, details FROM corporate_actions
            WHERE source = $provider AND list_contains($symbols, symbol) AND list_contains($kinds, kind)
              AND {known} ORDER BY symbol, ex_date, kind, ratio, amount, details""",
        {"provider": provider_of(source), "symbols": symbols, "kinds": list(kinds)}
        | ({"as_of": as_of} if as_of is not None else {}),
    ).pl()
    names = ("rate", "new_rate", "source_rate", "new_symbol", "currency", "special", "sub_type")
    said = [pl.col("details").str.json_path_match(f"$.{name}").alias(name) for name in names]
    worth = ["symbol", "ex_date", "kind", "ratio", "amount", *names]
    return rows.with_columns(*said).unique(worth, keep="first", maintain_order=True)


def _valued(told: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    """The actions with their closes, and the amounts and ratios that the provider says in its own way."""
    before = found.filter("before").select("symbol", ex_date="day", prior_close="close")
    after = found.filter(~pl.col("before")).drop("before").rename({"day": "ex_date"})
    spun = pl.col("kind").is_in(SPIN_OFFS)
    rate, new, old = (
        pl.col(name).cast(pl.Float64, strict=False) for name in ("rate", "new_rate", "source_rate")
    )
    foreign = pl.col("currency").fill_null("USD") != "USD"
    handed = pl.col("new_close") * pl.coalesce(new / old, rate)
    stock = (pl.col("kind") == "stock_dividend") & pl.col("ratio").is_null()
    return (
        told.join(before, on=["symbol", "ex_date"], how="left", maintain_order="left")
        .join(
            after.rename({"close": "ex_close"}),
            on=["symbol", "ex_date"],
            how="left",
            maintain_order="left",
        )
        .join(
            after.rename({"symbol": "new_symbol", "close": "new_close"}),
            on=["new_symbol", "ex_date"],
            how="left",
            maintain_order="left",
        )
        .with_columns(
            ratio=pl.when(stock).then(1 + rate).otherwise(pl.col("ratio")),
            amount=pl.when(spun).then(handed).when(~foreign).then(pl.col("amount")),
        )
        .select(KNOWN_SCHEMA.names())
        .cast(KNOWN_SCHEMA)
    )


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
