"""What a strategy says at the bars of a market: signals of its rows, brought to the bars that are traded."""

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lake.errors import InvalidError, LakeError
from lake.timeframes import minutes_of
from simulation_service.market import Market
from simulation_service.trading import Said
from strategy_service.plans import Plan
from strategy_service.signals import Direction
from strategy_service.strategies import Strategy

#: The feature that risk rules ask the time by.
CLOCK = "minutes_to_close"
_MINUTE = 60_000_000  # microseconds

Places = NDArray[np.int64]


class StrategyBrokeError(InvalidError):
    """A strategy that raised what it should not."""

    def __init__(self, strategy: str, symbol: str, error: str) -> None:
        super().__init__(strategy, symbol, error)
        self.strategy, self.symbol, self.error = strategy, symbol, error

    def __str__(self) -> str:
        return f"{self.strategy} broke on the bars of {self.symbol}: {self.error}."


def places(market: Market, times: pl.Series) -> Places:
    """For each bar of a market the row of the same minute; -1 where there is none.

    Args:
        times: Of the rows: ascending, UTC.
    """
    known, wanted = _micros(times), _micros(market.bars["timestamp"])
    if not len(known):
        return np.full(len(wanted), -1, dtype=np.int64)
    found = np.searchsorted(known, wanted)
    inside = np.minimum(found, len(known) - 1)
    return np.where((found < len(known)) & (known[inside] == wanted), inside, -1)


def known_at(market: Market, rows: pl.DataFrame, timeframe: str) -> Places:
    """For each bar of a market the row that is known when it closes and was not before; -1 for none.

    A row is known when its bar is over, not when it opens: that of an hour at the hour's last
    minute that was traded, that of a day or a week at its last minute.

    Args:
        rows: ``timestamp`` (opening, UTC; ascending) and ``session_date``.
        timeframe: Of the rows.
    """
    minutes = minutes_of(timeframe)
    if minutes == 1:
        return places(market, rows["timestamp"])
    opened, bars = _micros(rows["timestamp"]), _micros(market.bars["timestamp"])
    found = np.full(len(bars), -1, dtype=np.int64)
    if not len(bars):
        return found
    if minutes is not None:
        behind = np.searchsorted(bars, opened + minutes * _MINUTE, side="left")
    else:
        days = rows["session_date"]
        last = days.dt.truncate("1w").dt.offset_by("6d") if timeframe == "1week" else days
        behind = market.bars["session_date"].search_sorted(last, "right").to_numpy()
    newest = behind.astype(np.int64) - 1
    own = (newest >= 0) & (bars[newest] >= opened)
    found[newest[own]] = np.flatnonzero(own)
    return found


def spoken(strategy: Strategy, symbol: str, rows: pl.DataFrame) -> pl.DataFrame:
    """What a strategy says in each row, as ``SIGNALS``.

    Raises:
        StrategyBrokeError: It raised something that is no sentence, or what it says is no signal a row.
    """
    try:
        said = strategy.signals(rows)
        odd = _odd(said, rows.height)
    except LakeError:
        raise
    except Exception as error:  # a strategy or an estimator of the user's own may raise anything
        raise StrategyBrokeError(strategy.name, symbol, _brief(error)) from error
    if odd:
        raise StrategyBrokeError(strategy.name, symbol, odd)
    return said


def _micros(times: pl.Series) -> NDArray[np.int64]:
    return times.cast(pl.Datetime("us", "UTC")).to_physical().to_numpy()


def _odd(said: pl.DataFrame, height: int) -> str:
    """Why signals cannot be acted on; empty if they can."""
    if said.height != height:
        return f"it gave {said.height:,} signals for {height:,} bars"
    known = [int(one) for one in Direction]
    if not said["direction"].is_in(known).fill_null(value=True).all():
        return f"a direction is one of {', '.join(map(str, known))}, and it gave another"
    strengths = said["strength"].cast(pl.Float64).fill_null(0.0)
    if not strengths.is_between(0.0, 1.0).all():
        return "a strength is a number from 0 to 1, and it gave another"
    return ""


def heard(signals: pl.DataFrame, at: Places, **more: pl.Series) -> Said:
    """What was said at each bar; it holds where nothing was.

    Args:
        signals: ``direction`` and ``strength``, a row a row.
        at: As :func:`places` gives them for those rows.
        more: ``volatility`` and ``minutes_to_close``, a value a row; NaN where nothing was said.
    """
    rows = _row_after_row(at)
    return Said(
        directions=_taken(signals["direction"], rows, int(Direction.HOLD)).astype(np.int8),
        strengths=_taken(signals["strength"], rows, 0.0),
        **{name: _taken(column, rows, np.nan) for name, column in more.items()},
    )


def said_by(plan: Plan, market: Market, rows: pl.DataFrame, at: Places) -> Said:
    """What a plan says at each bar of a market.

    Args:
        rows: Bars with all that the plan reads, and the feature ``CLOCK``.

    Raises:
        StrategyBrokeError: The strategy raised.
    """
    signals = spoken(plan.strategy, market.symbol, rows)
    more = {"minutes_to_close": rows[CLOCK]}
    if plan.sizing.needs:
        more["volatility"] = rows[plan.sizing.needs[0]]
    return heard(signals, at, **more)


def _row_after_row(at: Places) -> Places | slice:
    """A slice where every bar has a row and the rows follow one another, as they mostly do."""
    if len(at) and at[0] >= 0 and bool((np.diff(at) == 1).all()):
        return slice(int(at[0]), int(at[-1]) + 1)
    return at


def _taken(column: pl.Series, at: Places | slice, otherwise: float) -> NDArray[Any]:
    values = column.cast(pl.Float64).fill_null(otherwise).to_numpy()
    if isinstance(at, slice):
        return values[at]
    if not len(values):
        return np.full(len(at), otherwise)
    return np.where(at >= 0, values[at], otherwise)


def _brief(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:200].rstrip(".")
