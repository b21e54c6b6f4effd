"""What a prepared strategy comes to in a mode: its figures, how much of them is luck, how fragile they are."""

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from lake import Lake
from lake.simulations import EQUITY, ORDERS, trials
from simulation_service import engine
from simulation_service.honesty.random_entry import random_entry
from simulation_service.honesty.verdict import judge
from simulation_service.market import Mode
from simulation_service.metrics import equity_at_session_ends, measure, session_ends
from simulation_service.monthly import monthly
from simulation_service.prepared import Prepared
from simulation_service.returns import sharpe
from simulation_service.round_trips import closed_rows, round_trips
from simulation_service.run import Run
from simulation_service.trade_statistics import attribution
from strategy_service.broker import PURPOSES

_LARGE = 0.1  # share of a bar's volume from which an order would have moved the price
_ENOUGH = 10  # ratios from which the trials' spread is theirs and not assumed
_BINS = 40


@dataclass(frozen=True)
class Outcome:
    """A strategy in one mode, beside buy and hold of the same bars in the same mode.

    Attributes:
        metrics: What the ledger keeps as JSON: ``strategy`` and ``benchmark`` (the figures),
            ``honesty``, ``random_entry``, ``sensitivity``, ``monthly``, ``by_symbol``, ``counts``
            and ``warnings``.
        curve: As ``lake.simulations.EQUITY``.
        orders: As ``lake.simulations.ORDERS``.
        orders_hash: Of the filled orders.
    """

    metrics: dict[str, Any]
    curve: pl.DataFrame
    orders: pl.DataFrame
    orders_hash: str


def outcome(lk: Lake, prepared: Prepared, cash: float, mode: Mode) -> Outcome:
    """Run a strategy and everything its report says beside it.

    Only the realistic mode is shaken (one bar later, costs doubled): the other is not for trading.
    """
    own, benchmark = _run(prepared, cash, mode), _run(prepared.holding, cash, mode)
    trips = _trips(prepared, own)
    facts = {
        "strategy": figures(prepared, own, benchmark),
        "benchmark": figures(prepared, benchmark),
        "honesty": _honesty(lk, prepared, own, mode),
        "random_entry": _random_entry(prepared, own, mode),
        "sensitivity": _sensitivity(prepared, cash, mode) if mode.fill != "close" else None,
        "monthly": _monthly(prepared, own, benchmark),
        "by_symbol": attribution(trips, "symbol", cash).to_dicts(),
        "counts": asdict(own.counts),
        "profits": _profits(trips),
        "exposure": _exposure(prepared, own),
        "warnings": [*prepared.warnings, *_warnings(prepared, own, benchmark, cash)],
    }
    return Outcome(
        metrics=facts,
        curve=_curve(prepared, own, benchmark),
        orders=_orders(prepared, own),
        orders_hash=own.orders_hash,
    )


def figures(prepared: Prepared, run: Run, benchmark: Run | None = None) -> dict[str, Any]:
    """The table of a run, as JSON."""
    rows = timeline(prepared, run)
    year = prepared.sessions_per_year
    numbers = rows["session"].to_numpy()
    return measure(run, numbers, year, benchmark=benchmark, bars=rows).facts


def timeline(prepared: Prepared, run: Run) -> pl.DataFrame:
    """The rows of a run: ``timestamp``, ``session_date`` and ``session``, a number a session."""
    if run.timestamps is None or run.session is None:
        (market,) = prepared.markets
        return market.bars.select("timestamp", "session_date").with_columns(session=market.session)
    dates = pl.Series(run.session, dtype=pl.Int32).cast(pl.Date)
    return pl.DataFrame(
        {"timestamp": run.timestamps, "session_date": dates, "session": run.session}
    )


def _run(prepared: Prepared, cash: float, mode: Mode) -> Run:
    year = prepared.sessions_per_year
    return engine.run(
        prepared.markets, prepared.said, prepared.trading, cash, mode, bars_per_year=year * 390.0
    )


def _sensitivity(prepared: Prepared, cash: float, mode: Mode) -> dict[str, Any]:
    """The figures one bar later, and at twice the costs."""
    dearer = replace(mode, costs=mode.costs.times(2))
    return {
        "delay": figures(prepared, _run(prepared.delayed(), cash, mode)),
        "doubled_costs": figures(prepared, _run(prepared, cash, dearer)),
    }


def _honesty(lk: Lake, prepared: Prepared, own: Run, mode: Mode) -> dict[str, Any] | None:
    """What the Sharpe ratio is worth, this strategy counted among those tried on these bars."""
    rows = timeline(prepared, own)
    daily = equity_at_session_ends(own, rows["session"].to_numpy())
    if daily.min() <= 0:
        return None
    tried = trials(
        lk,
        prepared.symbol,
        prepared.start,
        prepared.end,
        mode=mode.name,
        beside=prepared.name,
    )
    year = prepared.sessions_per_year
    returns = daily[1:] / daily[:-1] - 1
    ratio = sharpe(daily, year)
    known = [*tried.sharpes, *([] if ratio is None else [ratio])]
    found = judge(
        returns,
        year,
        trials=tried.count + 1,
        sharpes=np.array(known) if len(known) >= _ENOUGH else None,
    )
    return None if found is None else found.facts


def _random_entry(prepared: Prepared, own: Run, mode: Mode) -> dict[str, Any] | None:
    """The same trades at random moments; None for several symbols, or without a closed trade."""
    if len(prepared.markets) > 1:
        return None
    (market,) = prepared.markets
    entries, exits, sides = closed_rows(own)
    prices = market.adjusted(market.close if mode.fill == "close" else market.open)
    found = random_entry(prices, entries, exits, sides=sides, seed=0)
    return None if found is None else asdict(found)


def _monthly(prepared: Prepared, own: Run, benchmark: Run) -> list[dict[str, Any]]:
    """The return of each month beside that of buy and hold."""
    rows = timeline(prepared, own)
    numbers = rows["session"].to_numpy()
    dates = rows["session_date"].gather(session_ends(numbers))
    mine, other = (monthly(dates, equity_at_session_ends(one, numbers)) for one in (own, benchmark))
    beside = other.select("year", "month", pl.col("return").alias("benchmark"))
    return mine.join(beside, on=["year", "month"], how="left", maintain_order="left").to_dicts()


def _profits(trips: pl.DataFrame) -> dict[str, Any] | None:
    """How the profits of closed round trips (USD) are spread; None without one."""
    closed = trips.filter(~pl.col("open"))
    if closed.is_empty():
        return None
    profits = (closed["received"] - closed["paid"]).to_numpy()
    counts, edges = np.histogram(profits, bins=_BINS)
    return {"counts": counts.tolist(), "edges": edges.tolist(), "round_trips": len(profits)}


def _exposure(prepared: Prepared, own: Run) -> list[float | None]:
    """At each session's end the worth of all positions over the equity, short ones counted as long."""
    rows = timeline(prepared, own)
    ends = session_ends(rows["session"].to_numpy())
    gross = np.zeros(len(ends))
    for place, market in enumerate(prepared.markets):
        at = market.bars["timestamp"].search_sorted(rows["timestamp"].gather(ends), "right")
        place_of = at.to_numpy().astype(np.int64) - 1
        closes = np.where(place_of >= 0, market.close[np.maximum(place_of, 0)], 0.0)
        gross += np.abs(own.held[place, ends]) * closes
    equity = own.equity[ends]
    return [
        round(a / b, 4) if b > 0 else None
        for a, b in zip(gross.tolist(), equity.tolist(), strict=True)
    ]


def _trips(prepared: Prepared, own: Run) -> pl.DataFrame:
    rows = timeline(prepared, own)
    return round_trips(own, strategy=prepared.name, timestamps=rows["timestamp"])


def _warnings(prepared: Prepared, own: Run, benchmark: Run, cash: float) -> list[str]:
    found = [*own.counts.sentences]
    if not len(benchmark.orders):
        found.append(f"The cash of {cash:,.2f} USD never paid for one share.")
    if large := _large(prepared, own):
        found.append(
            f"{large:,} of {len(own.orders):,} orders were larger than a tenth of their bar's volume, "
            "which nobody trades without moving the price; a participation caps them."
        )
    return found


def _large(prepared: Prepared, own: Run) -> int:
    """Orders that took more of their bar than could be had."""
    found = 0
    for place, market in enumerate(prepared.markets):
        mine = own.orders.symbol == place
        filled = own.orders.filled[mine]
        if own.timestamps is not None:
            times = own.timestamps.gather(filled)
            filled = market.bars["timestamp"].search_sorted(times).to_numpy()
        found += int(np.sum(own.orders.shares[mine] > _LARGE * market.volume[filled]))
    return found


def _curve(prepared: Prepared, own: Run, benchmark: Run) -> pl.DataFrame:
    """A value for the last bar of each session: enough to draw, few enough to keep."""
    rows = timeline(prepared, own)
    ends = session_ends(rows["session"].to_numpy())
    values = {
        "timestamp": rows["timestamp"].gather(ends),
        "equity": own.equity[ends],
        "benchmark": benchmark.equity[ends],
    }
    return pl.DataFrame(values).cast(EQUITY)


def _orders(prepared: Prepared, own: Run) -> pl.DataFrame:
    times, orders = timeline(prepared, own)["timestamp"], own.orders
    names = pl.Series([one.symbol for one in prepared.markets], dtype=pl.String)
    purposes = pl.Series(PURPOSES, dtype=pl.String)
    rows = {
        "number": np.arange(1, len(orders) + 1),
        "decided_at": times.gather(orders.decided),
        "filled_at": times.gather(orders.filled),
        "side": pl.Series(np.where(orders.sides > 0, "buy", "sell"), dtype=pl.String),
        "shares": orders.shares,
        "price": orders.price,
        "costs": orders.costs,
        "symbol": names.gather(orders.symbol),
        "purpose": purposes.gather(orders.purpose),
    }
    return pl.DataFrame(rows).cast(ORDERS)
