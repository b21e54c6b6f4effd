"""The trial ledger: every simulation ever run, with its curve and its orders.

Runs that failed are in it too, with the reason. How a simulation is run is the simulation
service's affair.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

import polars as pl

from lake.entries import enter, entries, find, rows_of
from lake.errors import MissingError

if TYPE_CHECKING:
    from lake.store import Lake

EQUITY = pl.Schema(
    {"timestamp": pl.Datetime("us", "UTC"), "equity": pl.Float64(), "benchmark": pl.Float64()}
)
ORDERS = pl.Schema(
    {
        "number": pl.Int32(),
        "decided_at": pl.Datetime("us", "UTC"),
        "filled_at": pl.Datetime("us", "UTC"),
        "side": pl.String(),
        "shares": pl.Float64(),
        "price": pl.Float64(),
        "costs": pl.Float64(),
        "symbol": pl.String(),
        "purpose": pl.String(),  # entry, exit, stop_loss, take_profit, trailing_stop or flat
    }
)
_COLUMNS = (
    "simulation_id",
    "strategy",
    "model_id",
    "symbol",
    "mode",
    "start",
    "end",
    "snapshot",
    "params",
    "metrics",
    "orders_hash",
    "state",
    "error",
)
_TRIALS = """
    WITH tried AS (
        SELECT strategy, mode, created_at, symbol, "start", "end",
               TRY_CAST(json_extract_string(metrics, '$.strategy.sharpe') AS DOUBLE) AS sharpe
        FROM simulations WHERE state = 'done'
        UNION ALL
        SELECT t.strategy, s.mode, s.created_at, s.symbol, s."start", s."end", t.sharpe
        FROM search_trials t JOIN searches s USING (search_id)
    )
    SELECT arg_max(sharpe, created_at) FILTER (mode = $mode)
    FROM tried
    WHERE list_has_any(string_split(symbol, '+'), $symbols)
      AND "start" <= $end AND "end" >= $start
      AND strategy NOT IN (SELECT unnest($beside::VARCHAR[]))
    GROUP BY strategy ORDER BY strategy"""


class SimulationMissingError(MissingError):
    """No simulation of an id is in the ledger."""

    def __init__(self, simulation_id: str) -> None:
        super().__init__(simulation_id)
        self.simulation_id = simulation_id

    def __str__(self) -> str:
        return (
            f"There is no simulation {self.simulation_id[:64]!r}. "
            "`barlake simulations` lists those there are, `barlake simulate` runs one."
        )


@dataclass(frozen=True)
class StoredSimulation:
    """One row of the ledger.

    Attributes:
        simulation_id: The hash of everything the run was made from, shortened.
        symbol: Whose bars; of several with one purse ``AAPL+MSFT``, in the order they were named.
        start: First bar simulated (UTC); of a run that failed, what was asked for.
        end: Last bar simulated.
        state: ``done`` or ``failed``, with ``error``.
        created_at: When it was noted (UTC); None before.
    """

    simulation_id: str
    strategy: str
    model_id: str | None
    symbol: str
    mode: str
    start: datetime
    end: datetime
    snapshot: int
    params: Mapping[str, Any]
    metrics: Mapping[str, Any]
    orders_hash: str
    state: Literal["done", "failed"]
    error: str | None = None
    created_at: datetime | None = None


def store_simulation(
    lk: "Lake", new: StoredSimulation, equity: pl.DataFrame, orders: pl.DataFrame
) -> StoredSimulation:
    """Enter a run into the ledger with its curve and its orders, in one transaction.

    The same id again replaces a run that failed, and leaves one that is done.

    Args:
        equity: As ``EQUITY``: a value a session, in USD.
        orders: As ``ORDERS``.

    Raises:
        GateBusyError: Another process held the commit gate too long. Nothing was written.
    """
    tables = {"simulation_equity": equity, "simulation_orders": orders}
    enter(lk, "simulations", _COLUMNS, new, tables)
    return simulation(lk, new.simulation_id)


def simulations(lk: "Lake") -> pl.DataFrame:
    """Every run, newest first: the table ``simulations``."""
    return entries(lk, "simulations", "simulation_id")


def simulation(lk: "Lake", simulation_id: str) -> StoredSimulation:
    """One run.

    Raises:
        SimulationMissingError: There is none of that id.
    """
    found = find_simulation(lk, simulation_id)
    if found is None:
        raise SimulationMissingError(simulation_id)
    return found


def find_simulation(lk: "Lake", simulation_id: str) -> StoredSimulation | None:
    """One run, or None."""
    facts = find(lk, "simulations", _COLUMNS, simulation_id)
    return None if facts is None else StoredSimulation(**facts)


def equity(lk: "Lake", simulation_id: str) -> pl.DataFrame:
    """The curve of a run beside buy and hold, as ``EQUITY``; empty if there is none."""
    own = "simulation_id", simulation_id
    return rows_of(lk, "simulation_equity", EQUITY, *own, "timestamp")


def orders(lk: "Lake", simulation_id: str) -> pl.DataFrame:
    """The filled orders of a run, as ``ORDERS``; empty if there is none."""
    return rows_of(lk, "simulation_orders", ORDERS, "simulation_id", simulation_id, "number")


@dataclass(frozen=True)
class Trials:
    """What was tried on a symbol's bars of a range, or on a part of them.

    Attributes:
        count: Strategies: one counts once, however often and in however many modes it ran.
        sharpes: Annual Sharpe ratio of each that has one, of its newest run in the mode asked for.
    """

    count: int
    sharpes: tuple[float, ...]


def trials(
    lk: "Lake",
    symbol: str,
    start: datetime,
    end: datetime,
    *,
    mode: str = "realistic",
    beside: str | Collection[str] = (),
) -> Trials:
    """The strategies that were simulated or searched on bars that overlap a range.

    The more were tried, the less the best of them says.

    Args:
        symbol: One, or several with ``+`` between: trials on any of them count.
        mode: Whose Sharpe ratios are told.
        beside: Name of a strategy that does not count, or of several.
    """
    with lk.reading() as connection:
        rows = connection.execute(
            _TRIALS,
            {
                "symbols": symbol.split("+"),
                "start": start,
                "end": end,
                "beside": [beside] if isinstance(beside, str) else list(beside),
                "mode": mode,
            },
        ).fetchall()
    return Trials(len(rows), tuple(ratio for (ratio,) in rows if ratio is not None))
