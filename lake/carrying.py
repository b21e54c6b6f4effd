"""Actions that were booked under an earlier ticker of a paper, kept under its newest one as well.

Bars of a renamed paper come under its newest ticker from the beginning. A split that was booked under
the ticker of the time must adjust them too. So what adjusts prices is kept once more under the newest
ticker, numbered ``ID as TICKER`` and without a process date: no answer of a provider is about it. It
comes and goes with the action that it repeats.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import duckdb
import polars as pl

from lake.actions import ACTION_SCHEMA, provider_of
from lake.adjustment import APPLIED

if TYPE_CHECKING:
    from lake.instruments import Rename
    from lake.store import Lake

_MARK = " as "
_ADJUSTING = sorted({kind for kinds in APPLIED.values() for kind in kinds})


def carry(lake: "Lake", source: str, changes: "Sequence[Rename]") -> int:
    """Let the newest ticker of each renamed paper have what was booked under its earlier ones.

    Harmless to repeat. What is repeated no more is superseded, not forgotten.

    Args:
        lake: To read and to write.
        source: Whose; actions belong to the provider.
        changes: The earlier tickers of all its papers.

    Returns:
        How many actions came or went.
    """
    provider = provider_of(source)
    with lake.reading() as connection:
        fresh, gone = _differing(connection, provider, changes)
        if fresh.is_empty() and gone.is_empty():
            return 0
    with lake.writing() as transaction:
        run, now = transaction.connection, transaction.recorded_at
        fresh, gone = _differing(run, provider, changes)
        run.register("gone", gone.select("action_id"))
        run.execute(
            """UPDATE corporate_actions SET superseded_at = ? WHERE source = ? AND superseded_at IS NULL
               AND action_id IN (SELECT action_id FROM gone)""",
            [now, provider],
        )
        names = ", ".join(ACTION_SCHEMA.names())
        run.register("fresh", fresh)
        run.execute(
            f"INSERT INTO corporate_actions (source, {names}, recorded_at) SELECT ?, {names}, ? FROM fresh",
            [provider, now],
        )
        run.register("touched", pl.concat([fresh, gone]).select("symbol", "ex_date").unique())
        run.execute(
            """INSERT INTO changes SELECT ?, series.source, symbol, touched.ex_date, 'actions', ?
               FROM touched JOIN series USING (symbol) WHERE split_part(series.source, ':', 1) = ?""",
            [transaction.commit_id, now, provider],
        )
    return fresh.height + gone.join(fresh, on="action_id", how="anti").height


def _differing(
    connection: duckdb.DuckDBPyConnection, provider: str, changes: "Sequence[Rename]"
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What is to be repeated and is not, and what is repeated and is not to be."""
    names = ACTION_SCHEMA.names()
    known = connection.execute(
        f"""SELECT {", ".join(names)} FROM corporate_actions
            WHERE source = ? AND superseded_at IS NULL AND list_contains(?, kind)""",
        [provider, _ADJUSTING],
    ).pl()
    known = known.cast(ACTION_SCHEMA)
    repeated = pl.col("action_id").str.contains(_MARK, literal=True)
    booked, held = known.filter(~repeated), known.filter(repeated)
    parts = [_renamed(booked, change) for change in changes]
    wanted = pl.concat([ACTION_SCHEMA.to_frame(), *parts]).unique("action_id", keep="last")
    fresh = wanted.join(held, on=names, how="anti", nulls_equal=True)
    return fresh, held.join(wanted, on=names, how="anti", nulls_equal=True)


def _renamed(booked: pl.DataFrame, change: "Rename") -> pl.DataFrame:
    began = pl.lit(value=True) if change.begin is None else pl.col("ex_date") >= change.begin
    mine = (pl.col("symbol") == change.old) & (pl.col("ex_date") < change.until) & began
    return booked.filter(mine).with_columns(
        action_id=pl.col("action_id") + _MARK + change.new,
        symbol=pl.lit(change.new),
        process_date=pl.lit(None, pl.Date),
    )
