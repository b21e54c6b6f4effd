"""What a run was worth: its figures in one table. docs/metrics.md has every formula."""

import math
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from simulation_service.drawdowns import Drawdown, drawdown, max_drawdown
from simulation_service.returns import (
    CurveError,
    annual_return,
    finite,
    relation,
    sharpe,
    sortino,
    volatility,
)
from simulation_service.round_trips import round_trips
from simulation_service.run import Floats, Integers, Run
from simulation_service.trade_statistics import trade_statistics, turnover

__all__ = ["Metrics", "equity_at_session_ends", "max_drawdown", "measure", "session_ends", "sharpe"]


@dataclass(frozen=True)
class Metrics:
    """Figures of one run. Money is USD, shares of something are 1 for all of it.

    Attributes:
        total_return: Final equity over the cash at the beginning, less 1.
        sharpe: Mean over deviation (of the sample) of the returns from session to session, times
            the root of the sessions in a year; cash earns nothing. None below two sessions,
            where all returns are the same, or where everything was lost.
        max_drawdown: Worst fall of the equity, bar by bar, from its highest close so far: 0 to -1.
        trades: Entries: purchases that open or add to a position, or short sales.
        win_rate: Share of the trades sold again that brought more than they cost; None without one.
        exposure: Share of the bars at whose close shares were held (or owed).
        costs: Fees and slippage in USD, borrow fees not.
        final_equity: USD at the last close; shares still held count at that close.
        annual_return: The return of a year that compounds to the whole; None where it is too large
            to be a number.
        volatility: Deviation of the returns, annualised; None below two sessions or where
            everything was lost.
        sortino: As ``sharpe`` over the downside deviation; None also where no session fell.
        calmar: ``annual_return`` over the depth of the drawdown; None without one.
        drawdown_sessions: Sessions that the worst fall lasted, until it was made good or the end.
        longest_drawdown_sessions: The same of the fall that lasted longest.
        drawdown_start: Session of the high before the worst fall; None without dates or a fall.
        drawdown_trough: Session of its lowest close; None as above.
        drawdown_recovery: Session of the first close as high again; None as above, or not yet.
        round_trips: Positions opened and closed.
        average_win: Mean profit of those that brought more than they cost; None without one.
        average_loss: Mean profit, below 0, of those that brought less; None without one.
        profit_factor: All profits over all losses; None if nothing was lost.
        expectancy: Mean profit of a round trip; None without one.
        holding_bars: Mean of the bars at whose close a round trip was held; None without one.
        holding_minutes: Mean clock time of a round trip, nights included; None without times.
        turnover: Bought and sold in a year, over the mean equity of the session ends.
        alpha: Against the benchmark, a year; None without a benchmark that moved.
        beta: As above.
        correlation: As above.
        dividends: USD received; below 0 if short positions paid more.
        borrow: USD paid for borrowing shares.
    """

    total_return: float
    sharpe: float | None
    max_drawdown: float
    trades: int
    win_rate: float | None
    exposure: float
    costs: float
    final_equity: float
    sessions: int
    bars: int
    annual_return: float | None = None
    volatility: float | None = None
    sortino: float | None = None
    calmar: float | None = None
    drawdown_sessions: int = 0
    longest_drawdown_sessions: int = 0
    drawdown_start: str | None = None
    drawdown_trough: str | None = None
    drawdown_recovery: str | None = None
    round_trips: int = 0
    average_win: float | None = None
    average_loss: float | None = None
    profit_factor: float | None = None
    expectancy: float | None = None
    holding_bars: float | None = None
    holding_minutes: float | None = None
    turnover: float | None = None
    alpha: float | None = None
    beta: float | None = None
    correlation: float | None = None
    dividends: float = 0.0
    borrow: float = 0.0

    @property
    def facts(self) -> dict[str, Any]:
        """All of it as JSON."""
        return asdict(self)


def measure(
    run: Run,
    session: Integers,
    sessions_per_year: float,
    *,
    benchmark: Run | None = None,
    bars: pl.DataFrame | None = None,
) -> Metrics:
    """The figures of a run.

    Args:
        session: A number for each bar that changes with the session.
        sessions_per_year: Of the calendar, around the run.
        benchmark: A run through the same bars (buy and hold), for alpha and beta.
        bars: ``timestamp`` (UTC) and ``session_date`` of each bar, for times and dates.

    Raises:
        CurveError: The run has no bars, no cash to begin with or an equity that is not finite, or
            the benchmark or the bars are not as many as those of the run.
    """
    _check(run, session)
    daily = equity_at_session_ends(run, session)
    fall = drawdown(run.equity, session, before=run.cash)
    yearly = annual_return(daily, sessions_per_year)
    stamps = _column(bars, "timestamp", run)
    trips = trade_statistics(round_trips(run, timestamps=stamps))
    traded = float(run.orders.price @ run.orders.shares)
    return Metrics(
        total_return=float(run.equity[-1] / run.cash - 1),
        sharpe=sharpe(daily, sessions_per_year),
        max_drawdown=fall.depth,
        trades=run.entries,
        exposure=run.exposed / len(run.equity),
        costs=float(run.orders.costs.sum()),
        final_equity=float(run.equity[-1]),
        sessions=len(daily) - 1,
        bars=len(run.equity),
        annual_return=yearly,
        volatility=volatility(daily, sessions_per_year),
        sortino=sortino(daily, sessions_per_year),
        calmar=_calmar(yearly, fall.depth),
        drawdown_sessions=fall.sessions,
        longest_drawdown_sessions=fall.longest_sessions,
        **_dates(fall, _column(bars, "session_date", run)),
        **asdict(trips),
        turnover=turnover(traded, daily[1:], len(daily) - 1, sessions_per_year),
        **_beside(benchmark, run, session, daily, sessions_per_year),
        dividends=run.dividends,
        borrow=run.borrowed,
    )


def equity_at_session_ends(run: Run, session: Integers) -> Floats:
    """The cash at the beginning, then the equity at the last bar of each session."""
    return np.append(run.cash, run.equity[session_ends(session)])


def session_ends(session: Integers) -> NDArray[np.int64]:
    """The row of each session's last bar."""
    changes = np.flatnonzero(session[1:] != session[:-1])
    return np.append(changes, max(len(session) - 1, 0))


def _check(run: Run, session: Integers) -> None:
    finite(run.equity, "values of the equity")
    if not run.cash > 0:
        raise CurveError(f"The cash to begin with must be above 0 USD, was {run.cash:g}.")
    _same_bars(len(session), run, "row of session numbers")


def _beside(
    benchmark: Run | None, run: Run, session: Integers, daily: Floats, sessions_per_year: float
) -> dict[str, Any]:
    """Alpha, beta and correlation, where there are any."""
    if benchmark is None:
        return {}
    _same_bars(len(benchmark.equity), run, "benchmark")
    other = equity_at_session_ends(benchmark, session)
    related = relation(daily, other, sessions_per_year)
    return asdict(related) if related else {}


def _calmar(yearly: float | None, depth: float) -> float | None:
    if yearly is None or depth >= 0:
        return None
    found = yearly / -depth
    return found if math.isfinite(found) else None


def _column(bars: pl.DataFrame | None, name: str, run: Run) -> pl.Series | None:
    if bars is None:
        return None
    _same_bars(bars.height, run, "frame of bars")
    if name not in bars.columns:
        raise CurveError(f"The frame of bars lacks {name}. Give timestamp and session_date.")
    return bars[name]


def _same_bars(count: int, run: Run, what: str) -> None:
    if count != len(run.equity):
        raise CurveError(
            f"The {what} has {count:,} bars and the run {len(run.equity):,}. "
            "Give both for the same bars."
        )


def _dates(fall: Drawdown, dates: pl.Series | None) -> dict[str, Any]:
    """Sessions of the fall's places in the curve, which begins one place before the bars."""

    def day(place: int | None) -> str | None:
        if dates is None or place is None:
            return None
        found: date = dates[max(place - 1, 0)]
        return found.isoformat()

    return {
        "drawdown_start": day(fall.start),
        "drawdown_trough": day(fall.trough),
        "drawdown_recovery": day(fall.recovery),
    }
