"""The same figures for a bare symbol, from its closes."""

from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from simulation_service.drawdowns import drawdown
from simulation_service.returns import (
    CurveError,
    annual_return,
    finite,
    relation,
    sharpe,
    sortino,
    volatility,
)
from simulation_service.run import Floats


@dataclass(frozen=True)
class SymbolStatistics:
    """Figures of a symbol in a window, from close to close; docs/metrics.md has each formula.

    Attributes:
        start: The first session, whose close is the value before everything.
        end: The last one.
        sessions: Returns from session to session.
        max_drawdown: From close to close: 0 to -1.
        drawdown_start: Session of the high before the worst fall; None if there was no fall.
        drawdown_trough: Session of its lowest close; None as above.
        drawdown_recovery: Session whose close was as high again; None if there is none.
        drawdown_sessions: Sessions below that high.
        alpha: Against the index, a year; None without one.
        beta: As above, from the returns over the sessions that both have.
        correlation: As above.
    """

    start: date
    end: date
    sessions: int
    total_return: float
    annual_return: float | None
    volatility: float | None
    sharpe: float | None
    sortino: float | None
    max_drawdown: float
    drawdown_start: date | None
    drawdown_trough: date | None
    drawdown_recovery: date | None
    drawdown_sessions: int
    alpha: float | None = None
    beta: float | None = None
    correlation: float | None = None

    @property
    def facts(self) -> dict[str, Any]:
        """All of it as JSON, dates as texts."""
        return {
            name: value.isoformat() if isinstance(value, date) else value
            for name, value in asdict(self).items()
        }


def symbol_statistics(
    closes: pl.DataFrame,
    sessions_per_year: float,
    *,
    index: pl.DataFrame | None = None,
    start: date | None = None,
    end: date | None = None,
) -> SymbolStatistics:
    """The figures of a symbol in a window.

    Args:
        closes: ``session_date`` (ascending) and ``close`` (USD in today's shares, above zero).
        sessions_per_year: Of the calendar, around the window.
        index: The same of an index, for alpha and beta. Returns are those over the sessions that
            both have.
        start: First session of the window; None for the first there is.
        end: Last one, included; None for the last there is.

    Raises:
        CurveError: Columns are missing, dates do not ascend, a close is not above zero, or no
            session is in the window.
    """
    own = _window(closes, "closes", start, end)
    dates, values = own["session_date"], own["close"].to_numpy()
    fall = drawdown(values, np.arange(len(values)))
    related = None
    if index is not None:
        both = own.join(
            _window(index, "closes of the index", start, end).rename({"close": "index"}),
            on="session_date",
            maintain_order="left",
        )
        if not both.is_empty():
            related = relation(
                both["close"].to_numpy(), both["index"].to_numpy(), sessions_per_year
            )
    return SymbolStatistics(
        start=dates[0],
        end=dates[-1],
        sessions=len(values) - 1,
        total_return=float(values[-1] / values[0] - 1),
        annual_return=annual_return(values, sessions_per_year),
        volatility=volatility(values, sessions_per_year),
        sharpe=sharpe(values, sessions_per_year),
        sortino=sortino(values, sessions_per_year),
        max_drawdown=fall.depth,
        drawdown_start=_at(dates, fall.start),
        drawdown_trough=_at(dates, fall.trough),
        drawdown_recovery=_at(dates, fall.recovery),
        drawdown_sessions=fall.sessions,
        **(asdict(related) if related else {}),
    )


def _window(closes: pl.DataFrame, what: str, start: date | None, end: date | None) -> pl.DataFrame:
    missing = [name for name in ("session_date", "close") if name not in closes.columns]
    if missing:
        raise CurveError(f"The {what} lack {' and '.join(missing)}. Give session_date and close.")
    inside = pl.col("session_date").is_between(
        pl.lit(start or date.min), pl.lit(end or date.max), closed="both"
    )
    found = closes.select("session_date", pl.col("close").cast(pl.Float64)).filter(inside)
    if found.is_empty():
        raise CurveError(f"There are no {what} from {start or 'the start'} to {end or 'the end'}.")
    days = found["session_date"]
    if not (days.is_sorted() and days.is_unique().all()):
        raise CurveError(
            f"The {what} must have one row a session, in the order of time. Sort them."
        )
    _check_prices(found["close"].to_numpy(), days, what)
    return found


def _check_prices(values: Floats, days: pl.Series, what: str) -> None:
    finite(values, what)
    if values.min() <= 0:
        when = days[int(np.flatnonzero(values <= 0)[0])]
        raise CurveError(f"The {what} are not above zero at {when}. Look at its corporate actions.")


def _at(dates: pl.Series, place: int | None) -> date | None:
    return None if place is None else dates[place]
