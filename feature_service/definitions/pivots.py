"""Floor pivots of the session before and of the calendar week before: four ways to draw them.

P is the pivot, R the resistances above it and S the supports below it, from the high H, low L and
close C of the period before. Classic, Camarilla and Fibonacci have the same P.
"""

import polars as pl

from feature_service.by_session import first_of_week
from feature_service.definitions.periods import by_period, prior
from feature_service.registry import feature

_THREE = [{"level": level} for level in (1, 2, 3)]
_FOUR = [{"level": level} for level in (1, 2, 3, 4)]
_PRICES = ["prior_{period}_high", "prior_{period}_low", "prior_{period}_close"]
_CLASSIC = "Person, A Complete Guide to Technical Trading Tactics (2004): P = (H + L + C) / 3"
_WOODIE = "Ken Wood (Woodie): P = (H + L + 2 x open of this period) / 4; mypivots.com"
_CAMARILLA = "Nick Scott (1989): C +- 1.1 (H - L) / 12, 6, 4 and 2"
_FIBONACCI = "P +- 0.382, 0.618 and 1 times (H - L)"


def _range(weeks: int) -> pl.Expr:
    return prior("high", weeks) - prior("low", weeks)


def _pivot(kind: str, weeks: int) -> pl.Expr:
    return pl.col(f"{kind}_pivot_week" if weeks else f"{kind}_pivot_day")


def _mean(weeks: int) -> pl.Expr:
    return (prior("high", weeks) + prior("low", weeks) + prior("close", weeks)) / 3


@by_period(
    "classic_pivot_{period}",
    group="levels",
    unit="USD per share",
    source=_CLASSIC,
    parents=_PRICES,
)
def classic_pivot(weeks: int) -> pl.Expr:
    """Classic pivot: mean of high, low and close of the period before."""
    return _mean(weeks)


@by_period(
    "classic_r{level}_{period}",
    group="levels",
    unit="USD per share",
    source=_CLASSIC,
    each=_THREE,
    parents=["classic_pivot_{period}", *_PRICES[:2]],
)
def classic_resistance(level: int, weeks: int) -> pl.Expr:
    """Classic resistance: R1 = 2 P - L, R2 = P + (H - L), R3 = H + 2 (P - L)."""
    return _resistance(_pivot("classic", weeks), level, weeks)


@by_period(
    "classic_s{level}_{period}",
    group="levels",
    unit="USD per share",
    source=_CLASSIC,
    each=_THREE,
    parents=["classic_pivot_{period}", *_PRICES[:2]],
)
def classic_support(level: int, weeks: int) -> pl.Expr:
    """Classic support: S1 = 2 P - H, S2 = P - (H - L), S3 = L - 2 (H - P)."""
    return _support(_pivot("classic", weeks), level, weeks)


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
    parents=["_{period}_open", *_PRICES[:2]],
)
def woodie_pivot(weeks: int) -> pl.Expr:
    """Woodie's pivot: the open of this period weighs as much as high and low of the one before."""
    opened = pl.col("_week_open" if weeks else "_day_open")
    return (prior("high", weeks) + prior("low", weeks) + 2 * opened) / 4


@by_period(
    "woodie_r{level}_{period}",
    group="levels",
    unit="USD per share",
    source=_WOODIE,
    each=_THREE,
    parents=["woodie_pivot_{period}", *_PRICES[:2]],
)
def woodie_resistance(level: int, weeks: int) -> pl.Expr:
    """Woodie's resistance: R1 = 2 P - L, R2 = P + (H - L), R3 = H + 2 (P - L)."""
    return _resistance(_pivot("woodie", weeks), level, weeks)


@by_period(
    "woodie_s{level}_{period}",
    group="levels",
    unit="USD per share",
    source=_WOODIE,
    each=_THREE,
    parents=["woodie_pivot_{period}", *_PRICES[:2]],
)
def woodie_support(level: int, weeks: int) -> pl.Expr:
    """Woodie's support: S1 = 2 P - H, S2 = P - (H - L), S3 = L - 2 (H - P)."""
    return _support(_pivot("woodie", weeks), level, weeks)


@by_period(
    "camarilla_pivot_{period}",
    group="levels",
    unit="USD per share",
    source=_CAMARILLA,
    parents=_PRICES,
)
def camarilla_pivot(weeks: int) -> pl.Expr:
    """Camarilla's pivot, the classic one: mean of high, low and close of the period before."""
    return _mean(weeks)


@by_period(
    "camarilla_r{level}_{period}",
    group="levels",
    unit="USD per share",
    source=_CAMARILLA,
    each=_FOUR,
    parents=_PRICES,
)
def camarilla_resistance(level: int, weeks: int) -> pl.Expr:
    """Camarilla's resistance: C + 1.1 (H - L) over 12, 6, 4 and 2."""
    return prior("close", weeks) + _range(weeks) * _camarilla(level)


@by_period(
    "camarilla_s{level}_{period}",
    group="levels",
    unit="USD per share",
    source=_CAMARILLA,
    each=_FOUR,
    parents=_PRICES,
)
def camarilla_support(level: int, weeks: int) -> pl.Expr:
    """Camarilla's support: C - 1.1 (H - L) over 12, 6, 4 and 2."""
    return prior("close", weeks) - _range(weeks) * _camarilla(level)


@by_period(
    "fibonacci_pivot_{period}",
    group="levels",
    unit="USD per share",
    source=_FIBONACCI,
    parents=_PRICES,
)
def fibonacci_pivot(weeks: int) -> pl.Expr:
    """Pivot of the Fibonacci levels, the classic one: mean of high, low and close of the period before."""
    return _mean(weeks)


@by_period(
    "fibonacci_r{level}_{period}",
    group="levels",
    unit="USD per share",
    source=_FIBONACCI,
    each=_THREE,
    parents=["fibonacci_pivot_{period}", *_PRICES[:2]],
)
def fibonacci_resistance(level: int, weeks: int) -> pl.Expr:
    """Fibonacci resistance: P + 0.382, 0.618 and 1 times (H - L)."""
    return _pivot("fibonacci", weeks) + _range(weeks) * _fibonacci(level)


@by_period(
    "fibonacci_s{level}_{period}",
    group="levels",
    unit="USD per share",
    source=_FIBONACCI,
    each=_THREE,
    parents=["fibonacci_pivot_{period}", *_PRICES[:2]],
)
def fibonacci_support(level: int, weeks: int) -> pl.Expr:
    """Fibonacci support: P - 0.382, 0.618 and 1 times (H - L)."""
    return _pivot("fibonacci", weeks) - _range(weeks) * _fibonacci(level)


def _resistance(pivot: pl.Expr, level: int, weeks: int) -> pl.Expr:
    if level == 1:
        return 2 * pivot - prior("low", weeks)
    if level == 2:  # noqa: PLR2004
        return pivot + _range(weeks)
    return prior("high", weeks) + 2 * (pivot - prior("low", weeks))


def _support(pivot: pl.Expr, level: int, weeks: int) -> pl.Expr:
    if level == 1:
        return 2 * pivot - prior("high", weeks)
    if level == 2:  # noqa: PLR2004
        return pivot - _range(weeks)
    return prior("low", weeks) - 2 * (prior("high", weeks) - pivot)


def _camarilla(level: int) -> float:
    return 1.1 / (12, 6, 4, 2)[level - 1]


def _fibonacci(level: int) -> float:
    return (0.382, 0.618, 1.0)[level - 1]
