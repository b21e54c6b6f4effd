"""Plots of models, as charts of altair, without a width."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from reporting import colours
from reporting.drawing import rows_of

_HEIGHT, _BAR = 260, 22
#: How a population stability index is usually read (Siddiqi, Credit Risk Scorecards, 2006).
SOME_DRIFT, GREAT_DRIFT = 0.1, 0.25
_LOOKS = {
    "model": (colours.OWN, colours.SOLID),
    "dummy": (colours.OTHER, colours.DOTTED),
    "always up": (colours.AGAINST, colours.DASHED),
}


def fold_chart(folds: Sequence[Mapping[str, Any]], score: str, title: str, form: str) -> Any:
    """One score of each fold, by the beginning of its test, beside what needs no model.

    Args:
        folds: ``test_start`` (ISO, UTC), the score, and ``dummy`` and ``always_up`` where there are.
        form: Of the score, of d3.
    """
    import altair as alt

    rows = [
        {"time": _milliseconds(fold["test_start"]), "value": scores.get(score), "name": name}
        for fold in folds
        for name, scores in (
            ("model", fold),
            ("dummy", fold.get("dummy") or {}),
            ("always up", fold.get("always_up") or {}),
        )
    ]
    known = [one for one in rows if one["value"] is not None]
    names = [name for name in _LOOKS if any(one["name"] == name for one in known)]
    colour = alt.Scale(domain=names, range=[_LOOKS[name][0] for name in names])
    dashes = alt.Scale(domain=names, range=[_LOOKS[name][1] for name in names])
    base = alt.Chart(rows_of(known)).encode(
        x=alt.X(
            "time:T",
            scale=alt.Scale(type="utc"),
            axis=alt.Axis(title="the fold's test begins", tickCount=6, grid=False),
        ),
        y=alt.Y("value:Q", scale=alt.Scale(zero=False), axis=alt.Axis(title=title, format=form)),
        color=alt.Color("name:N", scale=colour),
    )
    lines = base.mark_line(strokeWidth=1.8).encode(
        strokeDash=alt.StrokeDash("name:N", scale=dashes)
    )
    points = base.mark_point(filled=True, size=50).encode(
        shape=alt.Shape("name:N", scale=alt.Scale(domain=names))
    )
    return alt.layer(lines, points).properties(height=_HEIGHT)


def agreement_chart(
    series: Mapping[str, Sequence[Mapping[str, float]]], said: str, was: str, form: str
) -> Any:
    """What was said against what was: on the diagonal they agree. Points are as large as their bins.

    Args:
        series: By name the bins: ``said``, ``was`` and ``rows``; the first one is the model's colour.
        said: Title of the horizontal axis.
        was: Title of the vertical one.
        form: Of the numbers, of d3.
    """
    import altair as alt

    rows = [{**one, "name": name} for name, bins in series.items() for one in bins]
    ends = [one[side] for bins in series.values() for one in bins for side in ("said", "was")]
    low, high = min(ends), max(ends)
    names = list(series)
    palette = [colours.OWN, colours.AGAINST, colours.OTHER]
    colour = alt.Color(
        "name:N",
        scale=alt.Scale(
            domain=names, range=[palette[at % len(palette)] for at in range(len(names))]
        ),
        legend=alt.Legend() if len(names) > 1 else None,
    )
    axis = alt.Scale(zero=False, nice=True)
    x = alt.X("said:Q", scale=axis, axis=alt.Axis(title=said, format=form, tickCount=7))
    y = alt.Y("was:Q", scale=axis, axis=alt.Axis(title=was, format=form))
    ideal = (
        alt.Chart(rows_of([{"said": low, "was": low}, {"said": high, "was": high}]))
        .mark_line(color=colours.GREY, strokeDash=colours.DASHED)
        .encode(x=x, y=y)
    )
    base = alt.Chart(rows_of(rows)).encode(x=x, y=y, color=colour)
    points = base.mark_point(filled=True, opacity=0.9).encode(
        size=alt.Size("rows:Q", scale=alt.Scale(range=[30, 160]), legend=None)
    )
    return alt.layer(ideal, base.mark_line(strokeWidth=1.2), points).properties(height=_HEIGHT + 60)


def importance_chart(rows: Sequence[Mapping[str, Any]], title: str) -> Any:
    """Bars of how much worse the score gets, the greatest first.

    Args:
        rows: ``name`` and ``worse``.
        title: Of the axis.
    """
    import altair as alt

    names = [one["name"] for one in rows]
    return (
        alt.Chart(rows_of([dict(one) for one in rows]))
        .mark_bar(height={"band": 0.7})
        .encode(
            y=_names(names),
            x=alt.X("worse:Q", axis=alt.Axis(title=title, tickCount=6)),
            color=alt.condition(
                "datum.worse < 0", alt.value(colours.AGAINST), alt.value(colours.OWN)
            ),
        )
        .properties(height=60 + _BAR * len(names))
    )


def drift_chart(rows: Sequence[Mapping[str, Any]]) -> Any:
    """Bars of stability indexes, with lines where some and where great drift begins.

    Args:
        rows: ``name`` and ``psi``.
    """
    import altair as alt

    names = [one["name"] for one in rows]
    bars = (
        alt.Chart(rows_of([dict(one) for one in rows]))
        .mark_bar(height={"band": 0.7})
        .encode(
            y=_names(names),
            x=alt.X("psi:Q", axis=alt.Axis(title="population stability index", tickCount=6)),
            color=alt.condition(
                f"datum.psi > {GREAT_DRIFT}", alt.value(colours.AGAINST), alt.value(colours.OWN)
            ),
        )
    )
    limits = (
        alt.Chart(rows_of([{"at": SOME_DRIFT}, {"at": GREAT_DRIFT}]))
        .mark_rule(strokeDash=colours.DASHED, strokeWidth=1.2)
        .encode(x="at:Q")
    )
    return alt.layer(bars, limits).properties(height=60 + _BAR * len(names))


def _names(names: Sequence[str]) -> Any:
    import altair as alt

    return alt.Y("name:N", sort=list(names), axis=alt.Axis(title=None, ticks=False))


def _milliseconds(moment: str) -> int:
    return round(datetime.fromisoformat(moment).timestamp() * 1000)
