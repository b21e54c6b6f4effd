"""Floor pivots of the session before and of the calendar week before: four ways to draw them.

P is the pivot, R the resistances above it and S the supports below it, from the high H, low L and
close C of the period before. Classic, Camarilla and Fibonacci have the same P.
"""

from functools import partial

import polars as pl

from feature_service.by_session import first_of_week, once_a_session
from feature_service.compiled import Values
from feature_service.definitions.periods import by_period
from feature_service.registry import feature

_THREE = [{"level": level} for level in (1, 2, 3)]
_FOUR = [{"level": level} for level in (1, 2, 3, 4)]
_READS = ["prior_{period}_high", "prior_{period}_low", "prior_{period}_close"]
_CLASSIC = "Person, A Complete Guide to Technical Trading Tactics (2004): P = (H + L + C) / 3"
_WOODIE = "Ken Wood (Woodie): P = (H + L + 2 x open of this period) / 4; mypivots.com"
_CAMARILLA = "Nick Scott (1989): C +- 1.1 (H - L) / 12, 6, 4 and 2"
_FIBONACCI = "P +- 0.382, 0.618 and 1 times (H - L)"


def _prices(weeks: int) -> tuple[str, str, str]:
    period = "week" if weeks else "day"
    return f"prior_{period}_high", f"prior_{period}_low", f"prior_{period}_close"


def _around(kind: str, weeks: int) -> tuple[str, str, str]:
    return f"{kind}_pivot_week" if weeks else f"{kind}_pivot_day", *_prices(weeks)[:2]


def _mean(high: Values, low: Values, close: Values) -> Values:
    return (high + low + close) / 3


def _of_open(high: Values, low: Values, opened: Values) -> Values:
    return (high + low + 2 * opened) / 4


def _resistance(pivot: Values, high: Values, low: Values, *, level: int) -> Values:
    return (2 * pivot - low, pivot + (high - low), high + 2 * (pivot - low))[level - 1]


def _support(pivot: Values, high: Values, low: Values, *, level: int) -> Values:
    return (2 * pivot - high, pivot - (high - low), low - 2 * (high - pivot))[level - 1]


def _camarilla(high: Values, low: Values, close: Values, *, level: int) -> Values:
    part = 1.1 / (12, 6, 4, 2)[abs(level) - 1]
    return close + (high - low) * (part if level > 0 else -part)


def _fibonacci(pivot: Values, high: Values, low: Values, *, level: int) -> Values:
    part = (0.382, 0.618, 1.0)[abs(level) - 1]
    return pivot + (high - low) * (part if level > 0 else -part)


@by_period(
    "classic_pivot_{period}",
    group="levels",
    unit="USD per share",
    source=_CLASSIC,
    parents=_READS,
)
def classic_pivot(weeks: int) -> pl.Expr:
    """Classic pivot: mean of high, low and close of the period before."""
    return once_a_session(_mean, *_prices(weeks))


@by_period(
    "classic_r{level}_{period}",
    group="levels",
    unit="USD per share",
    source=_CLASSIC,
    each=_THREE,
    parents=["classic_pivot_{period}", *_READS[:2]],
)
def classic_resistance(level: int, weeks: int) -> pl.Expr:
    """Classic resistance: R1 = 2 P - L, R2 = P + (H - L), R3 = H + 2 (P - L)."""
    return once_a_session(partial(_resistance, level=level), *_around("classic", weeks))


@by_period(
    "classic_s{level}_{period}",
    group="levels",
    unit="USD per share",
    source=_CLASSIC,
    each=_THREE,
    parents=["classic_pivot_{period}", *_READS[:2]],
)
def classic_support(level: int, weeks: int) -> pl.Expr:
    """Classic support: S1 = 2 P - H, S2 = P - (H - L), S3 = L - 2 (H - P)."""
    return once_a_session(partial(_support, level=level), *_around("classic", weeks))


@feature(
    "_week_open",
    group="levels",
    unit="USD per share",
    source="bars of the calendar week so far",
    sessions=lambda: 5,
)
def week_open() -> pl.Expr:
    """Open of the calendar week's first bar."""
    return first_of_week("open")


@by_period(
    "woodie_pivot_{period}",
    group="levels",
    unit="USD per share",
    source=_WOODIE,
    parents=["_{period}_open", *_READS[:2]],
)
def woodie_pivot(weeks: int) -> pl.Expr:
    """Woodie's pivot: the open of this period weighs as much as high and low of the one before."""
    high, low, _ = _prices(weeks)
    return once_a_session(_of_open, high, low, "_week_open" if weeks else "_day_open")


@by_period(
    "woodie_r{level}_{period}",
    group="levels",
    unit="USD per share",
    source=_WOODIE,
    each=_THREE,
    parents=["woodie_pivot_{period}", *_READS[:2]],
)
def woodie_resistance(level: int, weeks: int) -> pl.Expr:
    """Woodie's resistance: R1 = 2 P - L, R2 = P + (H - L), R3 = H + 2 (P - L)."""
    return once_a_session(partial(_resistance, level=level), *_around("woodie", weeks))


@by_period(
    "woodie_s{level}_{period}",
    group="levels",
    unit="USD per share",
    source=_WOODIE,
    each=_THREE,
    parents=["woodie_pivot_{period}", *_READS[:2]],
)
def woodie_support(level: int, weeks: int) -> pl.Expr:
    """Woodie's support: S1 = 2 P - H, S2 = P - (H - L), S3 = L - 2 (H - P)."""
    return once_a_session(partial(_support, level=level), *_around("woodie", weeks))


@by_period(
    "camarilla_pivot_{period}",
    group="levels",
    unit="USD per share",
    source=_CAMARILLA,
    parents=_READS,
)
def camarilla_pivot(weeks: int) -> pl.Expr:
    """Camarilla's pivot, the classic one: mean of high, low and close of the period before."""
    return once_a_session(_mean, *_prices(weeks))


@by_period(
    "camarilla_r{level}_{period}",
    group="levels",
    unit="USD per share",
    source=_CAMARILLA,
    each=_FOUR,
    parents=_READS,
)
def camarilla_resistance(level: int, weeks: int) -> pl.Expr:
    """Camarilla's resistance: C + 1.1 (H - L) over 12, 6, 4 and 2."""
    return once_a_session(partial(_camarilla, level=level), *_prices(weeks))


@by_period(
    "camarilla_s{level}_{period}",
    group="levels",
    unit="USD per share",
    source=_CAMARILLA,
    each=_FOUR,
    parents=_READS,
)
def camarilla_support(level: int, weeks: int) -> pl.Expr:
    """Camarilla's support: C - 1.1 (H - L) over 12, 6, 4 and 2."""
    return once_a_session(partial(_camarilla, level=-level), *_prices(weeks))


@by_period(
    "fibonacci_pivot_{period}",
    group="levels",
    unit="USD per share",
    source=_FIBONACCI,
    parents=_READS,
)
def fibonacci_pivot(weeks: int) -> pl.Expr:
    """Pivot of the Fibonacci levels, the classic one: mean of high, low and close of the period before."""
    return once_a_session(_mean, *_prices(weeks))


@by_period(
    "fibonacci_r{level}_{period}",
    group="levels",
    unit="USD per share",
    source=_FIBONACCI,
    each=_THREE,
    parents=["fibonacci_pivot_{period}", *_READS[:2]],
)
def fibonacci_resistance(level: int, weeks: int) -> pl.Expr:
    """Fibonacci resistance: P + 0.382, 0.618 and 1 times (H - L)."""
    return once_a_session(partial(_fibonacci, level=level), *_around("fibonacci", weeks))


@by_period(
    "fibonacci_s{level}_{period}",
    group="levels",
    unit="USD per share",
    source=_FIBONACCI,
    each=_THREE,
    parents=["fibonacci_pivot_{period}", *_READS[:2]],
)
def fibonacci_support(level: int, weeks: int) -> pl.Expr:
    """Fibonacci support: P - 0.382, 0.618 and 1 times (H - L)."""
    return once_a_session(partial(_fibonacci, level=-level), *_around("fibonacci", weeks))
