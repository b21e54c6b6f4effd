"""Candles with volume. Time between sessions takes no room: bars stand side by side."""

from typing import Any

import altair as alt
import polars as pl

UP, DOWN, _GREY = "#26a69a", "#ef5350", "#8c8c8c"
_SESSION_LINES = 40  # more of them would be a curtain
_VOLUME_ROOM = 4.5  # the highest volume takes one part in this of the height
_HALF_BODY = 0.36  # of the place of one bar
_WHEEL = "wheel![event.altKey || event.ctrlKey]"  # a plain wheel scrolls the page


def chart(bars: pl.DataFrame, *, height: int) -> Any:
    """A chart of bars: candles, volume at the foot, and what lies under the pointer.

    Args:
        bars: ``timestamp`` (UTC), ``open high low close vwap`` (USD), ``volume`` (shares); oldest
            first, at least one row and few enough for a screen.
        height: In pixels; the width follows the page.
    """
    facts = _facts(bars)
    zoom = alt.selection_interval(bind="scales", encodings=["x"], zoom=_WHEEL, name="zoom")
    base = alt.Chart(facts)
    # Bars outside of the zoom must not stretch the scale of prices.
    seen = base.transform_filter(
        "!isValid(zoom.i) || (datum.i >= zoom.i[0] - 1 && datum.i <= zoom.i[1] + 1)"
    )
    x = _bar_axis(facts.height)
    lines = base.transform_filter("datum.opens").mark_rule(
        color=_GREY, strokeDash=[2, 3], opacity=0.5
    )
    return (
        alt.layer(
            lines.encode(x=x),
            _volume(seen, float(facts["volume"].max() or 1)),  # type: ignore[arg-type]
            _candles(seen, x, zoom),
            _pointer(base, x),
        )
        .add_params(alt.param(name="labels", value=facts["label"].to_list()))
        .resolve_scale(y="independent")
        .properties(height=height)
        .configure_view(stroke=None)
    )


def _facts(bars: pl.DataFrame) -> pl.DataFrame:
    """Bars with their place ``i``, their edges and colour, and texts in New York time."""
    local = pl.col("timestamp").dt.convert_time_zone("America/New_York")
    day = local.dt.date()
    place = pl.col("i").cast(pl.Float64)
    opens = (day != day.shift(1)).fill_null(value=False)
    days = bars.select(day.n_unique()).item()
    return bars.with_row_index("i").select(
        place,
        "open",
        "high",
        "low",
        "close",
        "volume",
        "vwap",
        left=place - _HALF_BODY,
        right=place + _HALF_BODY,
        label=local.dt.strftime(_label_format(bars.height, days)),
        time=local.dt.strftime("%a %-d %b %Y %H:%M"),
        colour=pl.when(pl.col("close") >= pl.col("open")).then(pl.lit(UP)).otherwise(pl.lit(DOWN)),
        opens=opens & pl.lit(days <= _SESSION_LINES) & pl.lit(days < bars.height),
    )


def _label_format(bars: int, days: int) -> str:
    if days == bars > 1:
        return "%b %-d\n%Y"
    return "%H:%M" if days == 1 else "%H:%M\n%b %-d"


def _bar_axis(count: int) -> Any:
    return alt.X(
        "i:Q",
        scale=alt.Scale(domain=[-1, count], nice=False),
        axis=alt.Axis(
            title=None,
            grid=False,
            tickMinStep=1,
            tickCount=8,
            labelExpr="split(labels[datum.value] || '', '\\n')",
            labelOverlap=True,
        ),
    )


def _candles(seen: Any, x: Any, zoom: Any) -> Any:
    colour = alt.Color("colour:N", scale=None)
    stroke = alt.Stroke("colour:N", scale=None)
    axis = alt.Axis(title=None, orient="right", format=",.2f", tickCount=6)
    scale = alt.Scale(zero=False, nice=False, padding=12)
    wicks = seen.mark_rule(strokeWidth=1).encode(
        x=x, y=alt.Y("low:Q", scale=scale, axis=axis), y2="high:Q", color=colour
    )
    bodies = seen.mark_rect(strokeWidth=0.8).encode(
        x="left:Q", x2="right:Q", y=alt.Y("open:Q"), y2="close:Q", color=colour, stroke=stroke
    )
    return alt.layer(wicks.add_params(zoom), bodies)


def _volume(seen: Any, highest: float) -> Any:
    scale = alt.Scale(domain=[0, highest * _VOLUME_ROOM], nice=False)
    return seen.mark_rect(opacity=0.3).encode(
        x="left:Q",
        x2="right:Q",
        y=alt.Y("volume:Q", scale=scale, axis=None),
        y2=alt.datum(0),
        color=alt.Color("colour:N", scale=None),
    )


def _pointer(base: Any, x: Any) -> Any:
    """A line under the pointer with the numbers of its bar."""
    hover = alt.selection_point(
        name="hover", nearest=True, on="pointermove", clear="pointerout", fields=["i"], empty=False
    )
    prices = [
        alt.Tooltip(f"{name}:Q", title="VWAP" if name == "vwap" else name.title(), format=",.2f")
        for name in ("open", "high", "low", "close", "vwap")
    ]
    volume = alt.Tooltip("volume:Q", title="Volume", format=",.0f")
    return (
        base.mark_rule(color=_GREY, strokeWidth=1)
        .encode(
            x=x,
            opacity=alt.condition(hover, alt.value(0.9), alt.value(0)),
            tooltip=[alt.Tooltip("time:N", title="New York"), *prices, volume],
        )
        .add_params(hover)
    )
