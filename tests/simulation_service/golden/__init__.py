"""Runs whose orders and figures are pinned: the code may change, and what it says of these bars may not.

``runs.json`` has for each run the hash of its orders and a handful of figures, for bars made here and
for the real ones of ``../shared/data``. A change that is meant writes it anew:
``python -m tests.simulation_service.golden``; its difference belongs to the commit.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl

import lake
from lake import BAR_SCHEMA, Covered, Fetched, Lake, sessions
from lake.actions import ACTION_SCHEMA, Answered
from simulation_service.search import Search, search
from simulation_service.simulation import Terms, simulate_plan
from simulation_service.spaces import space_of
from strategy_service.costs import Costs
from strategy_service.plans import Plan, read_plan
from strategy_service.rule import STRATEGIES

PINNED = Path(__file__).with_name("runs.json")
REAL = Path(__file__).parents[4] / "shared" / "data"

#: Digits to which figures are pinned: they are compared to a billionth.
_DIGITS = 12
SOURCE = "sandbox:iex"
_FIRST, _SPLIT, _PAID, _LAST = (
    date(2024, 2, 5), date(2024, 2, 20), date(2024, 2, 23), date(2024, 3, 8),
)  # fmt: skip
_SHORT_FIRST, _SHORT_LAST = date(2024, 2, 16), date(2024, 2, 26)
_REAL = ("FDS", "GWW")
_REAL_FIRST, _REAL_LAST = date(2024, 1, 29), date(2024, 3, 1)
_SHOWN = ("total_return", "sharpe", "max_drawdown", "costs", "trades", "final_equity", "dividends")
_TWO = """
[strategy]
name = "bollinger_reversion"

[sizing]
name = "fraction"
[sizing.parameters]
most = 0.6

[[risk]]
name = "no_late_entry"

[execution]
name = "orders"
[execution.parameters]
stop_loss = 0.005
trailing_stop = 0.01
take_profit = 0.01
sides = "both"
"""


def made(symbol: str, seed: int) -> pl.DataFrame:
    """Bars as ``BAR_SCHEMA``, of whole numbers and sums of them alone: the same on every machine.

    A walk in cents with a memory, held between 80 and 120 USD by a pull; one minute in fifty is absent.
    """
    days = sessions.schedule(_FIRST, _LAST)
    minutes = days.select(pl.datetime_ranges("open", "close", "1m", closed="left").alias("minute"))
    state, cents, drift, rows = seed, 10_000, 0, []
    for minute in minutes.explode("minute")["minute"]:
        state = (state * 6_364_136_223_846_793_005 + 1_442_695_040_888_963_407) % 2**64
        drawn = state >> 24
        if drawn % 50 == 0:
            continue
        memory = abs(drift) * 6 // 10
        pull = (cents < 8_000) - (cents > 12_000)
        drift = (memory if drift > 0 else -memory) + drawn // 50 % 13 - 6 + pull
        opened, cents = cents, max(cents + drift, 100)
        high = max(opened, cents) + drawn // 700 % 3
        low = min(opened, cents) - drawn // 3_000 % 3
        prices = [one / 100 for one in (opened, high, low, cents)]
        rows.append((symbol, minute, *prices, float(drawn // 10_000 % 9_000), None, None))
    return pl.DataFrame(rows, schema=BAR_SCHEMA, orient="row")


def made_lake(home: Path) -> Lake:
    """A lake of two symbols that were made here, one with a split, the other with a dividend."""
    opened = lake.open(home, create=True)
    for seed, symbol in enumerate(("AAA", "BBB"), start=1):
        bars = made(symbol, seed)
        if symbol == "AAA":
            after = pl.col("timestamp") >= sessions.midnight(_SPLIT)
            prices = pl.col("open", "high", "low", "close")
            bars = bars.with_columns(pl.when(after).then(prices / 2).otherwise(prices))
        _put(opened, symbol, bars, (_FIRST, _LAST))
    _act(
        opened,
        [("AAA", "forward_split", _SPLIT, 2.0, None), ("BBB", "cash_dividend", _PAID, None, 0.75)],
        (_FIRST, _LAST),
    )
    return opened


def real_lake(home: Path) -> Lake:
    """A lake of two real symbols, five weeks of them."""
    opened = lake.open(home, create=True)
    start, end = sessions.window(_REAL_FIRST, _REAL_LAST)
    for symbol in _REAL:
        found = pl.read_parquet(REAL / "bars_1min" / f"{symbol}.parquet")
        kept = found.filter(pl.col("timestamp").is_between(start, end, closed="left"))
        absent = [
            pl.lit(None, dtype=kind).alias(name)
            for name, kind in BAR_SCHEMA.items()
            if name not in kept.columns
        ]
        bars = kept.with_columns(absent).select(BAR_SCHEMA.names()).cast(BAR_SCHEMA)
        _put(opened, symbol, bars, (_REAL_FIRST, _REAL_LAST))
    return opened


def runs_of(
    lk: Lake, symbols: tuple[str, str], strategies: Sequence[str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every pinned run of a lake, its name and what is pinned of it: strategies as usual, and two more."""
    for name in strategies:
        yield from _simulated(lk, name, Plan(STRATEGIES.make(name)), symbols[:1], Terms())
    costs = Costs(slippage_bps=2.0, fee_per_order=1.0, regulatory=True)
    dear = Terms(_SHORT_FIRST, _SHORT_LAST, costs=costs)  # several symbols go the slow way
    yield from _simulated(lk, "two symbols, stops", read_plan(_TWO), symbols, dear)
    plan = Plan(STRATEGIES.make("sma_cross"))
    axes = ["fast=5,10,20", "slow=30,60,120"]
    asked = Search(space_of(plan, Costs(), axes), (symbols[1],), folds=3)
    found = search(lk, asked).stored.metrics
    yield (
        "search of sma_cross",
        {
            "values": found["best"]["values"],
            "sharpe": _short(found["best"]["sharpe"]),
            "deflated": _short(found["honesty"]["deflated"]),
            "overfitting": _short(found["overfitting"]["probability"]),
            "walk_forward": _short(found["walk_forward"]["total_return"]),
            "chosen": [fold["values"] for fold in found["walk_forward"]["folds"]],
        },
    )


def _simulated(
    lk: Lake, name: str, plan: Plan, symbols: tuple[str, ...], terms: Terms
) -> Iterator[tuple[str, dict[str, Any]]]:
    for one in simulate_plan(lk, plan, symbols, terms=terms):
        figures = {key: _short(one.metrics[key]) for key in _SHOWN}
        worth = {"deflated": _short(one.honesty["deflated"])} if one.honesty else {}
        yield f"{name}, {one.mode}", {"orders": one.stored.orders_hash, **figures, **worth}


def made_runs(lk: Lake) -> dict[str, dict[str, Any]]:
    """What is pinned of bars made here: every strategy of ours."""
    ours = [
        name
        for name, kind in STRATEGIES.all().items()
        if kind.__module__.startswith("strategy_service.")
    ]
    return dict(runs_of(lk, ("AAA", "BBB"), ours))


def real_runs(lk: Lake) -> dict[str, dict[str, Any]]:
    """What is pinned of real bars: a few strategies, for time's sake."""
    return dict(runs_of(lk, _REAL, ("rsi_reversion",)))


def pinned() -> dict[str, dict[str, Any]]:
    """What is pinned of each run: of bars made here as ``made``, of real ones as ``real``."""
    found: dict[str, dict[str, Any]] = json.loads(PINNED.read_text(encoding="utf-8"))
    return found


def write(homes: Path) -> None:
    """Run everything and pin it; what is pinned of real bars stays where they are not at hand."""
    with made_lake(homes / "made") as opened:
        found = {"made": made_runs(opened)}
    if REAL.is_dir():
        with real_lake(homes / "real") as opened:
            found["real"] = real_runs(opened)
    elif PINNED.exists():
        found["real"] = pinned()["real"]
    PINNED.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.{_DIGITS}g}")


def _put(lk: Lake, symbol: str, bars: pl.DataFrame, days: tuple[date, date]) -> None:
    start, end = sessions.window(*days)
    assert start is not None
    assert end is not None
    covered = Covered(symbol, start, end - timedelta(minutes=1))
    lk.commit_bars(Fetched(SOURCE, bars, (covered,)))


def _act(lk: Lake, told: list[tuple[Any, ...]], days: tuple[date, date]) -> None:
    rows = [
        {
            "action_id": str(number),
            "symbol": symbol,
            "kind": kind,
            "ex_date": day,
            "process_date": day,
            "ratio": ratio,
            "amount": amount,
            "details": "{}",
        }
        for number, (symbol, kind, day, ratio, amount) in enumerate(told)
    ]
    names = tuple(dict.fromkeys(row["symbol"] for row in rows))
    lk.commit_actions(Answered(SOURCE, pl.DataFrame(rows, schema=ACTION_SCHEMA), names, *days))
