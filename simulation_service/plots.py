"""Plots of runs, as charts of altair: drawn from frames, without a width.

Dates are given as milliseconds and drawn in UTC, so that no machine's time zone moves a session.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from lake.errors import ProblemError
from reporting import colours
from reporting.drawing import rows_of
from reporting.formats import count
from simulation_service.run import Floats

_HEIGHT, _LOW = 320, 200
_CELL, _TALLEST = 30, 640
#: Cells, and those side by side: in more of them numbers are too small to read on a phone.
_MOST_TEXTS, _WIDEST_TEXTS = 200, 12
_STRONG = 0.6  # of the range: beyond, a cell is so dark that its text must be light
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class PlotError(ProblemError):
    """A plot that cannot be drawn."""


@dataclass(frozen=True)
class Line:
    """One line of a plot.

    Attributes:
        name: In the legend.
        values: One for each of ``dates``; NaN leaves a hole.
    """

    name: str
    dates: pl.Series
    values: Floats
    colour: str
    dash: Sequence[int] = (1, 0)


def equity_chart(lines: Sequence[Line]) -> Any:
    """Values of a session in USD; the legend says where each ends."""
    ended = [_renamed(one, f"{one.name}: {count(float(one.values[-1]))} USD") for one in lines]
    axis = {"format": "~s", "title": "USD at the session's end"}
    return _lines(ended, axis).properties(height=_HEIGHT)


def drawdown_chart(lines: Sequence[Line]) -> Any:
    """Falls below the highest value so far; the first line's is filled."""
    import altair as alt

    first = lines[0]
    filled = (
        alt.Chart(_data([first]))
        .mark_area(color=first.colour, opacity=0.25, line=False)
        .encode(x=_time(), y=alt.Y("value:Q"))
    )
    axis = {"format": "%", "title": "below the highest so far"}
    return alt.layer(filled, _lines(lines, axis)).properties(height=_LOW)


def rolling_chart(lines: Sequence[Line], band: float) -> Any:
    """Rolling Sharpe ratios over the band of pure chance."""
    import altair as alt

    grey = (
        alt.Chart(rows_of([{"low": -band, "high": band}]))
        .mark_rect(color=colours.GREY, opacity=0.22)
        .encode(y=alt.Y("low:Q"), y2="high:Q")
    )
    return alt.layer(grey, _lines(lines, {"title": "Sharpe, a year"})).properties(height=_LOW)


def exposure_chart(line: Line) -> Any:
    """Share of the equity held at each session's end."""
    import altair as alt

    return (
        alt.Chart(_data([line]))
        .mark_area(color=line.colour, opacity=0.5, interpolate="step-after")
        .encode(
            x=_time(),
            y=alt.Y("value:Q", axis=alt.Axis(format="%", title="of the equity, session's end")),
        )
        .properties(height=_LOW)
    )


@dataclass(frozen=True)
class Mark:
    """A value that is marked in a histogram; the legend has its name."""

    name: str
    at: float
    colour: str
    dash: Sequence[int] = (1, 0)


def counted(counts: Sequence[int], edges: Sequence[float]) -> pl.DataFrame:
    """Bins as they are stored: ``low``, ``high`` and ``rows``; one edge more than there are counts."""
    return pl.DataFrame(
        {"low": edges[:-1], "high": edges[1:], "rows": counts},
        schema={"low": pl.Float64, "high": pl.Float64, "rows": pl.Int64},
    )


def histogram_chart(
    bins: pl.DataFrame, title: str, rows: str, *, form: str = "~g", marks: Sequence[Mark] = ()
) -> Any:
    """Bars of counts in one colour, with marks above them.

    Args:
        bins: ``low``, ``high`` and ``rows``.
        title: Of the values' axis.
        rows: What is counted.
        form: Of the values, of d3.
    """
    import altair as alt

    bars = _bars(bins, title, rows, form).mark_bar(binSpacing=1, color=colours.GREY, opacity=0.55)
    names = [one.name for one in marks]
    scale = alt.Scale(domain=names, range=[one.colour for one in marks])
    dashes = alt.Scale(domain=names, range=[list(one.dash) for one in marks])
    lines = (
        alt.Chart(rows_of([{"at": one.at, "name": one.name} for one in marks]))
        .mark_rule(strokeWidth=2.5)
        .encode(
            x="at:Q",
            color=alt.Color("name:N", scale=scale),
            strokeDash=alt.StrokeDash("name:N", scale=dashes),
        )
    )
    return (alt.layer(bars, lines) if marks else bars).properties(height=_LOW + 40)


def parted_chart(
    bins: pl.DataFrame, title: str, rows: str, *, names: tuple[str, str, str], form: str = "~g"
) -> Any:
    """Bars of counts in one colour below 0 and in another above it.

    Args:
        names: Of those below 0, of a bin with values on both sides, and of those above.
    """
    import altair as alt

    below, around, above = names
    kind = (
        pl.when(pl.col("high") <= 0)
        .then(pl.lit(below))
        .when(pl.col("low") >= 0)
        .then(pl.lit(above))
        .otherwise(pl.lit(around))
    )
    told = bins.with_columns(kind=kind)
    looks = {below: colours.AGAINST, around: colours.GREY, above: colours.OWN}
    known = [name for name in looks if name in told["kind"]]
    scale = alt.Scale(domain=known, range=[looks[name] for name in known])
    return (
        _bars(told, title, rows, form)
        .mark_bar(binSpacing=1)
        .encode(color=alt.Color("kind:N", scale=scale))
        .properties(height=_LOW + 40)
    )


def month_chart(months: Sequence[dict[str, Any]]) -> Any:
    """A cell a month, a row a year, in percent.

    Args:
        months: ``year``, ``month`` (1 to 12) and ``return`` (a share; None leaves a dash).
    """
    rows = [
        {
            "year": str(one["year"]),
            "month": _MONTHS[one["month"] - 1],
            "percent": None if one["return"] is None else one["return"] * 100,
        }
        for one in months
    ]
    frame = pl.DataFrame(
        rows, schema={"year": pl.String, "month": pl.String, "percent": pl.Float64}
    )
    return heat_map(frame, "month", "year", "percent", columns=_MONTHS, text="+.1f")


def heat_map(
    frame: pl.DataFrame,
    x: str,
    y: str,
    value: str,
    *,
    columns: Sequence[str] | None = None,
    text: str = ".3~g",
) -> Any:
    """Values over two parameters: a search's scores, or returns of months.

    Where values lie on both sides of 0 the colours do too; a null is an empty cell with a dash.
    Numbers stand in the cells as long as those are at most 200, 12 side by side; otherwise there is a
    legend of the colours.

    Args:
        frame: One row for each pair of ``x`` and ``y``; values are numbers.
        columns: Order of ``x``; None for ascending.
        text: Format of the numbers, of d3.

    Raises:
        PlotError: A column is missing, there is no row, or a pair is there twice.
    """
    import altair as alt

    rows, least, largest = _cells(frame, x, y, value)
    scale = (
        alt.Scale(domain=[-largest, 0, largest], range=list(colours.DIVERGING))
        if least < 0
        else alt.Scale(domain=[least, largest], range=list(colours.RISING))
    )
    few = rows.height <= _MOST_TEXTS and rows["x"].n_unique() <= _WIDEST_TEXTS
    base = alt.Chart(rows_of(rows.to_dicts())).encode(
        x=alt.X(
            "x:O",
            sort=None,
            scale=alt.Scale(domain=list(columns or rows["x"].unique().sort())),
            axis=alt.Axis(
                title=None if columns else x,
                labelAngle=0,
                labelOverlap=True,
                domain=False,
                ticks=False,
            ),
        ),
        y=alt.Y(
            "y:O",
            sort=None,
            scale=alt.Scale(domain=rows["y"].unique().sort().to_list()),
            axis=alt.Axis(
                title=None if columns else y, labelOverlap=True, domain=False, ticks=False
            ),
        ),
    )
    legend = alt.Undefined if not few else None
    cells = base.mark_rect(stroke=colours.GREY, strokeOpacity=0.3).encode(
        color=alt.Color("value:Q", scale=scale, legend=legend, title=value)
    )
    height = _CELL * rows["y"].n_unique()
    if few:
        format_ = f"isValid(datum.value) ? format(datum.value, '{text}') : '\N{EN DASH}'"
        told = base.transform_calculate(told=format_)
    else:  # the cell of a null would take its row and its column with it
        told = base.transform_filter("!isValid(datum.value)").transform_calculate(
            told="'\N{EN DASH}'"
        )
    numbers = told.mark_text().encode(text="told:N", color=alt.Color("ink:N", scale=None))
    whole = alt.layer(cells, numbers).resolve_scale(color="independent")
    return whole.properties(height=60 + height if few else 100 + min(height, _TALLEST))


def _cells(frame: pl.DataFrame, x: str, y: str, value: str) -> tuple[pl.DataFrame, float, float]:
    missing = [name for name in (x, y, value) if name not in frame.columns]
    if missing:
        raise PlotError(
            f"A heat map lacks {', '.join(missing)}; there are {', '.join(frame.columns)}."
        )
    if frame.is_empty():
        raise PlotError("A heat map needs at least one row.")
    twice = frame.filter(frame.select(x, y).is_duplicated())
    if twice.height:
        raise PlotError(
            f"{x} {twice[x][0]} with {y} {twice[y][0]} is there twice. Keep one row a pair."
        )
    told = pl.col(value).cast(pl.Float64)
    rows = frame.select(x=x, y=y, value=pl.when(told.is_finite()).then(told))
    known = rows["value"].drop_nulls().to_numpy()
    least = float(known.min()) if len(known) else 0.0
    largest = float(np.abs(known).max()) if len(known) and np.any(known) else 1.0
    strong = _STRONG * largest if least < 0 else least + _STRONG * (largest - least)
    ink = (
        pl.when(pl.col("value").is_null())
        .then(pl.lit(colours.INK))
        .when(pl.col("value").abs() > strong)
        .then(pl.lit(colours.ON_DARK))
        .otherwise(pl.lit(colours.ON_LIGHT))
    )
    return rows.with_columns(ink=ink), least, largest


def _bars(bins: pl.DataFrame, title: str, rows: str, form: str) -> Any:
    import altair as alt

    return alt.Chart(rows_of(bins.to_dicts())).encode(
        x=alt.X(
            "low:Q",
            bin="binned",
            axis=alt.Axis(format=form, title=title, tickCount=10, labelOverlap=True),
        ),
        x2="high:Q",
        y=alt.Y("rows:Q", axis=alt.Axis(title=rows, tickMinStep=1)),
    )


def _lines(lines: Sequence[Line], axis: dict[str, Any]) -> Any:
    import altair as alt

    names = [one.name for one in lines]
    shown = alt.Legend() if len(names) > 1 else None
    return (
        alt.Chart(_data(lines))
        .mark_line(strokeWidth=1.8, strokeJoin="round")
        .encode(
            x=_time(),
            y=alt.Y("value:Q", scale=alt.Scale(zero=False), axis=alt.Axis(**axis)),
            color=alt.Color(
                "name:N",
                scale=alt.Scale(domain=names, range=[one.colour for one in lines]),
                legend=shown,
            ),
            strokeDash=alt.StrokeDash(
                "name:N",
                scale=alt.Scale(domain=names, range=[list(one.dash) for one in lines]),
                legend=shown,
            ),
        )
    )


def _data(lines: Sequence[Line]) -> Any:
    return rows_of(
        [
            {"time": when, "value": value if np.isfinite(value) else None, "name": one.name}
            for one in lines
            for when, value in zip(
                one.dates.cast(pl.Datetime("ms")).to_physical().to_list(),
                one.values.tolist(),
                strict=True,
            )
        ]
    )


def _time() -> Any:
    import altair as alt

    axis = alt.Axis(title=None, labelOverlap=True, tickCount=6, grid=False)
    return alt.X("time:T", scale=alt.Scale(type="utc"), axis=axis)


def _renamed(line: Line, name: str) -> Line:
    return Line(name, line.dates, line.values, line.colour, line.dash)
