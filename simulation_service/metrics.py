"""What a run was worth: return, Sharpe, drawdown, trades, exposure, costs."""

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulation_service.run import Floats, Integers, Run

_TWO = 2


@dataclass(frozen=True)
class Metrics:
    """Figures of one run.

    Attributes:
        total_return: Final equity over the cash at the beginning, less 1.
        sharpe: Mean over deviation (of the sample) of the returns from session to session, times
            the root of the sessions in a year; cash earns nothing. None below two sessions,
            where all returns are the same, or where everything was lost.
        max_drawdown: Worst fall of the equity, bar by bar, from its highest close so far: 0 to -1.
        trades: Buys.
        win_rate: Share of the trades sold again that brought more than they cost; None without one.
        exposure: Share of the bars at whose close shares were held.
        costs: Fees and slippage in USD.
        final_equity: USD at the last close; shares still held count at that close.
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

    @property
    def facts(self) -> dict[str, Any]:
        """All of it as JSON."""
        return asdict(self)


def measure(run: Run, session: Integers, sessions_per_year: float) -> Metrics:
    """The figures of a run.

    Args:
        session: A number for each bar that changes with the session.
        sessions_per_year: Of the calendar, around the run.
    """
    closes = run.equity[session_ends(session)]
    return Metrics(
        total_return=float(run.equity[-1] / run.cash - 1),
        sharpe=sharpe(np.concatenate([[run.cash], closes]), sessions_per_year),
        max_drawdown=max_drawdown(np.concatenate([[run.cash], run.equity])),
        trades=sum(trade.side == "buy" for trade in run.trades),
        win_rate=_win_rate(run),
        exposure=float(np.mean(run.held > 0)),
        costs=math.fsum(trade.costs for trade in run.trades),
        final_equity=float(run.equity[-1]),
        sessions=len(closes),
        bars=len(run.equity),
    )


def session_ends(session: Integers) -> NDArray[np.int64]:
    """The row of each session's last bar."""
    return np.flatnonzero(np.append(session[1:] != session[:-1], True))


def sharpe(daily: Floats, sessions_per_year: float) -> float | None:
    """Annualised Sharpe ratio of a curve with a value a session, the first before it all."""
    if len(daily) <= _TWO or daily.min() <= 0:
        return None
    returns = daily[1:] / daily[:-1] - 1
    if np.ptp(returns) == 0:
        return None
    return float(returns.mean() / returns.std(ddof=1) * math.sqrt(sessions_per_year))


def max_drawdown(curve: Floats) -> float:
    """The worst fall from the highest value so far, as a share of it: 0 to -1."""
    return float(np.min(curve / np.maximum.accumulate(curve) - 1))


def _win_rate(run: Run) -> float | None:
    bought = [trade.amount for trade in run.trades if trade.side == "buy"]
    sold = [trade.amount for trade in run.trades if trade.side == "sell"]
    if not sold:
        return None
    return sum(came > went for went, came in zip(bought, sold, strict=False)) / len(sold)
