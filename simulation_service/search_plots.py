"""The plots of a search's report, with what each says and does not say."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from reporting import Page, count, number, ratio, share
from reporting.colours import AGAINST, DASHED, OWN, SOLID
from reporting.drawing import rows_of
from simulation_service import plots
from simulation_service import search_facts as facts
from simulation_service.plots import Mark

_HEIGHT = 280
_TWO = 2


def add_ratios(page: Page, tried: pl.DataFrame, metrics: Mapping[str, Any]) -> None:
    """Add how the trials' Sharpe ratios are spread."""
    known = tried["sharpe"].drop_nulls().to_numpy()
    if not len(known):
        return
    best = float(known.max())
    marks = [Mark(f"best trial: {ratio(best)}", best, OWN, SOLID)]
    honesty: Mapping[str, Any] = metrics.get("honesty") or {}
    lucky = honesty.get("expected_maximum")
    said = ""
    if lucky is not None:
        tries = count(honesty["trials"])
        marks.append(Mark(f"best of {tries} without skill: {ratio(lucky)}", lucky, AGAINST, DASHED))
        said = (
            f" Of {tries} independent tries without any skill, those before this search among them, "
            f"the best would be expected at {ratio(lucky)}; trials of neighbouring parameters are "
            "nearly the same one, for which that is rather too high."
        )
    without = tried.height - len(known)
    absent = f" {count(without)} more have no ratio: they failed or never moved." if without else ""
    page.chart(
        "Sharpe ratios of all trials",
        plots.histogram_chart(facts.histogram(known), "Sharpe, a year", "trials", marks=marks),
        alt=f"{count(len(known))} trials from {ratio(float(known.min()))} to {ratio(best)}, "
        f"middle {ratio(float(np.median(known)))}; " + "; ".join(one.name for one in marks),
        caption=f"{count(len(known))} trials, the middle one at "
        f"{ratio(float(np.median(known)))}.{absent}{said}",
    )


def add_surface(page: Page, tried: pl.DataFrame) -> None:
    """Add the Sharpe ratio over the two numeric axes with the most values, or over the only one."""
    values = facts.values_of(tried)
    axes = facts.drawn_axes(values)
    if not axes:
        page.paragraph(
            "No axis of numbers has more than one value, so there is no map of the ratio over them."
        )
        return
    found = facts.surface(tried, axes)
    if found["sharpe"].null_count() == found.height:
        return
    hidden = facts.others(values, axes)
    over = (
        f" Each is the best over {_listed(hidden)}: the more of those were tried, the luckier it is."
        if hidden
        else ""
    )
    top = found.sort("sharpe", descending=True, nulls_last=True).row(0, named=True)
    where = ", ".join(f"{name} {number(top[name])}" for name in axes)
    title = f"Sharpe ratio over {_listed(axes)}"
    alt = f"{count(found.height)} points, the highest {ratio(top['sharpe'])} at {where}"
    if len(axes) < _TWO:
        page.chart(
            title,
            axis_chart(found, axes[0], "sharpe", "Sharpe, a year"),
            alt=alt,
            caption=f"A peak whose neighbours are low is luck more easily than a broad hill.{over}",
        )
        return
    page.chart(
        title,
        plots.heat_map(found, axes[0], axes[1], "sharpe", text=".2f"),
        alt=alt,
        caption="A bright cell among dark ones is luck more easily than a broad hill. Where there is "
        f"no cell, nothing was tried; a dash is a trial without a ratio.{over}",
    )


def add_logits(page: Page, found: Mapping[str, Any]) -> None:
    """Add where the best of one half of the sessions stood in the other half, over all splits."""
    logits: Mapping[str, Any] | None = found.get("logits")
    if not logits or not logits.get("counts"):
        return
    splits = sum(logits["counts"])
    page.chart(
        "Where the best of one half stood in the other",
        plots.parted_chart(
            plots.counted(logits["counts"], logits["edges"]),
            "logit of its rank among all trials",
            "splits",
            names=("worse than the middle", "around the middle", "better than the middle"),
        ),
        alt=f"Of {count(splits)} splits {share(found['probability'])} lie at or below 0",
        caption=f"The sessions were halved in {count(splits)} ways; each time the best trial of one half "
        "was looked up in the other. Right of 0 it was better there than the middle of all trials, "
        "left of it worse. This says whether choosing by the Sharpe ratio works among these trials; "
        "it does not say that the chosen one makes money, nor what the next months will be like.",
    )


def axis_chart(frame: pl.DataFrame, x: str, value: str, title: str) -> Any:
    """Values over one parameter, as a line with a point for each; a null leaves a hole.

    Args:
        frame: ``x`` and ``value``, both numbers, one row for each ``x``.
        title: Of the values' axis.
    """
    import altair as alt

    rows = frame.select(x=x, value=value).to_dicts()
    return (
        alt.Chart(rows_of(rows))
        .mark_line(color=OWN, strokeWidth=1.8, point=alt.OverlayMarkDef(color=OWN, size=45))
        .encode(
            x=alt.X("x:Q", scale=alt.Scale(zero=False), axis=alt.Axis(title=x)),
            y=alt.Y("value:Q", scale=alt.Scale(zero=False), axis=alt.Axis(title=title)),
        )
        .properties(height=_HEIGHT)
    )


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
