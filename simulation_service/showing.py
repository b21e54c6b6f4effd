"""Every strategy on the year that is made up: how it trades there, in a few figures and as a drawing."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from simulation_service import engine, made_up
from simulation_service.hearing import CLOCK, places, said_by
from simulation_service.honesty.sharpe_tests import interval, mertens_error, sample
from simulation_service.market import Floats, Market, Mode, as_specified, realistic
from simulation_service.metrics import equity_at_session_ends, session_ends
from simulation_service.outcome import figures
from simulation_service.prepared import Prepared
from simulation_service.run import Run
from simulation_service.trading import Trading
from strategy_service.needs import feature, widened
from strategy_service.plans import Plan
from strategy_service.rule import STRATEGIES

CASH = 100_000.0
HOLDING = "buy and hold"
_CONFIDENCE = 0.95


@dataclass(frozen=True)
class Shown:
    """One way to trade the year.

    Attributes:
        figures: As :class:`simulation_service.metrics.Metrics`.
        interval: Around the annual Sharpe ratio, with 95 % confidence (Mertens 2002); None if
            there is none.
        curve: USD at each session's end.
    """

    figures: Mapping[str, Any]
    interval: tuple[float, float] | None
    curve: Floats


@cache
def shown() -> dict[str, dict[str, Shown]]:
    """For each strategy, by its name: what it is held against and how it did, by what was done."""
    bars = made_up.year()
    plans = {name: Plan(one()) for name, one in STRATEGIES.all().items()}
    wanted = dict.fromkeys(each for plan in plans.values() for each in plan.features)
    rows = widened(bars, (*wanted, feature(CLOCK)))
    market = Market.of(made_up.SYMBOL, bars)
    at = places(market, rows["timestamp"])
    return {
        name: _ways(
            Prepared(
                name=name,
                facts={},
                model_id=None,
                markets=(market,),
                said=(said_by(plan, market, rows, at),),
                trading=Trading.of(plan),
                snapshot=0,
            )
        )
        for name, plan in plans.items()
    }


def days() -> pl.Series:
    """The sessions of the curves."""
    return made_up.year()["session_date"].unique().sort()


def _ways(prepared: Prepared) -> dict[str, Shown]:
    usual = realistic()
    dear = replace(usual, costs=usual.costs.times(2))
    return {
        "realistic": _one(prepared, usual),
        "one bar later": _one(prepared.delayed(), usual),
        "doubled costs": _one(prepared, dear),
        "as specified": _one(prepared, as_specified()),
        HOLDING: _one(prepared.holding, usual),
    }


def _one(prepared: Prepared, mode: Mode) -> Shown:
    run = engine.run(prepared.markets, prepared.said, prepared.trading, CASH, mode)
    numbers = prepared.markets[0].session
    curve = run.equity[session_ends(numbers)]
    return Shown(figures(prepared, run), _interval(prepared, run), curve)


def _interval(prepared: Prepared, run: Run) -> tuple[float, float] | None:
    daily = equity_at_session_ends(run, prepared.markets[0].session)
    of = sample(daily[1:] / daily[:-1] - 1)
    if of is None:
        return None
    around = interval(of, mertens_error(of), _CONFIDENCE)
    year = math.sqrt(prepared.sessions_per_year)
    return around.low * year, around.high * year


def draw(file: Path) -> None:
    """Write the curves as an SVG: each strategy, realistic, beside buy and hold; a point a week."""
    import altair as alt

    from reporting import colours
    from reporting.drawing import rows_of

    dates = days()
    week = np.unique([*range(0, len(dates), 5), len(dates) - 1])
    stamps = [str(one) for one in dates.gather(week)]
    points = [
        {"who": way, "strategy": name, "day": day, "equity": round(value / 1000, 2)}
        for name, ways in shown().items()
        for way in ("realistic", HOLDING)
        for day, value in zip(stamps, ways[way].curve[week].tolist(), strict=True)
    ]
    who = alt.Scale(domain=["realistic", HOLDING], range=[colours.OWN, colours.GREY])
    chart = (
        alt.Chart(rows_of(points), width=180, height=110)
        .mark_line(strokeWidth=1.5)
        .encode(
            x=alt.X("day:T", title=None, axis=alt.Axis(format="%b", tickCount=4)),
            y=alt.Y("equity:Q", title="thousand USD", scale=alt.Scale(zero=False)),
            color=alt.Color("who:N", title=None, scale=who, legend=alt.Legend(orient="top")),
        )
        .facet(facet=alt.Facet("strategy:N", title=None), columns=4)
    )
    chart.save(str(file))
