"""The plots of a tear sheet, with what each says and does not say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from lake import Lake
from lake.simulations import StoredSimulation, equity
from reporting import Page, change, count, money, ratio, share
from reporting.colours import AGAINST, DASHED, DOTTED, OTHER, OWN, SOLID
from simulation_service import plots
from simulation_service import tear_curves as curves
from simulation_service import tear_figures as named
from simulation_service.plots import Line
from simulation_service.run import Floats

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_FEW, _NAMED = 2, 6


@dataclass(frozen=True)
class Told:
    """A run that is done, with its curve.

    Attributes:
        name: In legends.
        daily: The cash at the beginning, then the equity at each session's end, USD.
        against: The same of buy and hold.
    """

    stored: StoredSimulation
    name: str
    curve: pl.DataFrame
    daily: Floats
    against: Floats

    @classmethod
    def of(cls, lk: Lake, stored: StoredSimulation, name: str) -> "Told":
        """Read from the ledger."""
        curve, cash = equity(lk, stored.simulation_id), float(stored.params["cash"])
        daily, against = (
            np.append(cash, curve[column].to_numpy()) for column in ("equity", "benchmark")
        )
        return cls(stored, name, curve, daily, against)

    @property
    def dates(self) -> pl.Series:
        """Session dates of the curve."""
        return curves.days(self.curve)

    @property
    def looks(self) -> tuple[str, list[int]]:
        """Colour and dashes: a mode has the same on every page."""
        return (OTHER, DOTTED) if self.stored.mode == "as_specified" else (OWN, SOLID)

    def line(self, values: Floats, dates: pl.Series | None = None) -> Line:
        """A line of this run."""
        return Line(self.name, self.dates if dates is None else dates, values, *self.looks)


def add(page: Page, runs: Sequence[Told]) -> None:
    """Add all plots of runs; the first one is that which counts."""
    page.heading("Curves")
    first = runs[0]
    if first.curve.height < _FEW:
        page.paragraph(
            f"There is nothing to draw: the run has {first.curve.height} session ends. Plots of time "
            "need two."
        )
    else:
        _equity(page, runs)
        _drawdown(page, runs)
        _rolling(page, runs)
    if first.curve.height:
        _months(page, first)
    page.heading("Trades")
    _trades(page, first)


def _equity(page: Page, runs: Sequence[Told]) -> None:
    first = runs[0]
    hold = Line("buy and hold", first.dates, first.against[1:], AGAINST, DASHED)
    lines = [*(one.line(one.daily[1:]) for one in runs), hold]
    page.chart(
        "Equity against buy and hold",
        plots.equity_chart(lines),
        alt=f"Equity from {money(first.daily[0])} USD to "
        + "; ".join(f"{money(one.values[-1])} USD, {one.name}" for one in lines),
        caption=f"A value at each session's end, from {money(first.daily[0])} USD; the scale is "
        f"linear and need not begin at 0. Buy and hold is that of the {first.name}.",
    )


def _drawdown(page: Page, runs: Sequence[Told]) -> None:
    first = runs[0]
    hold = Line("buy and hold", first.dates, curves.underwater(first.against), AGAINST, DASHED)
    lines = [*(one.line(curves.underwater(one.daily)) for one in runs), hold]
    deepest = first.stored.metrics["strategy"]["max_drawdown"]
    page.chart(
        "Drawdown",
        plots.drawdown_chart(lines),
        alt="; ".join(f"deepest {share(float(one.values.min()))}, {one.name}" for one in lines),
        caption="How far each session's end lies below the highest one before it. Bar by bar the "
        f"deepest fall of the {first.name} was {share(deepest)}.",
    )


def _rolling(page: Page, runs: Sequence[Told]) -> None:
    year = _year(runs[0].stored.params)
    width, first = curves.ROLLING, runs[0]
    found = [(one, curves.rolling_sharpe(one.daily, year, width)) for one in runs if year]
    known = [(one, values) for one, values in found if values is not None]
    if not known:
        page.paragraph(
            f"A rolling Sharpe ratio needs {width} sessions with a return each; there are "
            f"{first.curve.height}."
        )
        return
    band = curves.chance_band(year, width)
    lines = [one.line(values, one.dates[width - 1 :]) for one, values in known]
    page.chart(
        f"Sharpe ratio of {width} sessions in a row",
        plots.rolling_chart(lines, band),
        alt=f"Rolling Sharpe ratios; without any skill 95% lie within {ratio(band)} of 0",
        caption=f"So few sessions say little: a run without any skill lies in the grey band, within "
        f"{ratio(band)} of 0, 95% of the time. Neighbours share nearly all of their sessions, so a "
        "long stretch in one direction is no proof either.",
    )


def _year(params: Mapping[str, Any]) -> float:
    return float(params.get("sessions_per_year") or 0)


def _months(page: Page, run: Told) -> None:
    cash = float(run.daily[0])
    stored: Sequence[Mapping[str, Any]] = run.stored.metrics.get("monthly") or []
    months = [dict(one) for one in stored] or curves.months(run.curve, cash)
    page.chart(
        "Returns by month, in percent",
        plots.month_chart(months),
        alt=f"Returns of {len(months)} months; the table behind it has the same numbers",
        caption=f"Of the {run.name}, costs included. {_partial(months)}",
    )
    page.table(
        ["Month", "Run", "Buy and hold", "Difference", "Sessions"],
        [
            [
                _month(one),
                change(one["return"]),
                change(one.get("benchmark")),
                _difference(one["return"], one.get("benchmark")),
                f"{count(one.get('sessions'))} of {count(one.get('expected'))}",
            ]
            for one in months
        ],
        "The same months in numbers, beside buy and hold",
        folded=True,
    )


def _month(one: Mapping[str, Any]) -> str:
    return f"{_MONTHS[one['month'] - 1]} {one['year']}"


def _partial(months: Sequence[Mapping[str, Any]]) -> str:
    """Which months lack sessions, by their ends if they are many."""
    partial = [_month(one) for one in months if one.get("partial")]
    if not partial:
        return "All of them are whole months."
    if len(partial) <= _NAMED:
        return f"Not whole months, for the run has not all of their sessions: {', '.join(partial)}."
    return (
        f"{len(partial)} of them are not whole months, from {partial[0]} to {partial[-1]}; the table "
        "has their sessions."
    )


def _difference(own: float | None, against: float | None) -> str | None:
    return None if own is None or against is None else change(own - against)


def _trades(page: Page, run: Told) -> None:
    _profits(page, run)
    _exposure(page, run)
    _counts(page, run)


def _profits(page: Page, run: Told) -> None:
    stored: Mapping[str, Any] | None = run.stored.metrics.get("profits")
    if stored is None:
        page.paragraph("How the profits of its round trips are spread is not stored with this run.")
        return
    if not stored["round_trips"]:
        page.paragraph("No round trip was closed, so there is no distribution of profits.")
        return
    figures = run.stored.metrics["strategy"]
    trips, edges = count(stored["round_trips"]), stored["edges"]
    ends = f"between {money(edges[0])} and {money(edges[-1])} USD"
    mean = f"{money(figures.get('expectancy'))} USD"
    page.chart(
        "Profits of round trips",
        plots.parted_chart(
            plots.counted(stored["counts"], edges),
            "profit (USD)",
            "round trips",
            names=("loss", "around 0", "gain"),
            form="~s",
        ),
        alt=f"{trips} round trips {ends}, {share(figures.get('win_rate'))} with a gain, mean {mean}",
        caption=f"{trips} closed round trips of the {run.name}, costs included: all lie {ends}, "
        f"{mean} in the mean. Profits that hang on a few bars at the right are luck more easily "
        "than many small ones.",
    )


def _exposure(page: Page, run: Told) -> None:
    stored = run.stored.metrics.get("exposure")
    if stored is None:
        page.paragraph("What was held at each session's end is not stored with this run.")
        return
    found = np.array(stored, dtype=np.float64)  # None becomes NaN: a hole
    known = found[np.isfinite(found)]
    if len(found) != run.curve.height or len(known) < _FEW:
        page.paragraph(
            f"What was held is stored for {len(known)} of {run.curve.height} session ends, so it is "
            "not drawn."
        )
        return
    bars = run.stored.metrics["strategy"].get("exposure")
    page.chart(
        "Exposure",
        plots.exposure_chart(run.line(found)),
        alt=f"Held at session ends: {share(float(known.mean()))} of the equity in the mean, "
        f"{share(float(known.max()))} at most",
        caption="Worth of all positions at each session's end as a share of the equity; short ones "
        "count as long ones do, and above 100% the positions are worth more than the equity. What "
        "was bought and sold within a session is not seen here; over all bars shares were held at "
        f"{share(bars)} of them.",
    )


def _counts(page: Page, run: Told) -> None:
    stored: Mapping[str, Any] | None = run.stored.metrics.get("counts")
    if stored is None:
        return
    page.table(
        ["Orders of the " + run.name, "Number"],
        named.rows(named.COUNTS, [stored]),
        "What became of orders that were not simply filled.",
    )
