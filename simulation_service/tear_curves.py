"""Curves behind the plots of a tear sheet, from what the ledger stores of a run. Pure."""

import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np
import polars as pl

from lake.errors import LakeError
from simulation_service.monthly import monthly
from simulation_service.returns import ROUNDING, returns_of
from simulation_service.run import Floats
from strategy_service.costs import Costs

#: Sessions of a rolling figure: a quarter of a year.
ROLLING = 63
_NORMAL_95 = 1.959963984540054  # 97.5 % of the standard normal distribution lie below
_CENT = 0.01
_FEWEST, _MOST_BINS = 12, 40
_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


def days(curve: pl.DataFrame) -> pl.Series:
    """The New York session date of each value of a curve (:data:`lake.simulations.EQUITY`)."""
    return curve.select(
        session_date=pl.col("timestamp").dt.convert_time_zone("America/New_York").dt.date()
    ).to_series()


def underwater(daily: Floats) -> Floats:
    """Each value as a share of the highest one so far, less 1: 0 to -1, and below where all was lost.

    Args:
        daily: The cash at the beginning, then a value a session.

    Returns:
        As many as there are sessions.
    """
    return np.asarray(daily / np.maximum.accumulate(daily) - 1)[1:]


def rolling_sharpe(daily: Floats, sessions_per_year: float, width: int = ROLLING) -> Floats | None:
    """The Sharpe ratio of each ``width`` sessions in a row, annualised.

    Args:
        daily: The cash at the beginning, then a value a session.

    Returns:
        One for each session from the ``width``-th on, NaN where the returns of a window are all the
        same; None below ``width`` sessions or where everything was lost.
    """
    returns = returns_of(daily)
    if returns is None or len(returns) < width:
        return None
    windows = np.lib.stride_tricks.sliding_window_view(returns, width)
    spread = windows.std(axis=1, ddof=1)
    moved = np.ptp(windows, axis=1) > ROUNDING
    found = np.where(moved, windows.mean(axis=1) / np.where(moved, spread, 1), np.nan)
    return np.asarray(found * math.sqrt(sessions_per_year))


def chance_band(sessions_per_year: float, width: int = ROLLING) -> float:
    """Within plus and minus this lie 95 % of the rolling ratios of a run without any skill.

    From the standard error of a ratio of 0 over ``width`` independent returns, 1 / √width (Lo 2002).
    """
    return _NORMAL_95 * math.sqrt(sessions_per_year / width)


def months(curve: pl.DataFrame, cash: float) -> list[dict[str, Any]]:
    """Returns by month of a run and of buy and hold: ``year``, ``month``, ``return``, ``benchmark``."""
    dates = days(curve)
    own, against = (
        monthly(dates, np.append(cash, curve[name].to_numpy())) for name in ("equity", "benchmark")
    )
    return own.select("year", "month", "return", benchmark=against["return"]).to_dicts()


def amounts(orders: pl.DataFrame, params: Mapping[str, Any]) -> Floats | None:
    """USD that each order moved, below 0 where it left; None if the run's costs are not known.

    The ledger has an order's price with slippage; the fees are those of the run's parameters.
    """
    try:
        known = {one.name: params[one.name] for one in fields(Costs) if one.name in params}
        costs = Costs(**known)
    except (TypeError, LakeError):
        return None
    traded = orders.select("side", "shares", "price").iter_rows()
    return np.array([_moved(costs, *one) for one in traded], dtype=np.float64)


def profits(orders: pl.DataFrame, moved: Floats) -> Floats | None:
    """What each closed round trip brought, as a share of what was paid for it, costs included.

    Args:
        orders: As :data:`lake.simulations.ORDERS`: of one symbol, buys and sells in turn.
        moved: As :func:`amounts` gives them.

    Returns:
        Oldest first; None where the orders are not of that kind.
    """
    sides, shares = orders["side"].to_list(), orders["shares"].to_numpy()
    closed = len(sides) // 2 * 2
    in_turn = sides == ["buy", "sell"] * (len(sides) // 2) + ["buy"] * (len(sides) % 2)
    if not in_turn or not np.array_equal(shares[:closed:2], shares[1:closed:2]):
        return None
    if "symbol" in orders.columns and orders["symbol"].n_unique() > 1:
        return None
    paid, received = -moved[:closed:2], moved[1:closed:2]
    return np.asarray(received / paid - 1)


def agree(found: Floats, moved: Floats, figures: Mapping[str, Any]) -> bool:
    """Whether round trips worked out from orders are those that the run's figures were made of.

    Their number, the share that won and the mean profit must be the stored ones, the latter to the
    cent: an order's fee or a dividend that the ledger does not have would show.
    """
    if len(found) != figures.get("round_trips"):
        return False
    if not len(found):
        return True
    paid = -moved[: 2 * len(found) : 2]
    mean = float((found * paid).mean())
    expected = figures.get("expectancy")
    won = figures.get("win_rate") == float(np.mean(found > 0))
    return won and expected is not None and abs(mean - expected) <= _CENT


def exposure(
    curve: pl.DataFrame, orders: pl.DataFrame, moved: Floats, cash: float
) -> Floats | None:
    """Share of the equity that is held in the market at each session end.

    What is not cash is held. Where nothing is held the cash must be the equity, to the cent.

    Returns:
        A value a session, below 0 where shares are owed; None where equity is not above zero or
        the orders and the curve do not agree.
    """
    ends, equity = curve["timestamp"].to_physical().to_numpy(), curve["equity"].to_numpy()
    filled = orders["filled_at"].to_physical().to_numpy()
    until = np.searchsorted(filled, ends, side="right")
    purse = np.append(cash, cash + np.cumsum(moved))[until]
    signed = np.where(orders["side"].to_numpy() == "buy", 1, -1) * orders["shares"].to_numpy()
    held = np.append(0.0, np.cumsum(signed))[until]
    flat = np.abs(held) <= ROUNDING
    if not (equity > 0).all() or (np.abs(equity - purse)[flat] > _CENT).any():
        return None
    return np.asarray(np.where(flat, 0.0, (equity - purse) / equity))


def histogram(values: Floats) -> pl.DataFrame:
    """Values counted in bins of a round width, one edge at 0.

    Returns:
        ``low``, ``high`` (a value at the edge belongs to the higher bin) and ``rows``.
    """
    low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
    step = _step((high - low) / np.clip(math.sqrt(len(values)) * 2, _FEWEST, _MOST_BINS))
    places = np.floor(values / step + ROUNDING).astype(np.int64)
    counted = np.bincount(places - places.min())
    edges = np.arange(places.min(), places.max() + 1)
    return pl.DataFrame({"low": edges * step, "high": (edges + 1) * step, "rows": counted})


def _moved(costs: Costs, side: str, shares: float, price: float) -> float:
    fee = costs.fee(shares, price)
    return -(shares * price + fee) if side == "buy" else shares * price - fee


def _step(about: float) -> float:
    """The next round number above."""
    if about <= 0:
        return 1e-4
    scale = 10.0 ** math.floor(math.log10(about))
    return next(one * scale for one in _STEPS if one * scale >= about * (1 - 1e-9))
