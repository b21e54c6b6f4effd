"""What labels there are: families of functions that differ in their horizon and their widths.

A triple barrier is that of López de Prado, "Advances in Financial Machine Learning" (2018), ch. 3.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from feature_service.compiled import Values
from training_service.label_bars import LabelBars, Whole
from training_service.label_windows import Span, Touches, first_touch, usual_move, window_of

Kind = Literal["classes", "number"]
Numbers = Mapping[str, float]

_BASIS_POINT = 1e-4
# Further from a threshold than rounding, nearer than any tick.
_ROUNDING = 1e-12
_CLOSE = ("close",)
_RANGES = ("close", "high", "low")
_UP_OR_NOT, _THREE_WAYS = (0, 1), (-1, 0, 1)


@dataclass(frozen=True)
class Found:
    """The values of a label, NaN for none, and the row of the last bar of each one's window."""

    values: Values
    end: Whole


Function = Callable[[LabelBars, Span, Numbers], Found]


@dataclass(frozen=True)
class Family:
    """Labels of one meaning.

    Attributes:
        template: Of their names; ``{span}`` is the horizon, what else is in braces a number.
        kind: ``classes`` or ``number``.
        classes: The values of a label of classes, smallest first.
        unit: Of the values.
        columns: The prices they look at.
        across: Whether there is one that reaches into the next session.
        examples: Names of some, the usual first.
    """

    template: str
    function: Function
    kind: Kind
    classes: tuple[int, ...]
    unit: str
    examples: tuple[str, ...]
    columns: tuple[str, ...] = _CLOSE
    across: bool = False

    @property
    def about(self) -> str:
        """What a value means, in a sentence."""
        return (self.function.__doc__ or "").strip().partition("\n")[0]

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Names of the family."""
        spans = r"[0-9]{1,6}m?|next_session" if self.across else r"[0-9]{1,6}m?"
        kinds = {"span": spans}
        number = r"[0-9]{1,6}(?:\.[0-9]{1,2})?"
        parts = re.split(r"\{(\w+)\}", self.template)
        fields = (f"(?P<{name}>{kinds.get(name, number)})" for name in parts[1::2])
        texts = [re.escape(text) for text in parts[::2]]
        return re.compile(texts[0] + "".join(a + b for a, b in zip(fields, texts[1:], strict=True)))


def direction(bars: LabelBars, span: Span, numbers: Numbers) -> Found:
    """1 if the later close is higher, 0 if it is not."""
    del numbers
    window = window_of(bars, span)
    base, later = _of(bars.close, window.base), _of(bars.close, window.end)
    return Found(_where(base, later, later > base), window.end)


def change(bars: LabelBars, span: Span, numbers: Numbers) -> Found:
    """Change of the close, as a share of the earlier one."""
    del numbers
    window = window_of(bars, span)
    return Found(_of(bars.close, window.end) / _of(bars.close, window.base) - 1, window.end)


def above(bars: LabelBars, span: Span, numbers: Numbers) -> Found:
    """1 if the close rises by more than so many basis points, 0 if it does not."""
    found = change(bars, span, numbers)
    over = found.values > numbers["bp"] * _BASIS_POINT + _ROUNDING
    return Found(_where(found.values, found.values, over), found.end)


def move(bars: LabelBars, span: Span, numbers: Numbers) -> Found:
    """1 if the close rises by more than so many basis points, -1 if it falls by more, 0 otherwise."""
    found = change(bars, span, numbers)
    far = np.abs(found.values) > numbers["bp"] * _BASIS_POINT + _ROUNDING
    return Found(_where(found.values, found.values, np.sign(found.values) * far), found.end)


def scaled(bars: LabelBars, span: Span, numbers: Numbers) -> Found:
    """Change of the close over the standard deviation that past bars let expect for the span."""
    found = change(bars, span, numbers)
    return Found(found.values / usual_move(bars, span), found.end)


def triple_barrier(bars: LabelBars, span: Span, numbers: Numbers) -> Found:
    """1 if a high touches the upper barrier first, -1 if a low the lower one, 0 if neither in time.

    The barriers lie so many standard deviations above and below the close. A bar that touches
    both counts as touching the lower one.
    """
    touches = _touches(bars, span, numbers, closes=False)
    return Found(touches.side, touches.end)


def triple_barrier_of_closes(bars: LabelBars, span: Span, numbers: Numbers) -> Found:
    """1 if a close reaches the upper barrier first, -1 if the lower one, 0 if neither in time."""
    touches = _touches(bars, span, numbers, closes=True)
    return Found(touches.side, touches.end)


def profit_first(bars: LabelBars, span: Span, numbers: Numbers) -> Found:
    """1 if a high touches the upper barrier first, 0 if a low the lower one, or neither in time.

    As a triple barrier, for who only buys.
    """
    touches = _touches(bars, span, numbers, closes=False)
    return Found(_where(touches.side, touches.side, touches.side > 0), touches.end)


def _touches(bars: LabelBars, span: Span, numbers: Numbers, *, closes: bool) -> Touches:
    usual = usual_move(bars, span)
    up, down = numbers["up"] * usual, numbers["down"] * usual
    return first_touch(bars, window_of(bars, span), up, down, closes=closes)


def _of(values: Values, rows: Whole) -> Values:
    """The values of rows, NaN for no row."""
    if len(values) == 0:
        return values
    return np.where(rows < 0, np.nan, values[rows])


def _where(one: Values, other: Values, found: np.ndarray) -> Values:
    """What was found, where both values are there."""
    return np.where(np.isnan(one) | np.isnan(other), np.nan, found.astype(np.float64))


def _spans(template: str, *, across: bool = False) -> tuple[str, ...]:
    spans = ["15", "1", "5", "30", "60", "15m", "30m", "60m", *(["next_session"] if across else [])]
    return tuple(template.replace("{span}", span) for span in spans)


FAMILIES: Sequence[Family] = (
    Family(
        "direction_{span}",
        direction,
        "classes",
        _UP_OR_NOT,
        "0 or 1",
        _spans("direction_{span}", across=True),
        across=True,
    ),
    Family(
        "return_{span}",
        change,
        "number",
        (),
        "share of the earlier close",
        _spans("return_{span}", across=True),
        across=True,
    ),
    Family(
        "above_{bp}bp_{span}",
        above,
        "classes",
        _UP_OR_NOT,
        "0 or 1",
        ("above_10bp_15", "above_10bp_15m"),
        across=True,
    ),
    Family(
        "move_{bp}bp_{span}",
        move,
        "classes",
        _THREE_WAYS,
        "-1, 0 or 1",
        ("move_10bp_15", "move_10bp_15m"),
        across=True,
    ),
    Family(
        "scaled_return_{span}",
        scaled,
        "number",
        (),
        "standard deviations of a return over the span",
        ("scaled_return_15", "scaled_return_15m"),
    ),
    Family(
        "triple_barrier_{up}x{down}_{span}",
        triple_barrier,
        "classes",
        _THREE_WAYS,
        "-1, 0 or 1",
        ("triple_barrier_1x1_30", "triple_barrier_2x1_30m"),
        columns=_RANGES,
    ),
    Family(
        "triple_barrier_close_{up}x{down}_{span}",
        triple_barrier_of_closes,
        "classes",
        _THREE_WAYS,
        "-1, 0 or 1",
        ("triple_barrier_close_1x1_30", "triple_barrier_close_2x1_30m"),
    ),
    Family(
        "profit_first_{up}x{down}_{span}",
        profit_first,
        "classes",
        _UP_OR_NOT,
        "0 or 1",
        ("profit_first_2x1_30", "profit_first_2x1_30m"),
        columns=_RANGES,
    ),
)
