"""Plots of altair as SVG, through vl-convert: no browser, no network, fonts of its own."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from reporting.colours import INK

#: Widths in pixels: of a page on a desk, and on a phone.
WIDE, NARROW = 920, 340

_FONT = "Liberation Sans, Arial, Helvetica, sans-serif"
_AXIS = {
    "domainColor": INK,
    "domainOpacity": 0.4,
    "gridColor": INK,
    "gridOpacity": 0.12,
    "labelColor": INK,
    "labelFontSize": 12,
    "labelLimit": 320,
    "tickColor": INK,
    "tickOpacity": 0.4,
    "titleColor": INK,
    "titleFontSize": 12,
    "titleFontWeight": "normal",
}
_CONFIG: dict[str, Any] = {
    "aria": False,  # a drawing is told in words as a whole
    "background": "transparent",
    "font": _FONT,
    "axis": _AXIS,
    "legend": {
        "labelColor": INK,
        "labelFontSize": 12,
        "labelLimit": 320,
        "orient": "top",
        "symbolStrokeWidth": 2.5,
        "title": None,
        "titleColor": INK,
        "titleFontWeight": "normal",
    },
    "text": {"color": INK, "font": _FONT, "fontSize": 11},
    "rule": {"color": INK},
    "view": {"stroke": None},
}
#: On a phone: names of lines one below the other, numbers in cells that are narrow.
_SMALL: dict[str, Any] = {
    "axis": _AXIS | {"labelFontSize": 11, "labelLimit": 140},
    "legend": _CONFIG["legend"] | {"columns": 1},
    "text": _CONFIG["text"] | {"fontSize": 8},
}


def drawn(chart: Any, width: int, *, name: str) -> str:
    """A chart as an SVG of that width.

    Args:
        chart: Of altair: one view or layers, with a height (of the whole drawing, axes included).
        width: Of the whole drawing, in pixels.
        name: Goes before every id inside, so that many drawings can stand in one page.
    """
    import altair as alt
    import vl_convert

    whole = chart.properties(
        width=width, autosize=alt.AutoSizeParams(type="fit", contains="padding")
    )
    spec = whole.to_dict(validate=False)  # as in rows_of
    spec["config"] = {**spec.get("config", {}), **_CONFIG}
    if width < WIDE:
        spec["config"] |= _SMALL
    return _own_ids(str(vl_convert.vegalite_to_svg(spec, vl_version=_version())), name)


def rows_of(rows: Sequence[Mapping[str, Any]]) -> Any:
    """Rows as a chart's data, however many; altair would refuse more than 5,000 of a frame."""
    import altair as alt
    from altair.utils.schemapi import debug_mode

    with debug_mode(arg=False):  # checking each row against a schema takes seconds
        return alt.Data(values=[dict(one) for one in rows])  # type: ignore[no-untyped-call]


def size(svg: str) -> tuple[float, float]:
    """Width and height of a drawing in pixels.

    >>> size('<svg width="340" height="200.5" viewBox="0 0 340 200.5">')
    (340.0, 200.5)
    """
    found = re.search(r'<svg[^>]*? width="([\d.]+)" height="([\d.]+)"', svg)
    if found is None:
        raise ValueError("A drawing must begin with its width and its height.")
    return float(found[1]), float(found[2])


def _own_ids(svg: str, name: str) -> str:
    """Ids are the page's: two drawings with a ``clip0`` each would cut one another.

    They are numbered anew, for vl-convert counts through all drawings of a process.
    """
    found = dict.fromkeys(re.findall(r' id="([^"]+)"', svg))
    named = {old: f"{name}-{at}" for at, old in enumerate(found)}
    pattern = r'( id="|url\(#|href="#)([^")]+)'
    return re.sub(pattern, lambda one: one[1] + named.get(one[2], one[2]), svg)


def _version() -> str:
    """The Vega-Lite that altair writes for, as vl-convert names it: ``6.4``."""
    import altair as alt

    return ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
