"""Trying many plans on the same bars: what they read is computed once for many, and figures are few."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from multiprocessing import get_context

import numpy as np
import polars as pl

from feature_service.registry import Feature
from lake.errors import LakeError
from simulation_service import engine, fast
from simulation_service.drawdowns import max_drawdown
from simulation_service.hearing import CLOCK, places, said_by
from simulation_service.market import Floats, Market, Mode
from simulation_service.metrics import equity_at_session_ends
from simulation_service.returns import sharpe
from simulation_service.trading import Trading
from strategy_service.needs import feature, widened
from strategy_service.plans import Plan
from strategy_service.rule import Rule

#: Numbers that the features of a batch may take: 200 MB.
_CELLS = 25_000_000
#: Trials that a process is handed at a time: many share what they read, few keep all processes busy.
_FEWEST, _MOST = 10, 100
#: Bars times trials from which processes are started; below, starting them takes longer.
_WORTHWHILE = 5_000_000

Trial = tuple[Plan, Mode]


@dataclass(frozen=True)
class Tried:
    """What one trial came to.

    Attributes:
        returns: From session to session; all 0 where it failed.
        sharpe: Annual; None where there is none.
        max_drawdown: 0 to -1.
        trades: Entries.
        problem: Why it has no figures, in a sentence; empty if it has.
    """

    returns: Floats
    sharpe: float | None = None
    total_return: float | None = None
    max_drawdown: float | None = None
    trades: int = 0
    problem: str = ""


@dataclass(frozen=True)
class Ground:
    """Where plans are tried.

    Attributes:
        markets: One a symbol.
        bars: For each, what features are computed from: its history in today's shares.
        cash: USD at the beginning of each trial.
        sessions_per_year: Of the calendar.
    """

    markets: tuple[Market, ...]
    bars: tuple[pl.DataFrame, ...]
    cash: float
    sessions_per_year: int

    def between(self, first: date, last: date, *, cash: float | None = None) -> "Ground":
        """The same with some sessions only, both included; without the symbols that have no bar there."""
        found = [
            (market, bars)
            for one, bars in zip(self.markets, self.bars, strict=True)
            if len((market := one.between(first, last)).close)
        ]
        return replace(
            self,
            markets=tuple(market for market, _ in found),
            bars=tuple(bars for _, bars in found),
            cash=self.cash if cash is None else cash,
        )

    @property
    def days(self) -> pl.Series:
        """Session dates with a bar, ascending."""
        return pl.concat([one.bars["session_date"] for one in self.markets]).unique().sort()


def attempt(ground: Ground, trials: Sequence[Trial], threads: int = 1) -> Iterator[Tried]:
    """Run trials in this process, in their order; one after another, or some at a time."""
    where = [
        places(market, bars["timestamp"])
        for market, bars in zip(ground.markets, ground.bars, strict=True)
    ]
    widest = max(bars.height for bars in ground.bars)
    for some, wanted in _batches(trials, max(_CELLS // widest, 1)):
        rows = [widened(bars, wanted) for bars in ground.bars]
        each = partial(_tried, ground, rows, where)
        if threads <= 1:
            yield from map(each, some)
            continue
        with ThreadPoolExecutor(threads) as pool:
            yield from pool.map(each, some)


def attempt_in_processes(
    ground: Ground, trials: Sequence[Trial], processes: int
) -> Iterator[Tried]:
    """The same on several processors, in the order of the trials; on one if there is little to do.

    Threads share what was computed and begin at once, but only compiled code lets others run
    meanwhile; where the reference trades, or a strategy is none of ours, there are processes.
    """
    if processes > 1 and all(_compiled(ground, one) for one in trials):
        yield from attempt(ground, trials, processes)
        return
    work = len(trials) * sum(len(one.close) for one in ground.markets)
    size = min(max(len(trials) // (2 * max(processes, 1)), _FEWEST), _MOST)
    if processes <= 1 or work < _WORTHWHILE or len(trials) <= size:
        yield from attempt(ground, trials)
        return
    batches = [trials[at : at + size] for at in range(0, len(trials), size)]
    with ProcessPoolExecutor(
        max_workers=min(processes, len(batches)),
        mp_context=get_context("spawn"),  # a fork of polars' threads would hang
        initializer=_stand,
        initargs=(ground,),
    ) as pool:
        for found in pool.map(_attempt_here, batches):
            yield from found


def _compiled(ground: Ground, trial: Trial) -> bool:
    plan, mode = trial
    return isinstance(plan.strategy, Rule) and fast.can(ground.markets, Trading.of(plan), mode)


class _Here:
    """Where this process tries."""

    ground: Ground | None = None


def _stand(ground: Ground) -> None:
    _Here.ground = ground


def _attempt_here(trials: Sequence[Trial]) -> list[Tried]:
    if _Here.ground is None:
        raise RuntimeError("the process was not told where to try")
    return list(attempt(_Here.ground, trials))


def _batches(trials: Sequence[Trial], most: int) -> Iterator[tuple[list[Trial], list[Feature]]]:
    """Trials that read few features between them."""
    some: list[Trial] = []
    wanted = {CLOCK: feature(CLOCK)}
    for plan, mode in trials:
        more = {one.name: one for one in plan.features}
        if some and len(wanted.keys() | more.keys()) > most:
            yield some, list(wanted.values())
            some, wanted = [], {CLOCK: feature(CLOCK)}
        some.append((plan, mode))
        wanted |= more
    if some:
        yield some, list(wanted.values())


def _tried(
    ground: Ground,
    rows: Sequence[pl.DataFrame],
    where: Sequence[np.ndarray],
    trial: Trial,
) -> Tried:
    (plan, mode), year = trial, ground.sessions_per_year
    try:
        said = [
            said_by(plan, market, some, at)
            for market, some, at in zip(ground.markets, rows, where, strict=True)
        ]
        run = engine.run(
            ground.markets, said, Trading.of(plan), ground.cash, mode, bars_per_year=year * 390.0
        )
    except LakeError as error:
        return Tried(np.zeros(len(ground.days)), problem=str(error))
    session = ground.markets[0].session if run.session is None else run.session
    daily = equity_at_session_ends(run, session)
    returns = np.zeros(len(daily) - 1)
    np.divide(daily[1:], daily[:-1], out=returns, where=daily[:-1] > 0)
    returns[daily[:-1] > 0] -= 1
    return Tried(
        returns=returns,
        sharpe=sharpe(daily, year),
        total_return=float(daily[-1] / ground.cash - 1),
        max_drawdown=max_drawdown(run.equity, before=ground.cash),
        trades=run.entries,
    )
